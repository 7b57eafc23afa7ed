// SPDX-License-Identifier: MIT
/*
 * Select against everything else that happens to its channels at the same time. After Go's
 * runtime/chan_test.go and test/chan/{doubleselect,select6}.go, and what other runtimes got wrong.
 */
#include "../test.h"

static tuza_chan *new_int_chan(size_t cap) { return tuza_chan_new(sizeof(int), cap); }

static void try_recv_and_tell(tuza_chan *c, tuza_chan *missed)
{
	int v;
	bool empty = tuza_chan_try_recv(c, &v) == -EAGAIN;

	tuza_send(missed, empty);
}

// T1.8, C19: the channel holds a value or is closed at every instant, so a non-blocking receive
// finds something.
TEST(non_blocking_receive_never_misses_a_channel_that_is_always_ready)
{
	for (int i = 0; i < 10000; i++) {
		tuza_chan *c = new_int_chan(1), *missed = tuza_chan_new(sizeof(bool), 1);
		bool was_missed = true;

		tuza_send(c, 1);
		TUZA_GO(try_recv_and_tell, c, missed);
		tuza_chan_close(c);
		tuza_recv(c, (int *)NULL);
		CHECK(tuza_recv(missed, &was_missed) && !was_missed);
		tuza_chan_release(c);
		tuza_chan_release(missed);
	}
}

static void select_and_tell(tuza_chan *c1, tuza_chan *c2, tuza_chan *missed)
{
	bool none = TUZA_SELECT(TUZA_RECV(c1, NULL), TUZA_RECV(c2, NULL), TUZA_DEFAULT) == 2;

	tuza_send(missed, none);
}

// T1.9, T1.10, S5: one of the two channels is ready at every instant, so the default is never
// taken.
TEST(select_never_takes_default_while_one_channel_is_always_ready)
{
	for (int i = 0; i < 20000; i++) {
		tuza_chan *c1 = new_int_chan(1), *c2 = new_int_chan(1);
		tuza_chan *missed = tuza_chan_new(sizeof(bool), 1);
		bool was_missed = true;

		tuza_send(c1, 1);
		TUZA_GO(select_and_tell, c1, c2, missed);
		if (i % 2 == 0)
			tuza_send(c2, 1);
		else
			tuza_chan_close(c2);
		(void)TUZA_SELECT(TUZA_RECV(c1, NULL), TUZA_DEFAULT);
		CHECK(tuza_recv(missed, &was_missed) && !was_missed);
		tuza_chan_release(c1);
		tuza_chan_release(c2);
		tuza_chan_release(missed);
	}
}

static void select_on_itself(tuza_chan *c, int me, bool buffered, atomic_int *ended)
{
	for (int i = 0; i < 1000; i++) {
		int v = -1;

		if (i % 2 == me % 2)
			(void)TUZA_SELECT(TUZA_SEND(c, &me), TUZA_RECV(c, &v));
		else
			(void)TUZA_SELECT(TUZA_RECV(c, &v), TUZA_SEND(c, &me));
		CHECK(v != me || buffered);
	}
	atomic_fetch_add(ended, 1);
}

// T1.11, S4: two selects, each with both directions of one channel; nobody receives his own value.
TEST(selects_on_both_ends_of_one_channel_meet_each_other_only)
{
	for (size_t cap = 0; cap <= 10; cap += 10) {
		tuza_chan *c = new_int_chan(cap);
		atomic_int ended = 0;
		int v;

		TUZA_GO(select_on_itself, c, 0, cap > 0, &ended);
		TUZA_GO(select_on_itself, c, 1, cap > 0, &ended);
		WAIT_UNTIL(ended == 2);
		while (tuza_chan_try_recv(c, &v) == 0)
			;
		tuza_chan_release(c);
	}
}

enum { CHANNELS = 4, OPERATIONS = 10000 };

static void send_only(tuza_chan *c)
{
	for (int i = 0; i < OPERATIONS; i++)
		tuza_send(c, 1);
}

static void recv_only(tuza_chan *c)
{
	for (int i = 0; i < OPERATIONS; i++)
		tuza_recv(c, (int *)NULL);
}

static void select_send_all(tuza_chan *a, tuza_chan *b, tuza_chan *c, tuza_chan *d)
{
	tuza_chan *chans[CHANNELS] = {a, b, c, d};
	int n[CHANNELS] = {0}, one = 1;

	for (int i = 0; i < CHANNELS * OPERATIONS; i++) {
		int k = TUZA_SELECT(TUZA_SEND(chans[3], &one), TUZA_SEND(chans[2], &one),
			TUZA_SEND(chans[0], &one), TUZA_SEND(chans[1], &one));
		static const int which[CHANNELS] = {3, 2, 0, 1};
		if (++n[which[k]] == OPERATIONS)
			chans[which[k]] = NULL;
	}
}

