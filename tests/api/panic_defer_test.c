// SPDX-License-Identifier: MIT
/*
 * Deferred calls: when they run, in which order, with which arguments. P1, P2.
 */
#include "../test.h"

#include <tuza/sync.h>

static char trace[256];

static void begin(void) { trace[0] = 0; }

static void note(const char *word) { strncat(trace, word, sizeof(trace) - strlen(trace) - 1); }

static void note_char(int c)
{
	char word[2] = {(char)c, 0};
	note(word);
}

static void three_in_a_row(void)
{
	TUZA_DEFER(note, "1");
	TUZA_DEFER(note, "2");
	TUZA_DEFER(note, "3");
	note("body ");
}

TEST(defers_run_in_reverse_order)
{
	begin();
	three_in_a_row();
	CHECK_STR(trace, "body 321");
}

TEST(defer_runs_when_its_block_is_left)
{
	begin();
	{
		TUZA_DEFER(note, "a");
		note("(");
		{
			TUZA_DEFER(note, "b");
			note("[");
		}
		note("]");
	}
	note(")");
	CHECK_STR(trace, "([b]a)");
}

TEST(defer_runs_at_each_turn_of_a_loop)
{
	begin();
	for (int i = 0; i < 6; i++) {
		TUZA_DEFER(note_char, '0' + i);
		if (i == 1)
			continue;
		if (i == 4)
			break;
		note(".");
	}
	CHECK_STR(trace, ".01.2.34");
}

static int leave(int how)
{
	TUZA_DEFER(note, "f");
	switch (how) {
	case 0: {
		TUZA_DEFER(note, "0");
		return 10;
	}
	case 1: {
		TUZA_DEFER(note, "1");
		break;
	}
	case 2: {
		TUZA_DEFER(note, "2");
		goto out;
	}
	}
	note("-");
out:
	note("o");
	return 20;
}

TEST(defer_runs_however_the_block_is_left)
{
	begin();
	CHECK_EQ(leave(0), 10);
	CHECK_STR(trace, "0f");
	begin();
	CHECK_EQ(leave(1), 20);
	CHECK_STR(trace, "1-of");
	begin();
	CHECK_EQ(leave(2), 20);
	CHECK_STR(trace, "2of");
	begin();
	CHECK_EQ(leave(3), 20);
	CHECK_STR(trace, "-of");
}

static int result_before_defers(int *value)
{
	TUZA_DEFER(note_char, *value);
	*value = 'z';
	return *value;
}

// P1: function and argument are those of the moment of the statement.
TEST(defer_evaluates_function_and_argument_now)
{
	void (*fn)(const char *) = note;
	const char *text = "then";
	int value = 'a';

	begin();
	{
		TUZA_DEFER(fn, text);
		TUZA_DEFER(note_char, value++);
		fn = NULL;
		text = "later";
	}
	CHECK_STR(trace, "athen");
	begin();
	CHECK_EQ(result_before_defers(&value), 'z');
	CHECK_STR(trace, "b");
	CHECK_EQ(value, 'z');
}

static long long seen;

static void take_char(char v) { seen = v; }
static void take_short(short v) { seen = v; }
static void take_unsigned_char(unsigned char v) { seen = v; }
static void take_unsigned(unsigned v) { seen = v; }
static void take_long(long v) { seen = v; }
static void take_unsigned_long(unsigned long long v) { seen = (long long)(v - 1); }
static void take_bool(bool v) { seen = v; }

TUZA_MUST_USE static int take_int_and_return(int v) // no warning: nobody could use it
{
	seen = v;
	return 5;
}
static double take_pointer_and_return(const int *v)
{
	seen = *v;
	return 1.0;
}

#define CHECK_DEFERRED(fn, x, want)                                                                \
	do {                                                                                       \
		seen = 12345;                                                                      \
		{                                                                                  \
			TUZA_DEFER(fn, x);                                                         \
			CHECK_EQ(seen, 12345);                                                     \
		}                                                                                  \
		CHECK_EQ(seen, want);                                                              \
	} while (0)

TEST(defer_takes_any_pointer_or_integer_function)
{
	int forty = 40;
	double two = 2.75;

	CHECK_DEFERRED(take_char, -3, (char)-3); // unsigned on AArch64
	CHECK_DEFERRED(take_short, -300, -300);
	CHECK_DEFERRED(take_unsigned_char, forty, 40);
	CHECK_DEFERRED(take_unsigned, UINT32_MAX, (long long)UINT32_MAX);
	CHECK_DEFERRED(take_long, INT64_MIN, INT64_MIN);
	CHECK_DEFERRED(take_unsigned_long, UINT64_MAX, -2);
	CHECK_DEFERRED(take_bool, &forty != NULL, 1);
	CHECK_DEFERRED(take_bool, two, 1); // converted as in a call
	CHECK_DEFERRED(take_long, two, 2);
	CHECK_DEFERRED(take_int_and_return, -1, -1);
	CHECK_DEFERRED(take_pointer_and_return, &forty, 40);
	CHECK_DEFERRED(&take_int_and_return, forty, 40);
}

