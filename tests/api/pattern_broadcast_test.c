// SPDX-License-Identifier: MIT
/*
 * Broadcast: every subscriber gets every value in one order, the slow ones as their policy says,
 * and coming and going never waits for anybody.
 */
#include "pattern_support.h"

static tuza_context *background;
__attribute__((constructor)) static void setup(void) { background = tuza_context_background(); }

static void send_number(tuza_broadcast *b, int n)
{
	CHECK_EQ(tuza_broadcast_send(b, background, &n), 0);
}

static void expect_numbers(tuza_subscription *s, int from, int n)
{
	int v;

	for (int i = from; i < from + n; i++)
		CHECK(tuza_chan_try_recv(tuza_subscription_chan(s), &v) == 0 && v == i);
	CHECK(tuza_chan_try_recv(tuza_subscription_chan(s), &v) != 0);
}

TEST(subscribers_get_what_is_sent_while_they_are_subscribed)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));

	send_number(b, 0);
	tuza_subscription *first = tuza_subscribe(b, 10, TUZA_SLOW_WAIT);
	send_number(b, 1);
	tuza_subscription *second = tuza_subscribe(b, 10, TUZA_SLOW_WAIT);
	send_number(b, 2);
	expect_numbers(first, 1, 2);
	expect_numbers(second, 2, 1);
	tuza_unsubscribe(first);
	send_number(b, 3);
	expect_numbers(second, 3, 1);
	CHECK_EQ(tuza_subscription_missed(second), 0);
	tuza_broadcast_free(b);
	CHECK(!tuza_recv(tuza_subscription_chan(second), (int *)NULL));
	tuza_unsubscribe(second);
}

struct listener {
	tuza_subscription *subscription;
	int got[400];
	int count;
	atomic_bool done;
};

static void listen(struct listener *l)
{
	int v;

	while (tuza_recv(tuza_subscription_chan(l->subscription), &v))
		l->got[l->count++] = v;
	tuza_unsubscribe(l->subscription);
	l->done = true;
}

static void send_numbers(tuza_broadcast *b, int from, int n, tuza_waitgroup *wg)
{
	for (int i = from; i < from + n; i++)
		send_number(b, i);
	tuza_waitgroup_done(wg);
}

TEST(all_see_the_same_order_of_many_senders)
{
	enum { LISTENERS = 4, SENDERS = 4 };
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	struct listener *l = calloc(LISTENERS, sizeof *l);
	tuza_waitgroup wg = {0};

	for (int i = 0; i < LISTENERS; i++) {
		l[i].subscription = tuza_subscribe(b, (size_t)i, TUZA_SLOW_WAIT);
		TUZA_GO(listen, &l[i]);
	}
	tuza_waitgroup_add(&wg, SENDERS);
	for (int i = 0; i < SENDERS; i++)
		TUZA_GO(send_numbers, b, i * 100, 100, &wg);
	tuza_waitgroup_wait(&wg);
	tuza_broadcast_free(b);
	for (int i = 0; i < LISTENERS; i++) {
		WAIT_UNTIL(l[i].done);
		CHECK_EQ(l[i].count, SENDERS * 100);
		CHECK(memcmp(l[i].got, l[0].got, sizeof l[0].got) == 0);
	}
	free(l);
}

// ---- slow subscribers ----------------------------------------------------------------------

TEST(slow_subscriber_is_treated_as_its_policy_says)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	tuza_subscription *skip = tuza_subscribe(b, 3, TUZA_SLOW_SKIP);
	tuza_subscription *oldest = tuza_subscribe(b, 3, TUZA_SLOW_DROP_OLDEST);
	tuza_subscription *out = tuza_subscribe(b, 3, TUZA_SLOW_UNSUBSCRIBE);
	tuza_subscription *unbuffered = tuza_subscribe(b, 0, TUZA_SLOW_DROP_OLDEST);
	int v;

	for (int i = 0; i < 10; i++)
		send_number(b, i);
	expect_numbers(skip, 0, 3);
	CHECK_EQ(tuza_subscription_missed(skip), 7);
	expect_numbers(oldest, 7, 3);
	CHECK_EQ(tuza_subscription_missed(oldest), 7);
	expect_numbers(out, 0, 3);
	CHECK_EQ(tuza_chan_try_recv(tuza_subscription_chan(out), &v), TUZA_ECLOSED);
	CHECK_EQ(tuza_subscription_missed(out), 1);
	CHECK_EQ(tuza_subscription_missed(unbuffered), 10);
	send_number(b, 10);
	expect_numbers(skip, 10, 1);
	expect_numbers(oldest, 10, 1);
	tuza_unsubscribe(skip);
	tuza_unsubscribe(oldest);
	tuza_unsubscribe(out);
	tuza_unsubscribe(unbuffered);
	tuza_broadcast_free(b);
}