static void select_recv_all(tuza_chan *a, tuza_chan *b, tuza_chan *c, tuza_chan *d)
{
	tuza_chan *chans[CHANNELS] = {a, b, c, d};
	int n[CHANNELS] = {0};

	for (int i = 0; i < CHANNELS * OPERATIONS; i++) {
		int k = TUZA_SELECT(TUZA_RECV(chans[0], NULL), TUZA_RECV(chans[1], NULL),
			TUZA_RECV(chans[2], NULL), TUZA_RECV(chans[3], NULL));
		if (++n[k] == OPERATIONS)
			chans[k] = NULL;
	}
}

// T1.12: dedicated senders and receivers, one select that sends to all and one that receives from
// all.
TEST(selects_and_plain_operations_finish_together)
{
	static const size_t caps[CHANNELS] = {0, 0, 2, 3};
	tuza_chan *c[CHANNELS];

	for (int i = 0; i < CHANNELS; i++) {
		c[i] = new_int_chan(caps[i]);
		TUZA_GO(send_only, c[i]);
		TUZA_GO(recv_only, c[i]);
	}
	TUZA_GO(select_send_all, c[0], c[1], c[2], c[3]);
	TUZA_GO(select_recv_all, c[0], c[1], c[2], c[3]);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	for (int i = 0; i < CHANNELS; i++) {
		CHECK_EQ(tuza_chan_len(c[i]), 0);
		tuza_chan_release(c[i]);
	}
}

static void select_twice_on_c(tuza_chan *c, tuza_chan *d, tuza_chan *e)
{
	int i = TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_RECV(d, NULL), TUZA_RECV(c, NULL));

	CHECK_EQ(i, 1);
	tuza_chan_send(e, NULL);
}

static void recv_and_tell(tuza_chan *c, tuza_chan *e)
{
	CHECK(tuza_chan_recv(c, NULL));
	tuza_chan_send(e, NULL);
}

// T1.18: a select that has one channel twice leaves the queue of that channel intact when another
// case wins.
TEST(duplicate_channel_does_not_corrupt_the_queue)
{
	for (int i = 0; i < 20; i++) {
		tuza_chan *c = tuza_chan_new(0, 0), *d = tuza_chan_new(0, 0);
		tuza_chan *e = tuza_chan_new(0, 0);

		TUZA_GO(select_twice_on_c, c, d, e);
		wait_parked("select", 1);
		TUZA_GO(recv_and_tell, c, e);
		wait_parked("chan receive", 1);
		tuza_chan_send(d, NULL);
		tuza_chan_recv(e, NULL);
		tuza_chan_send(c, NULL);
		tuza_chan_recv(e, NULL);
		tuza_chan_release(c);
		tuza_chan_release(d);
		tuza_chan_release(e);
	}
}

enum { SENDS = 50000 };

static void send_to_any(tuza_chan *a, tuza_chan *b, tuza_chan *c, tuza_chan *d)
{
	for (int i = 0; i < SENDS; i++)
		(void)TUZA_SELECT(
			TUZA_SEND(a, &i), TUZA_SEND(b, &i), TUZA_SEND(c, &i), TUZA_SEND(d, &i));
	tuza_chan_close(a);
	tuza_chan_close(b);
	tuza_chan_close(c);
	tuza_chan_close(d);
}

static void forward(tuza_chan *in, tuza_chan *out, atomic_int *left)
{
	int v;

	while (tuza_recv(in, &v))
		tuza_send(out, v);
	if (atomic_fetch_sub(left, 1) == 1)
		tuza_chan_close(out);
}

// T2.1: the two sides of a select never both fire; every value arrives once.
TEST(one_select_never_delivers_twice)
{
	tuza_chan *c[CHANNELS], *all = new_int_chan(0);
	unsigned char *seen = calloc(1, SENDS);
	atomic_int left = CHANNELS;
	int v, wrong = 0;

	for (int i = 0; i < CHANNELS; i++) {
		c[i] = new_int_chan(0);
		TUZA_GO(forward, c[i], all, &left);
	}
	TUZA_GO(send_to_any, c[0], c[1], c[2], c[3]);
	while (tuza_recv(all, &v))
		if (CHECK(v >= 0 && v < SENDS))
			seen[v]++;
	for (int i = 0; i < SENDS; i++)
		wrong += seen[i] != 1;
	CHECK_EQ(wrong, 0);
	free(seen);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(all);
	for (int i = 0; i < CHANNELS; i++)
		tuza_chan_release(c[i]);
}

static void select_recv_two(tuza_chan *a, tuza_chan *b, atomic_int *got)
{
	int v = 0;

	(void)TUZA_SELECT(TUZA_RECV(a, &v), TUZA_RECV(b, &v));
	atomic_fetch_add(got, v);
}

static void recv_int(tuza_chan *c, atomic_int *got)
{
	int v = 0;

	tuza_recv(c, &v);
	atomic_fetch_add(got, v);
}

// T2.12: the case of a select that lost leaves the others who wait on that channel where they are.
TEST(losing_case_leaves_other_waiters_in_the_queue)
{
	tuza_chan *a = new_int_chan(0), *b = new_int_chan(0);
	atomic_int first = 0, selected = 0, last = 0;

	TUZA_GO(recv_int, a, &first);
	wait_parked("chan receive", 1);
	TUZA_GO(select_recv_two, a, b, &selected);
	wait_parked("select", 1);
	TUZA_GO(recv_int, a, &last);
	wait_parked("chan receive", 2);
	tuza_send(b, 1);
	WAIT_UNTIL(selected == 1);
	tuza_send(a, 2);
	tuza_send(a, 3);
	WAIT_UNTIL(first == 2 && last == 3);
	tuza_chan_release(a);
	tuza_chan_release(b);
}

