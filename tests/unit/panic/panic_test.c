// SPDX-License-Identifier: MIT
/*
 * Panics that are contained, and tuza_goexit. What ends the process is in tests/die.
 *
 * A test about panics alone runs on a plain thread and in a goroutine: both keep the same lists.
 */
#include "test.h"

#define TEST_BOTH(sentence)                                                                        \
	static void sentence##_(void);                                                             \
	TEST_PLAIN(sentence##_on_a_thread) { sentence##_(); }                                      \
	TEST(sentence##_in_a_goroutine) { sentence##_(); }                                         \
	static void sentence##_(void)

static _Thread_local char unused_trace; // keeps a machine's thread-locals in the picture
static char trace[64];
static size_t trace_length;

static void trace_reset(void)
{
	memset(trace, 0, sizeof(trace));
	trace_length = 0;
	unused_trace = 0;
}
static void note(int c) { trace[trace_length++] = (char)c; }

// ---- tuza_try --------------------------------------------------------------------------------

static void fine(void *arg) { *(int *)arg = 5; }

TEST_BOTH(try_returns_zero_when_the_function_returns)
{
	tuza_panic_info info = {"untouched", "untouched"};
	int n = 0;

	CHECK_EQ(tuza_try(fine, &n, &info), 0);
	CHECK_EQ(n, 5);
	CHECK_STR(info.message, "untouched");
}

static __attribute__((noinline)) void raise_answer(void *arg)
{
	(void)arg;
	tuza_panic("the answer is %d", 42);
}

TEST_BOTH(try_tells_message_and_stack_of_the_panic)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try(raise_answer, NULL, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "the answer is 42");
	CHECK_CONTAINS(info.stack, "goroutine ");
	CHECK_CONTAINS(info.stack, "raise_answer(...)");
	CHECK_EQ(tuza_try(raise_answer, NULL, NULL), TUZA_EPANIC);
}

static void raise_long(void *arg)
{
	(void)arg;
	tuza_panic("%0*d", 100000, 1);
}

TEST_BOTH(long_message_is_cut)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try(raise_long, NULL, &info), TUZA_EPANIC);
	CHECK_EQ(strlen(info.message), sizeof(info.message) - 1);
	CHECK_EQ(strspn(info.message, "0"), sizeof(info.message) - 1);
}

static void raise_under_defers(void *arg)
{
	TUZA_DEFER(note, 'a');
	{
		TUZA_DEFER(note, 'b');
		raise_answer(arg);
	}
	note('!');
}

TEST_BOTH(panic_makes_deferred_calls_innermost_first_down_to_the_try)
{
	trace_reset();
	{
		TUZA_DEFER(note, 'o');
		CHECK_EQ(tuza_try(raise_under_defers, NULL, NULL), TUZA_EPANIC);
		CHECK_STR(trace, "ba");
		note('-');
	}
	CHECK_STR(trace, "ba-o");
}

static void try_inner(void *arg)
{
	CHECK_EQ(tuza_try(raise_under_defers, arg, NULL), TUZA_EPANIC);
	TUZA_DEFER(note, 'd');
	tuza_panic("again");
}

TEST_BOTH(inner_try_contains_first_and_outer_the_next)
{
	tuza_panic_info info;

	trace_reset();
	CHECK_EQ(tuza_try(try_inner, NULL, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "again");
	CHECK_STR(trace, "bad");
}

static void raise_second(int c)
{
	note(c);
	TUZA_DEFER(note, 's');
	tuza_panic("second");
}
static void raise_first(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'a');
	TUZA_DEFER(raise_second, 'r');
	TUZA_DEFER(note, 'b');
	tuza_panic("first");
}

// P6
TEST_BOTH(panic_in_a_deferred_call_supersedes_the_first)
{
	tuza_panic_info info;

	trace_reset();
	CHECK_EQ(tuza_try(raise_first, NULL, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "second");
	CHECK_STR(trace, "brsa");
	CHECK_CONTAINS(info.stack, "raise_second(...)");
}

static void contain_second(int c)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try(raise_answer, NULL, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "the answer is 42");
	note(c);
}
static void raise_with_try_in_defer(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'a');
	TUZA_DEFER(contain_second, 'c');
	tuza_panic("first");
}