struct sending {
	tuza_broadcast *broadcast;
	tuza_context *ctx;
	int value;
	atomic_bool returned;
	int code;
};

static void send_one(struct sending *s)
{
	s->code = tuza_broadcast_send(s->broadcast, s->ctx, &s->value);
	s->returned = true;
}

TEST(sender_waits_for_a_slow_subscriber_after_it_has_served_the_others)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	tuza_subscription *slow = tuza_subscribe(b, 0, TUZA_SLOW_WAIT);
	tuza_subscription *quick = tuza_subscribe(b, 1, TUZA_SLOW_WAIT);
	struct sending s = {.broadcast = b, .ctx = background, .value = 5};
	int v;

	TUZA_GO(send_one, &s);
	CHECK(tuza_recv(tuza_subscription_chan(quick), &v) && v == 5);
	CHECK(wait_parked("select", 1));
	CHECK(!s.returned);
	CHECK(tuza_recv(tuza_subscription_chan(slow), &v) && v == 5);
	WAIT_UNTIL(s.returned);
	CHECK_EQ(s.code, 0);
	tuza_unsubscribe(slow);
	tuza_unsubscribe(quick);
	tuza_broadcast_free(b);
}

// The one that the sender waits for may unsubscribe, and others may come and go meanwhile.
TEST(unsubscribing_ends_the_wait_of_the_sender)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	tuza_subscription *slow = tuza_subscribe(b, 0, TUZA_SLOW_WAIT);
	struct sending s = {.broadcast = b, .ctx = background, .value = 5};
	tuza_chan *chan = tuza_chan_retain(tuza_subscription_chan(slow));

	TUZA_GO(send_one, &s);
	CHECK(wait_parked("select", 1));
	tuza_unsubscribe(tuza_subscribe(b, 0, TUZA_SLOW_WAIT));
	CHECK(!s.returned);
	tuza_unsubscribe(slow);
	WAIT_UNTIL(s.returned);
	CHECK_EQ(s.code, 0);
	CHECK(!tuza_recv(chan, (int *)NULL));
	tuza_chan_release(chan);
	tuza_broadcast_free(b);
}

TEST(context_ends_the_wait_of_the_sender_and_of_those_behind_it)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_subscription *slow = tuza_subscribe(b, 0, TUZA_SLOW_WAIT);
	struct sending s[2] = {
		{.broadcast = b, .ctx = ctx, .value = 5}, {.broadcast = b, .ctx = ctx, .value = 6}};

	TUZA_GO(send_one, &s[0]);
	CHECK(wait_parked("select", 1));
	TUZA_GO(send_one, &s[1]);
	CHECK(wait_parked("sync.Mutex.Lock", 1));
	tuza_context_cancel(ctx);
	WAIT_UNTIL(s[0].returned && s[1].returned);
	CHECK_EQ(s[0].code, -ECANCELED);
	CHECK_EQ(s[1].code, -ECANCELED);
	CHECK_EQ(tuza_subscription_missed(slow), 1);
	CHECK_EQ(tuza_broadcast_send(b, ctx, &s[0].value), -ECANCELED);
	tuza_unsubscribe(slow);
	tuza_broadcast_free(b);
	tuza_context_free(ctx);
}

TEST(closed_broadcast_refuses_values_and_closes_late_subscribers)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	tuza_subscription *early = tuza_subscribe(b, 2, TUZA_SLOW_WAIT);
	int v = 1;

	send_number(b, 1);
	tuza_broadcast_close(b);
	tuza_broadcast_close(b);
	CHECK_EQ(tuza_broadcast_send(b, background, &v), TUZA_ECLOSED);
	tuza_subscription *late = tuza_subscribe(b, 2, TUZA_SLOW_WAIT);
	CHECK(!tuza_recv(tuza_subscription_chan(late), &v));
	CHECK(tuza_recv(tuza_subscription_chan(early), &v) && v == 1);
	CHECK(!tuza_recv(tuza_subscription_chan(early), &v));
	tuza_unsubscribe(late);
	tuza_broadcast_free(b);
	tuza_unsubscribe(early);
}

