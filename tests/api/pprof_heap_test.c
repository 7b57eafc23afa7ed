// SPDX-License-Identifier: MIT
// The heap profile of tuza_malloc. (O30, O34)
#include "pprof_support.h"

#include <tuza/go.h>
#include <tuza/malloc.h>
#include <tuza/sync.h>

#define KEEP __attribute__((noinline))

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE };

static struct decoded *profile(const char *name)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_write(fd, name, 0), 0);
	return decode(fd);
}

static uint64_t heap_value(int value, const char *function)
{
	struct decoded *d = profile("heap");
	uint64_t n = value_of(d, value, FUNCTIONS(function), NULL, NULL);

	decoded_free(d);
	return n;
}

KEEP static char *makes_hundreds(void)
{
	char *p = tuza_malloc(100);

	p[0] = 1;
	return p;
}

TEST(every_allocation_is_counted_at_rate_1)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	char *p[30];

	for (int i = 0; i < 30; i++)
		p[i] = makes_hundreds();
	for (int i = 0; i < 10; i++)
		tuza_free(p[i]);
	CHECK_EQ(heap_value(ALLOC_OBJECTS, "makes_hundreds"), 30);
	CHECK_EQ(heap_value(ALLOC_SPACE, "makes_hundreds"), 3000);
	CHECK_EQ(heap_value(INUSE_OBJECTS, "makes_hundreds"), 20);
	CHECK_EQ(heap_value(INUSE_SPACE, "makes_hundreds"), 2000);
	for (int i = 10; i < 30; i++)
		tuza_free(p[i]);
	CHECK_EQ(heap_value(INUSE_SPACE, "makes_hundreds"), 0);
	CHECK_EQ(heap_value(ALLOC_SPACE, "makes_hundreds"), 3000);
	CHECK_EQ(tuza_set_heap_profile_rate(rate), 1);
}

KEEP static char *grows(char *p, size_t n)
{
	p = tuza_realloc(p, n);
	p[0] = 1;
	return p;
}

KEEP static char *makes_zeroes(void)
{
	char *p = tuza_calloc(7, 11);

	CHECK_EQ(p[0] | p[76], 0);
	return p;
}

TEST(realloc_and_calloc_are_counted)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	char *p = grows(NULL, 10), *q = makes_zeroes();

	p = grows(p, 100000);
	p[99999] = 2;
	CHECK_EQ(heap_value(INUSE_SPACE, "grows"), 100000);
	CHECK_EQ(heap_value(ALLOC_SPACE, "grows"), 100010);
	CHECK_EQ(heap_value(INUSE_SPACE, "makes_zeroes"), 77);
	tuza_free(p);
	tuza_free(q);
	CHECK_EQ(heap_value(INUSE_OBJECTS, "grows"), 0);
	CHECK_EQ(heap_value(INUSE_OBJECTS, "makes_zeroes"), 0);
	tuza_free(NULL);
	tuza_set_heap_profile_rate(rate);
}

TEST(impossible_sizes_fail_and_keep_what_there_was)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	volatile size_t huge = SIZE_MAX / 2;
	char *p = grows(NULL, 50);

	errno = 0;
	CHECK(tuza_malloc(huge) == NULL);
	CHECK_EQ(errno, ENOMEM);
	CHECK(tuza_calloc(huge, 4) == NULL);
	CHECK(tuza_realloc(p, huge) == NULL);
	CHECK_EQ(heap_value(INUSE_SPACE, "grows"), 50);
	tuza_free(p);
	CHECK_EQ(heap_value(INUSE_SPACE, "grows"), 0);
	tuza_set_heap_profile_rate(rate);
}

KEEP static char *makes_for_free(void)
{
	char *p = tuza_malloc(1234);

	p[0] = 1;
	return p;
}

// Compilers warn of such mixes, where they see them.
static void *(*volatile c_malloc)(size_t) = malloc;
static void (*volatile c_free)(void *) = free;

// What free() took is taken for freed when its address turns up again.
TEST(free_may_take_it)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	char *p = makes_for_free(), *others[100];

	c_free(p);
	for (int i = 0; i < 100; i++)
		others[i] = makes_for_free();
	CHECK(heap_value(INUSE_OBJECTS, "makes_for_free") <= 101);
	for (int i = 0; i < 100; i++)
		tuza_free(others[i]);
	CHECK(heap_value(INUSE_OBJECTS, "makes_for_free") <= 1);
	CHECK_EQ(heap_value(ALLOC_OBJECTS, "makes_for_free"), 101);
	p = c_malloc(10);
	tuza_free(p);
	tuza_set_heap_profile_rate(rate);
}