TEST_BOTH(try_in_a_deferred_call_contains_only_what_is_raised_under_it)
{
	tuza_panic_info info;

	trace_reset();
	CHECK_EQ(tuza_try(raise_with_try_in_defer, NULL, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "first");
	CHECK_STR(trace, "ca");
}

static void raise_with_errno(void *arg)
{
	(void)arg;
	errno = ENOSPC;
	tuza_panic("no space");
}

TEST_BOTH(errno_after_the_try_is_that_of_the_panic)
{
	tuza_panic_info info;

	errno = 0;
	CHECK_EQ(tuza_try(raise_with_errno, NULL, &info), TUZA_EPANIC);
	CHECK_EQ(errno, ENOSPC);
}

TEST_BOTH(signal_mask_is_that_of_the_panic)
{
	sigset_t mask, now;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	CHECK_EQ(tuza_try(raise_answer, NULL, NULL), TUZA_EPANIC);
	pthread_sigmask(SIG_UNBLOCK, &mask, &now);
	CHECK(sigismember(&now, SIGUSR2));
}

static int depth_left;
static int go_deep(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	TUZA_DEFER(note, '.');
	trace_length = 0;
	if (depth_left < 0)
		return 0;
	if (depth == depth_left)
		tuza_panic("deep");
	return go_deep(depth + 1) + frame[0];
}
static void raise_at_depth(void *arg)
{
	(void)arg;
	note(go_deep(0));
}

TEST_BOTH(thousand_panics_from_a_deep_stack_leave_nothing_behind)
{
	for (int i = 0; i < 1000; i++) {
		depth_left = i % 50;
		CHECK_EQ(tuza_try(raise_at_depth, NULL, NULL), TUZA_EPANIC);
	}
}

static void raise_in_blocking_section(void *arg)
{
	tuza_blocking_begin();
	tuza_blocking_begin();
	raise_answer(arg);
}

TEST(try_leaves_the_blocking_sections_that_a_panic_left_open)
{
	CHECK_EQ(tuza_try(raise_in_blocking_section, NULL, NULL), TUZA_EPANIC);
	tuza_sleep(1); // parks, which would panic inside
}

static void raise_after_parking(void *arg)
{
	TUZA_DEFER(note, 'a');
	for (int i = 0; i < 10; i++)
		tuza_yield();
	raise_answer(arg);
}

TEST(panic_is_contained_after_the_goroutine_has_moved)
{
	trace_reset();
	CHECK_EQ(tuza_try(raise_after_parking, NULL, NULL), TUZA_EPANIC);
	CHECK_STR(trace, "a");
}

static void yield_and_note(int c)
{
	tuza_yield();
	note(c);
}
static void raise_with_parking_defers(void *arg)
{
	TUZA_DEFER(yield_and_note, 'a');
	TUZA_DEFER(yield_and_note, 'b');
	raise_answer(arg);
}

TEST(deferred_calls_of_a_panic_may_park)
{
	trace_reset();
	CHECK_EQ(tuza_try(raise_with_parking_defers, NULL, NULL), TUZA_EPANIC);
	CHECK_STR(trace, "ba");
}

// ---- tuza_goexit -----------------------------------------------------------------------------

static void call_goexit(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'x');
	tuza_goexit();
}

TEST_PLAIN(goexit_panics_on_a_thread)
{
	trace_reset();
	CHECK_PANICS("tuza_goexit on a thread that is no goroutine", call_goexit, NULL);
	CHECK_STR(trace, "x");
}

static atomic_bool has_ended;
static void set_ended(int c)
{
	note(c);
	atomic_store(&has_ended, true);
}

// Runs fn as a goroutine under a try, between two deferred calls; returns what was noted until it
// ended.
static void (*tried)(void *);
static void exit_root(void *arg)
{
	(void)arg;
	TUZA_DEFER(set_ended, 'e');
	TUZA_IGNORE(tuza_try(tried, NULL, NULL));
	note('!'); // only if the try returns
}
static const char *trace_exit(void (*fn)(void *))
{
	trace_reset();
	atomic_store(&has_ended, false);
	tried = fn;
	CHECK_EQ(tuza_go(exit_root, NULL), 0);
	WAIT_UNTIL(atomic_load(&has_ended));
	return trace;
}

// P8
TEST(goexit_makes_all_deferred_calls_and_no_try_contains_it)
{
	CHECK_STR(trace_exit(call_goexit), "xe");
}

static void raise_in_goexit(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'a');
	TUZA_DEFER(raise_second, 'r');
	tuza_goexit();
}

// P8: Go's recover would be in the frame that the exit gives up.
TEST(panic_during_goexit_that_a_try_would_contain_ends_and_the_exit_goes_on)
{
	CHECK_STR(trace_exit(raise_in_goexit), "rsae");
}

static void contain_in_goexit(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'a');
	TUZA_DEFER(contain_second, 'c');
	tuza_goexit();
}

TEST(try_in_a_deferred_call_of_goexit_contains_a_panic)
{
	CHECK_STR(trace_exit(contain_in_goexit), "cae");
}

static void goexit_in_defer(int c)
{
	note(c);
	tuza_goexit();
}
static void goexit_during_panic(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'a');
	TUZA_DEFER(goexit_in_defer, 'g');
	tuza_panic("dropped");
}

// Go: src/runtime/crash_test.go, TestGoexitInPanic
TEST(goexit_in_a_deferred_call_of_a_panic_drops_the_panic)
{
	CHECK_STR(trace_exit(goexit_during_panic), "gae");
}

static void goexit_twice(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, 'a');
	TUZA_DEFER(goexit_in_defer, 'g');
	tuza_goexit();
}

TEST(goexit_in_a_deferred_call_of_goexit_goes_on_with_the_rest)
{
	CHECK_STR(trace_exit(goexit_twice), "gae");
}

static void goexit_in_blocking_section(void *arg)
{
	tuza_blocking_begin();
	call_goexit(arg);
}

TEST(goexit_leaves_the_blocking_section)
{
	CHECK_STR(trace_exit(goexit_in_blocking_section), "xe");
}
