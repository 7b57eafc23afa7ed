// SPDX-License-Identifier: MIT
/*
 * Faults contained as panics: NULL dereference, wild addresses, division by zero, a file that is
 * too short.
 * P11. What is not contained: tests/die.
 */
// not-under: valgrind it reports each of the wild accesses that this test is about
#include "../test.h"

static volatile int sink, zero;
static int *volatile null_pointer;
static atomic_int defers;

static void count_defer(int n) { atomic_fetch_add(&defers, n); }

static void read_null(void *arg)
{
	TUZA_DEFER(count_defer, 1);
	(void)arg;
	sink = *null_pointer;
}

static void write_null(void *arg)
{
	TUZA_DEFER(count_defer, 1);
	(void)arg;
	*null_pointer = 1;
}

static void read_field_of_null(void *arg)
{
	(void)arg;
	sink = null_pointer[100];
}

static void call_null(void *arg)
{
	void (*volatile fn)(void) = NULL;

	(void)arg;
	fn();
	sink = 1;
}

static void write_to(void *address) { *(volatile char *)address = 1; }

static void divide_by_zero(void *arg)
{
	TUZA_DEFER(count_defer, 1);
	(void)arg;
	sink = 10 / zero;
}

static void check_fault(void (*fn)(void *), void *arg, const char *text)
{
	tuza_panic_info info = {"", ""};

	CHECK_EQ(tuza_try_with(fn, arg, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK_CONTAINS(info.message, text);
	CHECK_CONTAINS(info.stack, "goroutine ");
}

static const char nil_text[] = "invalid memory address or nil pointer dereference";

TEST(null_dereference_is_contained)
{
	tuza_panic_info info;

	atomic_store(&defers, 0);
	for (int i = 0; i < 20; i++) { // again and again: no signal stays blocked
		check_fault(read_null, NULL, nil_text);
		check_fault(write_null, NULL, nil_text);
	}
	CHECK_EQ(defers, 40);
	check_fault(read_field_of_null, NULL, nil_text);
	CHECK_EQ(tuza_try_with(read_null, NULL, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK_CONTAINS(info.stack, "read_null");
}

TEST(call_of_null_is_contained) { check_fault(call_null, NULL, nil_text); }

TEST(division_by_zero_is_contained)
{
#if defined(__aarch64__)
	SKIP("this CPU divides by zero without a word");
	return;
#endif
	atomic_store(&defers, 0);
	for (int i = 0; i < 20; i++)
		check_fault(divide_by_zero, NULL, "integer divide by zero");
	CHECK_EQ(defers, 20);
}

TEST(write_to_read_only_memory_is_contained)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tuza_panic_info info = {"", ""};

	CHECK_EQ(tuza_try_with(write_to, page, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK(info.message[0] != 0);
	munmap(page, 4096);
}

// SIGBUS: a page of a file that has become shorter.
TEST(access_beyond_the_end_of_a_mapped_file_is_contained)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	tuza_panic_info info = {"", ""};

	CHECK_EQ(tuza_try_with(write_to, page, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK(info.message[0] != 0);
	munmap(page, 4096);
	close(fd);
}

static void panic_plainly(void *arg)
{
	(void)arg;
	tuza_panic("plain");
}

static void return_at_once(void *arg) { (void)arg; }

TEST(try_with_faults_contains_panics_as_well)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try_with(panic_plainly, NULL, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "plain");
	CHECK_EQ(tuza_try_with(panic_plainly, NULL, 0, &info), TUZA_EPANIC);
	CHECK_EQ(tuza_try_with(return_at_once, NULL, TUZA_RECOVER_FAULTS, &info), 0);
}

static void fault_often(atomic_int *ended)
{
	for (int i = 0; i < 20; i++) {
		check_fault(read_null, NULL, nil_text);
		tuza_yield();
	}
	atomic_fetch_add(ended, 1);
}

// On small stacks, on several threads at once.
TEST(faults_of_many_goroutines_are_contained)
{
	atomic_int ended = 0;

	for (int i = 0; i < 20; i++)
		TUZA_GO(fault_often, &ended);
	WAIT_UNTIL(ended == 20);
}

static void read_null_inside_a_plain_try(void *arg)
{
	(void)arg;
	TUZA_IGNORE(tuza_try(read_null, NULL, NULL)); // does not contain it: the outer one does
	sink = 2;
}

TEST(fault_passes_a_plain_try)
{
	sink = 0;
	check_fault(read_null_inside_a_plain_try, NULL, nil_text);
	CHECK_EQ(sink, 0);
}
