// SPDX-License-Identifier: MIT
/*
 * What a goroutine keeps while others run: registers, floating-point modes, its stack; and what its
 * stack can bear.
 */
#include "../test.h"

#include <time.h>

static atomic_int ended;

// More values than there are registers, all alive across the yield.
static void keep_many_values(uint64_t seed)
{
	uint64_t a = seed, b = a * 3, c = b * 5, d = c * 7, e = d * 11, f = e * 13, g = f * 17,
		 h = g * 19;
	double u = (double)seed, v = u * 3, w = v * 5, x = w * 7;

	for (int i = 0; i < 200; i++) {
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
		tuza_yield();
		__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
		CHECK(a == seed && b == a * 3 && c == b * 5 && d == c * 7);
		CHECK(e == d * 11 && f == e * 13 && g == f * 17 && h == g * 19);
		CHECK(u == (double)seed && v == u * 3 && w == v * 5 && x == w * 7);
	}
	atomic_fetch_add(&ended, 1);
}

// Checklist 45.
TEST(registers_survive_every_switch)
{
	atomic_store(&ended, 0);
	for (uint64_t i = 1; i <= 50; i++)
		TUZA_GO(keep_many_values, i * 0x9e3779b97f4a7c15u);
	WAIT_UNTIL(ended == 50);
}

// ---- floating-point modes: the control registers themselves, so that no libm is needed
// --------------

#if defined(__x86_64__)
enum { ROUND_SHIFT = 13, ROUND_MASK = 3 << ROUND_SHIFT };

static unsigned rounding(void) { return __builtin_ia32_stmxcsr() >> ROUND_SHIFT & 3; }

static void set_rounding(unsigned mode)
{
	unsigned short control;

	__builtin_ia32_ldmxcsr(
		(__builtin_ia32_stmxcsr() & ~(unsigned)ROUND_MASK) | mode << ROUND_SHIFT);
	__asm__ volatile("fnstcw %0" : "=m"(control));
	control = (unsigned short)((control & ~0xc00u) | mode << 10);
	__asm__ volatile("fldcw %0" : : "m"(control));
}

static unsigned rounding_of_long_double(void)
{
	unsigned short control;

	__asm__ volatile("fnstcw %0" : "=m"(control));
	return control >> 10 & 3;
}
#elif defined(__aarch64__)
static unsigned rounding(void)
{
	uint64_t control;

	__asm__ volatile("mrs %0, fpcr" : "=r"(control));
	return control >> 22 & 3;
}

static void set_rounding(unsigned mode)
{
	uint64_t control;

	__asm__ volatile("mrs %0, fpcr" : "=r"(control));
	control = (control & ~((uint64_t)3 << 22)) | (uint64_t)mode << 22;
	__asm__ volatile("msr fpcr, %0" : : "r"(control));
}

static unsigned rounding_of_long_double(void) { return rounding(); }
#endif

static void keep_rounding(unsigned mode)
{
	set_rounding(mode);
	for (int i = 0; i < 100; i++) {
		tuza_yield();
		CHECK_EQ(rounding(), mode);
		CHECK_EQ(rounding_of_long_double(), mode);
	}
	atomic_fetch_add(&ended, 1);
}

// Checklist 45: rounding modes belong to the goroutine.
TEST(rounding_mode_belongs_to_the_goroutine)
{
	atomic_store(&ended, 0);
	for (unsigned i = 0; i < 40; i++)
		TUZA_GO(keep_rounding, i % 4);
	WAIT_UNTIL(ended == 40);
	CHECK_EQ(rounding(), 0);
}

static void tell_rounding(unsigned *mode)
{
	*mode = rounding();
	atomic_fetch_add(&ended, 1);
}

