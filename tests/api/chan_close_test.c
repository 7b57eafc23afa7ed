// SPDX-License-Identifier: MIT
/*
 * Closing: who wakes with what, and what every later operation does. After Go's test/closedchan.go.
 */
#include "../test.h"

// ---- every form of receiving and sending ------------------------------------------------------

// Receives one int in some form: its value, and whether it came from a send.
typedef bool receive_form(tuza_chan *c, int *v);

static bool recv_sized(tuza_chan *c, int *v) { return tuza_recv(c, v); }
static bool recv_bare(tuza_chan *c, int *v) { return tuza_chan_recv(c, v); }

static bool recv_try(tuza_chan *c, int *v)
{
	int code = tuza_chan_try_recv(c, v);

	CHECK(code == 0 || code == TUZA_ECLOSED);
	return code == 0;
}

static bool recv_select(tuza_chan *c, int *v)
{
	bool ok = false;

	CHECK_EQ(TUZA_SELECT(TUZA_RECV_OK(c, v, &ok)), 0);
	return ok;
}

static bool recv_select_default(tuza_chan *c, int *v)
{
	bool ok = false;

	CHECK_EQ(TUZA_SELECT(TUZA_DEFAULT, TUZA_RECV_OK(c, v, &ok)), 1);
	return ok;
}

static bool recv_select_two(tuza_chan *c, int *v)
{
	bool ok = false;

	CHECK_EQ(TUZA_SELECT(TUZA_RECV((tuza_chan *)NULL, v), TUZA_RECV_OK(c, v, &ok)), 1);
	return ok;
}

static bool recv_select_ordered(tuza_chan *c, int *v)
{
	bool ok = false;
	tuza_select_case cases[] = {TUZA_RECV_OK(c, v, &ok), TUZA_DEFAULT};

	CHECK_EQ(tuza_select_ordered(cases, 2), 0);
	return ok;
}

static receive_form *const receive_forms[] = {
	recv_sized,
	recv_bare,
	recv_try,
	recv_select,
	recv_select_default,
	recv_select_two,
	recv_select_ordered,
};
enum { RECEIVE_FORMS = sizeof(receive_forms) / sizeof(receive_forms[0]) };

static void send_sized(void *c) { tuza_send(c, 1); }
static void send_bare(void *c) { tuza_chan_send(c, &(int){1}); }
static void send_try(void *c) { tuza_chan_try_send(c, &(int){1}); }
static void send_select(void *c) { TUZA_SELECT(TUZA_SEND(c, &(int){1})); }
static void send_select_default(void *c) { TUZA_SELECT(TUZA_SEND(c, &(int){1}), TUZA_DEFAULT); }

static void send_select_two(void *c)
{
	TUZA_SELECT(TUZA_RECV((tuza_chan *)NULL, (int *)NULL), TUZA_SEND(c, &(int){1}));
}

static void (*const send_forms[])(void *) = {
	send_sized,
	send_bare,
	send_try,
	send_select,
	send_select_default,
	send_select_two,
};
enum { SEND_FORMS = sizeof(send_forms) / sizeof(send_forms[0]) };

static void close_chan(void *c) { tuza_chan_close(c); }

// ---- tests -------------------------------------------------------------------------------------

// T2.18, C14: in every form, again and again.
TEST(every_form_of_receiving_drains_a_closed_channel)
{
	for (int form = 0; form < RECEIVE_FORMS; form++)
		for (int cap = 0; cap < 3; cap++) {
			tuza_chan *c = tuza_chan_new(sizeof(int), (size_t)cap);
			int v;

			for (int i = 0; i < cap; i++)
				tuza_send(c, 100 + i);
			tuza_chan_close(c);
			for (int i = 0; i < cap; i++, v = 0) {
				CHECK(receive_forms[form](c, &v));
				CHECK_EQ(v, 100 + i);
			}
			for (int i = 0; i < 10; i++) {
				v = 55;
				CHECK(!receive_forms[form](c, &v));
				CHECK_EQ(v, 0);
			}
			tuza_chan_release(c);
		}
}

// T2.18, C15, S6: also when the buffer has room.
TEST(every_form_of_sending_panics_on_a_closed_channel)
{
	for (int form = 0; form < SEND_FORMS; form++)
		for (size_t cap = 0; cap < 3; cap++) {
			tuza_chan *c = tuza_chan_new(sizeof(int), cap);

			tuza_chan_close(c);
			CHECK_PANICS("send on closed channel", send_forms[form], c);
			CHECK_PANICS("send on closed channel", send_forms[form], c);
			CHECK_EQ(tuza_chan_len(c), 0);
			tuza_chan_release(c);
		}
}

