// SPDX-License-Identifier: MIT
/*
 * Panics and what contains them. P1–P12; for those that end the process see tests/die.
 */
#include "../test.h"

static char trace[256]; // what ran, in order

static void begin(void) { trace[0] = 0; }

static void note(const char *word) { strncat(trace, word, sizeof(trace) - strlen(trace) - 1); }

static void return_quietly(void *arg) { *(int *)arg += 1; }

TEST(try_returns_zero_when_nothing_panics)
{
	tuza_panic_info info = {"untouched", "too"};
	int calls = 0;

	CHECK_EQ(tuza_try(return_quietly, &calls, &info), 0);
	CHECK_EQ(tuza_try(return_quietly, &calls, NULL), 0);
	CHECK_EQ(calls, 2);
	CHECK_STR(info.message, "untouched");
}

static void panic_formatted(void *arg) { tuza_panic("%s: %d of %5.2f", (char *)arg, 3, 2.5); }

__attribute__((noinline)) static void panic_deep_inside(int depth)
{
	if (depth == 0)
		tuza_panic("from below");
	if (depth > 0)
		panic_deep_inside(depth - 1);
	note("never");
}

static void panic_deep(void *arg) { panic_deep_inside(*(int *)arg); }

TEST(try_contains_a_panic_and_tells_its_message_and_stack)
{
	tuza_panic_info info;
	int depth = 5;

	begin();
	CHECK_PANICS("text: 3 of  2.50", panic_formatted, "text");
	CHECK_EQ(tuza_try(panic_deep, &depth, NULL), TUZA_EPANIC);
	CHECK_EQ(tuza_try(panic_deep, &depth, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "from below");
	CHECK_CONTAINS(info.stack, "goroutine 1 [running]:");
	CHECK_CONTAINS(info.stack, "panic_deep_inside");
	CHECK_STR(trace, "");
}

static void panic_long(void *arg)
{
	char text[1000];

	(void)arg;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	tuza_panic("%s", text);
}

TEST(long_message_is_cut_and_terminated)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try(panic_long, NULL, &info), TUZA_EPANIC);
	CHECK_EQ(strlen(info.message), sizeof(info.message) - 1);
	CHECK(strlen(info.stack) < sizeof(info.stack));
}

static void try_inner(void *arg)
{
	CHECK_PANICS("inner: 3 of  2.50", panic_formatted, "inner");
	note("a");
	if (arg)
		panic_formatted("outer");
	note("b");
}

// P3: the innermost try contains; an outer one knows nothing of it.
TEST(tries_nest)
{
	tuza_panic_info info;

	begin();
	CHECK_EQ(tuza_try(try_inner, NULL, &info), 0);
	CHECK_STR(trace, "ab");
	begin();
	CHECK_EQ(tuza_try(try_inner, &info, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "outer: 3 of  2.50");
	CHECK_STR(trace, "a");
}

static void try_to_depth(void *arg)
{
	int depth = *(int *)arg;

	if (depth == 0)
		tuza_panic("bottom");
	int next = depth - 1;
	if (tuza_try(try_to_depth, &next, NULL) == 0)
		return;
	tuza_panic("again from %d", depth); // what recover and a new panic is in Go
}

TEST(tries_nest_deep_and_panic_again)
{
	int depth = 6;

	CHECK_PANICS("again from 6", try_to_depth, &depth);
	depth = 104;
	CHECK_PANICS("again from 104", try_to_depth, &depth);
}

static void defer_note(const char *word) { note(word); }

static void defer_panic(const char *word)
{
	note(word);
	tuza_panic("%s", word);
}

static void panic_in_a_defer(void *arg)
{
	TUZA_DEFER(defer_note, "1");
	TUZA_DEFER(defer_panic, "second");
	TUZA_DEFER(defer_note, "3");
	tuza_panic("%s", (char *)arg);
}

static void panic_in_two_defers(void *arg)
{
	TUZA_DEFER(defer_panic, "third");
	TUZA_DEFER(defer_panic, "second");
	tuza_panic("%s", (char *)arg);
}

// P6: a panic in a deferred call takes the place of the first; the other deferred calls run once.
TEST(panic_in_a_deferred_call_supersedes)
{
	begin();
	CHECK_PANICS("second", panic_in_a_defer, "first");
	CHECK_STR(trace, "3second1");
	begin();
	CHECK_PANICS("third", panic_in_two_defers, "first");
	CHECK_STR(trace, "secondthird");
}

static void defer_try(void *arg)
{
	CHECK_PANICS("in between: 3 of  2.50", panic_formatted, "in between");
	note(arg);
}

static void panic_over_a_try(void *arg)
{
	(void)arg;
	TUZA_DEFER(defer_note, "x");
	TUZA_DEFER(defer_try, "t");
	tuza_panic("goes on");
}

// P4: what a deferred call contains inside itself is not the panic that runs it.
TEST(try_in_a_deferred_call_does_not_stop_the_panic)
{
	begin();
	CHECK_PANICS("goes on", panic_over_a_try, NULL);
	CHECK_STR(trace, "tx");
}

static void defer_panic_contained(void *arg)
{
	CHECK_PANICS("second", panic_in_a_defer, "within");
	note(arg);
}

static void panic_over_nested_panics(void *arg)
{
	TUZA_DEFER(defer_panic_contained, "!");
	tuza_panic("%s", (char *)arg);
}

TEST(panics_within_panics_stay_apart)
{
	begin();
	CHECK_PANICS("without", panic_over_nested_panics, "without");
	CHECK_STR(trace, "3second1!");
}

// ---- goexit
// ----------------------------------------------------------------------------------------

static atomic_int ended;

static void tell_end(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ended, 1);
}