static void finish(tuza_waitgroup *wg, tuza_mutex *mutex, int *shared)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	TUZA_LOCK(mutex);
	++*shared;
	tuza_yield();
}

static void lock_and_panic(void *mutex)
{
	TUZA_LOCK((tuza_mutex *)mutex);
	tuza_panic("while locked");
}

// What api users defer most.
TEST(defer_takes_the_usual_functions)
{
	tuza_waitgroup wg = {0};
	tuza_mutex mutex = {0};
	int fds[2], shared = 0;
	char c;

	CHECK_EQ(pipe(fds), 0);
	{
		TUZA_DEFER(close, fds[1]);
		FILE *file = fdopen(dup(fds[1]), "w");
		TUZA_DEFER(fclose, file);
		char *text = malloc(8);
		TUZA_DEFER(free, text);
		strcpy(text, "x");
		fputs(text, file);
	}
	CHECK_EQ(read(fds[0], &c, 1), 1);
	CHECK_EQ(read(fds[0], &c, 1), 0); // both writers are closed
	close(fds[0]);
	for (int i = 0; i < 50; i++) {
		tuza_waitgroup_add(&wg, 1);
		TUZA_GO(finish, &wg, &mutex, &shared);
	}
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(shared, 50);
	CHECK_PANICS("while locked", lock_and_panic, &mutex);
	if (CHECK(tuza_mutex_try_lock(&mutex)))
		tuza_mutex_unlock(&mutex);
}

static void middle(int n)
{
	TUZA_DEFER(note_char, 'm');
	for (int i = 0; i < 3; i++) {
		TUZA_DEFER(note_char, '0' + i);
		if (i == n) {
			TUZA_DEFER(note_char, 'i');
			tuza_panic("left at %d", i);
		}
	}
}

static void outermost(void *arg)
{
	TUZA_DEFER(note_char, 'o');
	middle(*(int *)arg);
	note("after");
}

// P3: from the innermost outwards; what already ran does not run again.
TEST(panic_runs_the_defers_of_all_frames_given_up)
{
	int n = 1;

	begin();
	{
		TUZA_DEFER(note_char, 'k'); // outside the try: stays
		CHECK_PANICS("left at 1", outermost, &n);
		CHECK_STR(trace, "0i1mo");
	}
	CHECK_STR(trace, "0i1mok");
	n = 9;
	begin();
	CHECK_EQ(tuza_try(outermost, &n, NULL), 0);
	CHECK_STR(trace, "012maftero");
}

static void defer_nested(const char *word)
{
	TUZA_DEFER(note, word);
	note("(");
	three_in_a_row();
	note(")");
}

static void panic_with_deferring_defers(void *arg)
{
	(void)arg;
	TUZA_DEFER(note, "z");
	TUZA_DEFER(defer_nested, "d");
	tuza_panic("x");
}

TEST(deferred_calls_may_defer)
{
	begin();
	CHECK_PANICS("x", panic_with_deferring_defers, NULL);
	CHECK_STR(trace, "(body 321)dz");
}

static void defer_park(tuza_chan *c)
{
	tuza_yield();
	tuza_chan_send(c, NULL);
	tuza_sleep(TUZA_MICROSECOND);
	note("p");
}

static void panic_and_park(void *c)
{
	TUZA_DEFER(defer_park, (tuza_chan *)c);
	tuza_panic("parking");
}

static void exit_and_park(tuza_chan *c)
{
	TUZA_DEFER(defer_park, c);
	TUZA_DEFER(defer_park, c);
	tuza_goexit();
}

static void recv_n(tuza_chan *c, int n)
{
	while (n-- > 0)
		tuza_chan_recv(c, NULL);
}

// A goroutine in the middle of a panic parks, moves to another thread and goes on with it.
TEST(deferred_calls_may_park)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	begin();
	TUZA_GO(recv_n, c, 3);
	CHECK_PANICS("parking", panic_and_park, c);
	TUZA_GO(exit_and_park, c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_STR(trace, "ppp");
	tuza_chan_release(c);
}

static void defer_to_depth(int n)
{
	TUZA_DEFER(note_char, n % 10 == 0 ? '.' : 0);
	if (n > 0)
		defer_to_depth(n - 1);
	if (n == 0)
		tuza_panic("deep");
}

static void start_deep(void *arg) { defer_to_depth(*(int *)arg); }

TEST(hundreds_of_frames_run_their_defers)
{
	int depth = 500;

	begin();
	CHECK_PANICS("deep", start_deep, &depth);
	CHECK_EQ(strlen(trace), 51);
}