// T2.18, C16, C13.
TEST(second_close_and_close_of_null_panic)
{
	for (size_t cap = 0; cap < 3; cap++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);

		tuza_chan_close(c);
		CHECK_PANICS("close of closed channel", close_chan, c);
		CHECK_PANICS("close of closed channel", close_chan, c);
		tuza_chan_release(c);
	}
	CHECK_PANICS("close of nil channel", close_chan, NULL);
}

enum { WAITERS = 20 };
static atomic_int woken, woken_wrongly;

static void wait_for_close(tuza_chan *c, int form)
{
	int v = 9;

	if (receive_forms[form](c, &v) || v != 0)
		atomic_fetch_add(&woken_wrongly, 1);
	atomic_fetch_add(&woken, 1);
}

// C17: receivers that wait plainly, in a select, in a select of two.
TEST(close_wakes_all_receivers_with_zero_and_false)
{
	static const int waiting_forms[] = {0, 1, 3, 5};
	tuza_chan *c = tuza_chan_new(sizeof(int), 3);

	atomic_store(&woken, 0);
	for (int i = 0; i < WAITERS; i++)
		TUZA_GO(wait_for_close, c, waiting_forms[i % 4]);
	wait_parked("chan receive", WAITERS / 2);
	tuza_sleep(TUZA_MILLISECOND);
	CHECK_EQ(woken, 0);
	tuza_chan_close(c);
	WAIT_UNTIL(woken == WAITERS);
	CHECK_EQ(woken_wrongly, 0);
	tuza_chan_release(c);
}

static void send_until_panic(tuza_chan *c, int form)
{
	tuza_panic_info info;

	if (tuza_try(send_forms[form], c, &info) != TUZA_EPANIC ||
		strcmp(info.message, "send on closed channel") != 0)
		atomic_fetch_add(&woken_wrongly, 1);
	atomic_fetch_add(&woken, 1);
}

// C15, C17: the senders that wait panic; what the buffer holds is still received, and nothing of
// theirs.
TEST(close_panics_all_senders_that_wait)
{
	static const int waiting_forms[] = {0, 1, 3, 5};

	for (size_t cap = 0; cap < 3; cap++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), cap);
		int v = 0;

		atomic_store(&woken, 0);
		for (size_t i = 0; i < cap; i++)
			tuza_send(c, 77);
		for (int i = 0; i < WAITERS; i++)
			TUZA_GO(send_until_panic, c, waiting_forms[i % 4]);
		wait_parked("chan send", WAITERS / 2);
		CHECK_EQ(woken, 0);
		tuza_chan_close(c);
		WAIT_UNTIL(woken == WAITERS);
		for (size_t i = 0; i < cap; i++)
			CHECK(tuza_recv(c, &v) && v == 77);
		CHECK(!tuza_recv(c, &v));
		tuza_chan_release(c);
	}
	CHECK_EQ(woken_wrongly, 0);
}

static void close_after_send(tuza_chan *c, int *plain)
{
	*plain = 42;
	tuza_chan_close(c);
}

// C21: what was written before the close is seen after the receive that the close ends.
TEST(close_publishes_what_was_written_before)
{
	for (int i = 0; i < 500; i++) {
		tuza_chan *c = tuza_chan_new(0, 0);
		int plain = 0;

		TUZA_GO(close_after_send, c, &plain);
		CHECK(!tuza_chan_recv(c, NULL));
		CHECK_EQ(plain, 42);
		tuza_chan_release(c);
	}
}

static void close_it(tuza_chan *c) { tuza_chan_close(c); }

static void send_or_panic(void *c) { tuza_send(c, 1); }

static void send_once(tuza_chan *c, atomic_int *outcome)
{
	atomic_store(outcome, tuza_try(send_or_panic, c, NULL) == 0 ? 1 : 2);
}

// Checklist 19: send, close and receive at the same time; the value arrives if and only if the send
// did not panic.
TEST(send_against_close_against_receive_loses_nothing)
{
	for (int i = 0; i < 2000; i++) {
		tuza_chan *c = tuza_chan_new(sizeof(int), (size_t)i % 3);
		atomic_int outcome = 0;
		int v = 0;

		TUZA_GO(send_once, c, &outcome);
		TUZA_GO(close_it, c);
		bool ok = tuza_recv(c, &v);
		WAIT_UNTIL(outcome != 0);
		CHECK_EQ(outcome, ok ? 1 : 2);
		CHECK_EQ(v, ok ? 1 : 0);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		tuza_chan_release(c);
	}
}
