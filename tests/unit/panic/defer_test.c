// SPDX-License-Identifier: MIT
/*
 * TUZA_DEFER: which calls are made, when, and with what.
 */
#include "test.h"

static char trace[64];
static size_t trace_length;

static void trace_reset(void)
{
	memset(trace, 0, sizeof(trace));
	trace_length = 0;
}
static void note(int c) { trace[trace_length++] = (char)c; }
static int note_and_fail(long c)
{
	note((int)c);
	return -1;
}

TEST_PLAIN(deferred_calls_are_made_in_reverse_order_when_the_block_ends)
{
	trace_reset();
	{
		TUZA_DEFER(note, 'a');
		TUZA_DEFER(note, 'b');
		TUZA_DEFER(note, 'c');
		note('-');
	}
	CHECK_STR(trace, "-cba");
}

TEST_PLAIN(each_turn_of_a_loop_is_a_block)
{
	trace_reset();
	for (int i = 0; i < 3; i++) {
		TUZA_DEFER(note, 'a' + i);
		note('-');
	}
	CHECK_STR(trace, "-a-b-c");
}

static int leave_by(const char *how)
{
	for (;;) {
		TUZA_DEFER(note, 'l');
		if (strcmp(how, "break") == 0)
			break;
		if (strcmp(how, "goto") == 0)
			goto out;
		if (strcmp(how, "return") == 0)
			return 7;
		how = "break";
		continue;
	}
	return 0;
out:
	note('o');
	return 1;
}

TEST_PLAIN(break_continue_goto_and_return_make_the_calls)
{
	static const struct {
		const char *how, *trace;
	} ways[] = {{"break", "l"}, {"goto", "lo"}, {"return", "l"}, {"continue", "ll"}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		trace_reset();
		leave_by(ways[i].how);
		CHECK_STR(trace, ways[i].trace);
	}
}

// P1
TEST_PLAIN(function_and_argument_are_evaluated_at_the_statement)
{
	int c = 'a';
	void (*fn)(int) = note;

	trace_reset();
	{
		TUZA_DEFER(fn, c++);
		CHECK_EQ(c, 'b');
		c = 'z';
		fn = NULL;
	}
	CHECK_STR(trace, "a");
}

TEST_PLAIN(result_is_discarded_and_argument_converted_to_the_parameters_type)
{
	signed char c = 'x';

	trace_reset();
	{
		TUZA_DEFER(note_and_fail, c);
	}
	CHECK_STR(trace, "x");
}

static void *seen_pointer;
static void see_pointer(const void *p) { seen_pointer = (void *)(uintptr_t)p; }

TEST_PLAIN(pointer_argument_arrives_whole)
{
	void *high = (void *)(uintptr_t)0xfedcba9876543210u;

	{
		TUZA_DEFER(see_pointer, high);
	}
	CHECK(seen_pointer == high);
}

static void defer_nil(void *arg)
{
	void (*volatile nil)(int) = NULL;
	void (*fn)(int) = nil;

	(void)arg;
	TUZA_DEFER(note, 'o');
	TUZA_DEFER(fn, 1);
	note('-');
}

// P1
TEST_PLAIN(nil_function_panics_when_its_call_is_made)
{
	trace_reset();
	CHECK_PANICS("runtime error: invalid memory address or nil pointer dereference", defer_nil,
		NULL);
	CHECK_STR(trace, "-o");
}

TEST_PLAIN(errno_is_left_alone)
{
	errno = ERANGE;
	{
		TUZA_DEFER(see_pointer, NULL);
		CHECK_EQ(errno, ERANGE);
	}
	CHECK_EQ(errno, ERANGE);
}

static void count_call(int *calls) { ++*calls; }
static void defer_and_yield(void *arg)
{
	atomic_int *left = arg;

	for (int i = 0; i < 100; i++) {
		int calls = 0;
		{
			TUZA_DEFER(count_call, &calls);
			TUZA_DEFER(count_call, &calls);
			tuza_yield();
			CHECK_EQ(calls, 0);
		}
		CHECK_EQ(calls, 2);
	}
	atomic_fetch_sub(left, 1);
}

TEST(lists_of_goroutines_are_apart_when_they_switch_between_defer_and_call)
{
	atomic_int left = 8;

	for (int i = 0; i < 8; i++)
		CHECK_EQ(tuza_go(defer_and_yield, &left), 0);
	WAIT_UNTIL(atomic_load(&left) == 0);
}