static void close_two(tuza_chan *a, tuza_chan *b)
{
	tuza_chan_close(a);
	tuza_chan_close(b);
}

// Checklist 16, 18: closes race with a select of two that may already have returned; its waiters
// are gone by then.
TEST(close_does_not_signal_a_select_that_has_returned)
{
	for (int i = 0; i < 5000; i++) {
		tuza_chan *a = new_int_chan(0), *b = new_int_chan(0);
		int v = 1;
		bool ok = true;

		TUZA_GO(close_two, a, b);
		(void)TUZA_SELECT(TUZA_RECV_OK(a, &v, &ok), TUZA_RECV_OK(b, &v, &ok));
		CHECK(!ok && v == 0);
		CHECK(!tuza_recv(a, &v) && !tuza_recv(b, &v));
		tuza_chan_release(a);
		tuza_chan_release(b);
	}
}

// Checklist 17: selects and plain receivers compete; no value and no receiver is left stranded.
TEST(select_and_plain_receivers_strand_nobody)
{
	static const int one = 1, ten = 10, hundred = 100;

	for (int i = 0; i < 2000; i++) {
		tuza_chan *a = new_int_chan(0), *b = new_int_chan(0);
		atomic_int got = 0;

		TUZA_GO(select_recv_two, a, b, &got);
		TUZA_GO(recv_int, a, &got);
		TUZA_GO(recv_int, b, &got);
		TUZA_GO(tuza_chan_send, a, &one);
		TUZA_GO(tuza_chan_send, b, &ten);
		while (got != 11)
			tuza_yield();
		// One receiver is left: on a, on b or on both.
		(void)TUZA_SELECT(TUZA_SEND(a, &hundred), TUZA_SEND(b, &hundred));
		WAIT_UNTIL(got == 111);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		tuza_chan_release(a);
		tuza_chan_release(b);
	}
}

static void give_or_quit(tuza_chan *result, tuza_chan *quit)
{
	int v = 7;

	(void)TUZA_SELECT(TUZA_SEND(result, &v), TUZA_RECV(quit, NULL));
}

// The time may be up at any instant between a look at the channels and the wait: then others fire
// the timer, and the select does not begin to wait.
TEST(select_whose_time_is_up_as_it_begins_to_wait_ends)
{
	tuza_chan *c = new_int_chan(0);
	int64_t end = tuza_now() + 300 * TUZA_MILLISECOND;

	for (int i = 0; tuza_now() < end; i++)
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_AFTER(100 + i * 37 % 2000)), 1);
	tuza_chan_release(c);
}

// What lay there may be read no more.
static __attribute__((noinline)) void overwrite_stack(void)
{
	volatile char bytes[2000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)0xf3;
}

static void wait_for_time_alone(int self, int64_t end, atomic_int *left)
{
	for (int i = self; tuza_now() < end; i++) {
		CHECK_EQ(TUZA_SELECT(TUZA_AFTER(100 + i * 37 % 2000)), 0);
		overwrite_stack();
	}
	atomic_fetch_sub(left, 1);
}

// Without a channel nothing holds the goroutine back once the time is up: it may go on before the
// thread that began the wait is done with it.
TEST(select_with_a_time_alone_may_go_on_at_once)
{
	enum { MANY = 20 };
	atomic_int left = MANY;
	int64_t end = tuza_now() + 300 * TUZA_MILLISECOND;

	for (int i = 0; i < MANY; i++)
		TUZA_GO(wait_for_time_alone, i * 100, end, &left);
	WAIT_UNTIL(left == 0);
}

// Rule 1: once the result was received, the select touches neither channel, though its goroutine
// may not have run again. (AddressSanitizer and valgrind watch.)
TEST(channels_of_a_select_may_go_once_its_effect_was_seen)
{
	for (int i = 0; i < 3000; i++) {
		tuza_chan *result = new_int_chan(0), *quit = tuza_chan_new(0, 0);
		int v = 0;

		TUZA_GO(give_or_quit, result, quit);
		if (i % 3 == 0)
			tuza_yield();
		CHECK(tuza_recv(result, &v) && v == 7);
		tuza_chan_release(quit);
		tuza_chan_release(result);
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static void release(void *c) { tuza_chan_release(c); }

TEST(release_under_a_select_that_waits_panics)
{
	tuza_chan *a = new_int_chan(0), *b = tuza_chan_new(0, 0);
	int v = 0;

	TUZA_GO(give_or_quit, a, b);
	wait_parked("select", 1);
	CHECK_PANICS("tuza: release of a channel that a goroutine waits on", release, b);
	CHECK(tuza_recv(a, &v) && v == 7);
	tuza_chan_release(b);
	tuza_chan_release(a);
}