static void exit_below(void *arg)
{
	TUZA_DEFER(defer_note, "2");
	if (arg)
		tuza_goexit();
}

static void exit_in_a_try(void *arg)
{
	TUZA_DEFER(tell_end, NULL);
	TUZA_DEFER(defer_note, "1");
	TUZA_IGNORE(tuza_try(exit_below, arg, NULL));
	note("after");
}

// P8.
TEST(goexit_runs_the_defers_and_passes_every_try)
{
	begin();
	atomic_store(&ended, 0);
	TUZA_GO(exit_in_a_try, &ended);
	WAIT_UNTIL(ended == 1);
	CHECK_STR(trace, "21");
	begin();
	TUZA_GO(exit_in_a_try, NULL);
	WAIT_UNTIL(ended == 2);
	CHECK_STR(trace, "2after1");
}

static void exit_over_a_panic(void *arg)
{
	TUZA_DEFER(defer_panic, "p");
	(void)arg;
	tuza_goexit();
}

static void exit_and_contain(void)
{
	TUZA_DEFER(tell_end, NULL);
	TUZA_DEFER(defer_note, "1");
	TUZA_IGNORE(tuza_try(exit_over_a_panic, NULL, NULL));
	note("after");
}

static void exit_and_contain_deeper(void)
{
	TUZA_DEFER(tell_end, NULL);
	TUZA_DEFER(defer_try, "t");
	tuza_goexit();
}

// P8: a panic raised during a goexit and contained does not cancel the goexit.
TEST(contained_panic_does_not_cancel_a_goexit)
{
	begin();
	atomic_store(&ended, 0);
	TUZA_GO(exit_and_contain);
	WAIT_UNTIL(ended == 1);
	CHECK_STR(trace, "p1");
	begin();
	TUZA_GO(exit_and_contain_deeper);
	WAIT_UNTIL(ended == 2);
	CHECK_STR(trace, "t");
}

static void exit_in_a_defer(void *arg)
{
	(void)arg;
	note("e");
	tuza_goexit();
}

static void panic_over_an_exit(void)
{
	TUZA_DEFER(tell_end, NULL);
	TUZA_DEFER(exit_in_a_defer, NULL);
	tuza_panic("forgotten");
}

// Go: a goexit in a deferred call of a panic takes its place.
TEST(goexit_in_a_deferred_call_ends_the_panic)
{
	begin();
	atomic_store(&ended, 0);
	TUZA_GO(panic_over_an_exit);
	WAIT_UNTIL(ended == 1);
	CHECK_STR(trace, "e");
}

// ---- many, and elsewhere
// ------------------------------------------------------------------------------

static void park_then_panic(void *arg)
{
	for (int i = 0; i < 5; i++)
		tuza_yield();
	tuza_sleep(10 * TUZA_MICROSECOND);
	tuza_panic("%d", *(int *)arg);
}

static void panic_many_times(int me)
{
	for (int i = 0; i < 50; i++) {
		int number = me * 1000 + i;
		char want[16];

		snprintf(want, sizeof(want), "%d", number);
		CHECK_PANICS(want, park_then_panic, &number);
	}
	atomic_fetch_add(&ended, 1);
}

// The panic is its goroutine's own, whatever thread it began and ended on.
TEST(panics_of_many_goroutines_stay_apart)
{
	atomic_store(&ended, 0);
	for (int i = 1; i <= 40; i++)
		TUZA_GO(panic_many_times, i);
	WAIT_UNTIL(ended == 40);
}

static void return_plainly(void *arg) { note(arg); }

// P3, on a thread that is no goroutine.
TEST_PLAIN(plain_thread_tries_and_defers_too)
{
	int depth = 3;
	tuza_panic_info info;

	begin();
	CHECK_EQ(tuza_try(return_plainly, "r", &info), 0);
	CHECK_PANICS("from below", panic_deep, &depth);
	CHECK_PANICS("second", panic_in_a_defer, "first");
	CHECK_PANICS("goes on", panic_over_a_try, NULL);
	CHECK_STR(trace, "r3second1tx");
	CHECK_PANICS("tuza_goexit on a thread that is no goroutine", exit_in_a_defer, NULL);
}