// ---- owners --------------------------------------------------------------------------------

static void owned_copy(void *elem)
{
	int **p = elem;

	*p = owned_new(**p);
}

TEST(owned_values_are_copied_for_each_and_dropped_where_not_received)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int *));
	tuza_context *ctx = tuza_context_with_cancel(background);
	tuza_subscription *s[4];
	int *p;

	tuza_broadcast_on_copy(b, owned_copy, owned_drop);
	for (int i = 0; i < 4; i++)
		s[i] = tuza_subscribe(b, 2, (tuza_slow_policy)i);
	for (int i = 0; i < 5; i++) {
		p = owned_new(i);
		if (i >= 2) // it waits for the one that waits, in vain
			tuza_context_cancel(ctx);
		CHECK_EQ(tuza_broadcast_send(b, ctx, &p), i < 2 ? 0 : -ECANCELED);
		owned_free(p);
	}
	tuza_unsubscribe(s[TUZA_SLOW_WAIT]);
	for (int i = 2; i < 6; i++) {
		p = owned_new(i);
		CHECK_EQ(tuza_broadcast_send(b, background, &p), 0);
		owned_free(p);
	}
	CHECK(tuza_recv(tuza_subscription_chan(s[TUZA_SLOW_SKIP]), &p));
	CHECK_EQ(owned_free(p), 0);
	CHECK(tuza_recv(tuza_subscription_chan(s[TUZA_SLOW_DROP_OLDEST]), &p));
	CHECK_EQ(owned_free(p), 4);
	for (int i = 1; i < 4; i++)
		tuza_unsubscribe(s[i]);
	tuza_broadcast_free(b);
	tuza_context_free(ctx);
	CHECK_EQ(owned_now, 0);
}

static void come_and_go(tuza_broadcast *b, unsigned seed, tuza_waitgroup *wg)
{
	for (int i = 0; i < 200; i++) {
		seed = seed * 1103515245 + 12345;
		tuza_subscription *s =
			tuza_subscribe(b, seed >> 16 & 3, (tuza_slow_policy)(seed >> 20 & 3));
		int *p;

		for (unsigned k = seed >> 24 & 3; k > 0; k--)
			switch (TUZA_SELECT(TUZA_RECV(tuza_subscription_chan(s), &p),
				TUZA_AFTER(TUZA_MILLISECOND / 10))) {
			case 0:
				if (p) // NULL: it was closed
					owned_free(p);
				break;
			}
		tuza_unsubscribe(s);
	}
	tuza_waitgroup_done(wg);
}

static void keep_sending(tuza_broadcast *b)
{
	int code;

	do {
		int *p = owned_new(1);
		code = tuza_broadcast_send(b, background, &p);
		owned_free(p);
		tuza_yield();
	} while (code == 0);
	CHECK_EQ(code, TUZA_ECLOSED);
}

TEST(subscribers_of_all_policies_come_and_go_under_fire)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int *));
	tuza_waitgroup visitors = {0}, senders = {0};

	tuza_broadcast_on_copy(b, owned_copy, owned_drop);
	for (int i = 0; i < 2; i++)
		tuza_waitgroup_go(&senders, (void (*)(void *))keep_sending, b);
	tuza_waitgroup_add(&visitors, 4);
	for (unsigned i = 0; i < 4; i++)
		TUZA_GO(come_and_go, b, i + 1, &visitors);
	tuza_waitgroup_wait(&visitors);
	tuza_broadcast_close(b);
	tuza_waitgroup_wait(&senders);
	tuza_broadcast_free(b);
	CHECK_EQ(owned_now, 0);
}

static void no_such_policy(void *b) { (void)!tuza_subscribe(b, 1, (tuza_slow_policy)7); }
static void too_large(void *unused)
{
	(void)unused;
	(void)!tuza_broadcast_new(65536);
}
static void no_context(void *b) { (void)tuza_broadcast_send(b, NULL, b); }

TEST(misuse_panics)
{
	tuza_broadcast *b = tuza_broadcast_new(0);

	CHECK_PANICS("tuza_subscribe: no such policy", no_such_policy, b);
	CHECK_PANICS("makechan: size out of range", too_large, NULL);
	CHECK_PANICS("nil context", no_context, b);
	CHECK_EQ(tuza_broadcast_send(b, background, NULL), 0);
	tuza_broadcast_free(b);
}