KEEP static void *makes_small(void) { return memset(tuza_malloc(64), 1, 64); }
KEEP static void *makes_large(void) { return memset(tuza_malloc(8192), 1, 8192); }

// 64 MiB in objects of 64 bytes and as many in objects of 8 KiB, sampled at 16 KiB: 4,096 samples
// each, so the estimate is off by 1.6 % as a rule; 15 % would be ten times that.
TEST(samples_stand_for_those_that_were_not_taken)
{
	enum { BYTES = 64 << 20, SMALL = BYTES / 64, LARGE = BYTES / 8192 };
	int64_t rate = tuza_set_heap_profile_rate(16 << 10);

	for (int i = 0; i < SMALL; i++) {
		tuza_free(makes_small());
		if (i % (SMALL / LARGE) == 0)
			tuza_free(makes_large());
	}
	struct decoded *d = profile("allocs");
	double small = (double)value_of(d, ALLOC_OBJECTS, FUNCTIONS("makes_small"), NULL, NULL);
	double large = (double)value_of(d, ALLOC_OBJECTS, FUNCTIONS("makes_large"), NULL, NULL);

	CHECK_EQ(d->period, 16 << 10);
	CHECK(small > 0.85 * SMALL && small < 1.15 * SMALL);
	CHECK(large > 0.85 * LARGE && large < 1.15 * LARGE);
	CHECK_EQ(value_of(d, INUSE_SPACE, FUNCTIONS("makes_small"), NULL, NULL), 0);
	decoded_free(d);
	tuza_set_heap_profile_rate(rate);
}

static void allocates_much(tuza_waitgroup *wg)
{
	char *kept[64] = {NULL};

	for (int i = 0; i < 4000; i++) {
		tuza_free(kept[i % 64]);
		kept[i % 64] = makes_hundreds();
		if (i % 100 == 0)
			tuza_yield();
	}
	for (int i = 0; i < 64; i++)
		tuza_free(kept[i]);
	tuza_waitgroup_done(wg);
}

TEST(many_may_allocate_at_a_time)
{
	int64_t rate = tuza_set_heap_profile_rate(300);
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		go(allocates_much, &wg);
	for (int i = 0; i < 3; i++)
		decoded_free(profile("heap"));
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(heap_value(INUSE_OBJECTS, "allocates_much"), 0);
	CHECK(heap_value(ALLOC_OBJECTS, "allocates_much") > 10000);
	tuza_set_heap_profile_rate(rate);
}

KEEP static void deep_in_a_small_stack(void *done)
{
	for (int i = 0; i < 100; i++)
		tuza_free(makes_hundreds());
	tuza_chan_close(done);
}

TEST(small_stacks_have_room_for_it)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	tuza_chan *done = tuza_chan_new(0, 0);
	tuza_go_options options = {.stack_bytes = 16 << 10};

	CHECK_EQ(tuza_go_with(&options, deep_in_a_small_stack, done), 0);
	tuza_recv(done, NULL);
	tuza_chan_release(done);
	tuza_set_heap_profile_rate(rate);
}

TEST_PLAIN(plain_thread_is_counted_before_the_runtime_starts)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	char *p = makes_hundreds();

	CHECK_EQ(heap_value(INUSE_SPACE, "makes_hundreds"), 100);
	tuza_free(p);
	CHECK_EQ(heap_value(INUSE_SPACE, "makes_hundreds"), 0);
	tuza_set_heap_profile_rate(rate);
}

TEST(rate_0_counts_nothing)
{
	int64_t rate = tuza_set_heap_profile_rate(0);
	uint64_t before = heap_value(ALLOC_OBJECTS, "makes_hundreds");

	for (int i = 0; i < 100; i++)
		tuza_free(makes_hundreds());
	CHECK_EQ(tuza_set_heap_profile_rate(-1), 0);
	CHECK_EQ(tuza_set_heap_profile_rate(1), 0);
	CHECK_EQ(heap_value(ALLOC_OBJECTS, "makes_hundreds"), before);
	tuza_set_heap_profile_rate(rate);
}

TEST(text_has_gos_words)
{
	int64_t rate = tuza_set_heap_profile_rate(1);
	char *p = makes_hundreds(), *text;
	int fd = scratch();
	size_t n;

	CHECK_EQ(tuza_pprof_write(fd, "heap", 1), 0);
	text = read_back(fd, &n);
	close(fd);
	CHECK(strncmp(text, "heap profile: ", 14) == 0);
	CHECK_CONTAINS(text, "] @ heap/2\n");
	CHECK_CONTAINS(text, "\n1: 100 [");
	CHECK_CONTAINS(text, "makes_hundreds+0x");
	free(text);
	tuza_free(p);
	tuza_set_heap_profile_rate(rate);
}