// Whatever mode the goroutine before on this stack or thread ended in.
TEST(new_goroutine_does_not_inherit_a_strangers_rounding)
{
	unsigned modes[50];

	atomic_store(&ended, 0);
	for (unsigned i = 0; i < 50; i++) {
		TUZA_GO(set_rounding, 1 + i % 3);
		TUZA_GO(tell_rounding, &modes[i]);
	}
	WAIT_UNTIL(ended == 50);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(modes[i], 0);
}

// ---- stacks
// ------------------------------------------------------------------------------------------------

static int compare_ints(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void use_the_c_library(void *arg)
{
	char text[200];
	int numbers[50];
	struct timespec now;

	(void)arg;
	for (int i = 0; i < 50; i++)
		numbers[i] = i * 37 % 50;
	qsort(numbers, 50, sizeof(numbers[0]), compare_ints);
	CHECK_EQ(numbers[49], 49);
	snprintf(text, sizeof(text), "%.30Lf %s %e", 1.5L, "x", 1e100);
	CHECK(strtod(text, NULL) == 1.5);
	CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
	time_t seconds = 0;
	CHECK(gmtime_r(&seconds, &(struct tm){0}) != NULL);
	atomic_fetch_add(&ended, 1);
}

// Checklist 41: the smallest stack bears what programs do.
TEST(smallest_stack_bears_the_c_library)
{
	tuza_go_options options = {.stack_bytes = 16384};

	atomic_store(&ended, 0);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(tuza_go_with(&options, use_the_c_library, NULL), 0);
	WAIT_UNTIL(ended == 20);
}

__attribute__((noinline)) static int descend(int n, volatile char *above)
{
	volatile char frame[512];

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (char)n;
	if (n % 16 == 0)
		tuza_yield();
	int below = n > 0 ? descend(n - 1, frame) : 0;
	for (size_t i = 0; i < sizeof(frame); i++)
		if (frame[i] != (char)n)
			return -1000000;
	return below + 1 + (above && above[0] == 127);
}

static void descend_and_tell(int n)
{
	CHECK(descend(n, NULL) > 0);
	atomic_fetch_add(&ended, 1);
}

// Two hundred goroutines 100 KiB deep at the same time, parked at every depth, used again by the
// next round.
TEST(deep_stacks_stay_apart)
{
	int n = test_is_on_valgrind() ? 50 : 200; // each byte of each frame takes its time there

	for (int round = 1; round <= 3; round++) {
		atomic_store(&ended, 0);
		for (int i = 0; i < n; i++)
			TUZA_GO(descend_and_tell, 150);
		WAIT_UNTIL(ended == n);
	}
}

static void check_alignment(double first, __attribute__((unused)) long double second)
{
	_Alignas(16) volatile char aligned[16];

	CHECK_EQ((uintptr_t)aligned % 16, 0);
	CHECK(first == 1.0);
	atomic_fetch_add(&ended, 1);
}

TEST(stack_is_aligned_as_the_abi_wants)
{
	atomic_store(&ended, 0);
	for (int i = 0; i < 10; i++)
		TUZA_GO(check_alignment, 1.0, 2.0L);
	WAIT_UNTIL(ended == 10);
}

// Atomic for the race detector: goroutines share it.
static _Thread_local atomic_int thread_local_count;

__attribute__((noinline)) static atomic_int *thread_local_address(void)
{
	atomic_int *p = &thread_local_count;

	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void count_on_thread(void)
{
	for (int i = 0; i < 100; i++) {
		atomic_int *here = thread_local_address();
		int before = atomic_fetch_add(here, 1);
		CHECK_EQ(*here, before + 1); // no tuza call in between: nobody else came
		CHECK(thread_local_address() == here);
		tuza_yield();
	}
	atomic_fetch_add(&ended, 1);
}

// Rule 4: between two tuza calls a goroutine stays where it is.
TEST(thread_locals_are_stable_between_calls)
{
	atomic_store(&ended, 0);
	for (int i = 0; i < 30; i++)
		TUZA_GO(count_on_thread);
	WAIT_UNTIL(ended == 30);
}
