// SPDX-License-Identifier: MIT
/*
 * Select: which case is taken and what it does. After Go's test/chan/select*.go.
 */
#include "../test.h"

static tuza_chan *new_int_chan(size_t cap) { return tuza_chan_new(sizeof(int), cap); }

static void send_int(tuza_chan *c, int v) { tuza_send(c, v); }

// S2: with one case ready, that one, wherever it stands.
TEST(select_takes_the_ready_case)
{
	for (int ready = 0; ready < 4; ready++) {
		tuza_chan *c[4];
		int v[4] = {0};

		for (int i = 0; i < 4; i++)
			c[i] = new_int_chan(1);
		tuza_send(c[ready], 10 + ready);
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(c[0], &v[0]), TUZA_RECV(c[1], &v[1]),
				 TUZA_RECV(c[2], &v[2]), TUZA_RECV(c[3], &v[3])),
			ready);
		for (int i = 0; i < 4; i++) {
			CHECK_EQ(v[i], i == ready ? 10 + ready : 0);
			tuza_chan_release(c[i]);
		}
	}
}

// S2: with none ready the default, first, last or in between; with one ready never.
TEST(default_is_taken_only_when_nothing_is_ready)
{
	tuza_chan *c = new_int_chan(1), *full = new_int_chan(1);
	int v = 0, one = 1;

	tuza_send(full, 1);
	CHECK_EQ(TUZA_SELECT(TUZA_DEFAULT, TUZA_RECV(c, &v), TUZA_SEND(full, &one)), 0);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &v), TUZA_DEFAULT, TUZA_SEND(full, &one)), 1);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &v), TUZA_SEND(full, &one), TUZA_DEFAULT), 2);
	CHECK_EQ(TUZA_SELECT(TUZA_DEFAULT), 0);
	CHECK_EQ(tuza_chan_len(full), 1);
	for (int i = 0; i < 1000; i++) {
		tuza_send(c, i);
		CHECK_EQ(TUZA_SELECT(TUZA_DEFAULT, TUZA_RECV(c, &v)), 1);
		CHECK_EQ(v, i);
	}
	tuza_chan_release(c);
	tuza_chan_release(full);
}

// T2.7, S3: cases on NULL are skipped, so that setting a channel to NULL disables its case.
TEST(null_channels_are_never_chosen)
{
	tuza_chan *null = NULL, *a = new_int_chan(1), *b = new_int_chan(1);
	int counter = 0, v = 0;

	for (int i = 0; i < 10; i++) {
		int x = counter;
		CHECK_EQ(
			TUZA_SELECT(TUZA_SEND(null, &x), TUZA_SEND(a, &x), TUZA_RECV(null, &v)), 1);
		counter++;
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(null, &v), TUZA_RECV(b, &v), TUZA_RECV(a, &v)), 2);
		CHECK_EQ(v, i);
	}
	CHECK_EQ(counter, 10);
	tuza_chan_release(a);
	tuza_chan_release(b);
}

// C15, C18: ok, and what a closed channel gives, beside cases that wait.
TEST(closed_channel_is_always_ready_to_receive)
{
	tuza_chan *idle = new_int_chan(0), *closed = new_int_chan(2);
	int v = 0;
	bool ok = false;

	tuza_send(closed, 8);
	tuza_chan_close(closed);
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, &v), TUZA_RECV_OK(closed, &v, &ok)), 1);
	CHECK(ok && v == 8);
	for (int i = 0; i < 10; i++) {
		v = 9;
		ok = true;
		CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, &v), TUZA_RECV_OK(closed, &v, &ok)), 1);
		CHECK(!ok && v == 0);
	}
	tuza_chan_release(idle);
	tuza_chan_release(closed);
}

// T2.10: what belongs to the cases not taken stays untouched, when it waited too.
TEST(cases_not_taken_change_nothing)
{
	for (int waits = 0; waits < 2; waits++) {
		tuza_chan *a = new_int_chan(0), *b = new_int_chan(0), *c = new_int_chan(0);
		int va = 100, vb = 200, vc = 300;
		bool ok_a = true, ok_b = false;

		TUZA_GO(send_int, b, 7);
		if (!waits)
			wait_parked("chan send", 1);
		CHECK_EQ(TUZA_SELECT(TUZA_RECV_OK(a, &va, &ok_a), TUZA_RECV_OK(b, &vb, &ok_b),
				 TUZA_SEND(c, &vc)),
			1);
		CHECK(va == 100 && vb == 7 && vc == 300 && ok_a && ok_b);
		CHECK_EQ(tuza_chan_try_send(a, &va), -EAGAIN); // nobody waits there any more
		CHECK_EQ(tuza_chan_try_recv(c, &vc), -EAGAIN);
		tuza_chan_release(a);
		tuza_chan_release(b);
		tuza_chan_release(c);
	}
}

static void select_two(tuza_chan *in, tuza_chan *out, atomic_int *result)
{
	int v = 0, five = 5;
	int i = TUZA_SELECT(TUZA_RECV(in, &v), TUZA_SEND(out, &five));

	atomic_store(result, i == 0 ? v : -5);
}

// S8: whoever comes to a select that waits does the operation of its case, and of no other.
TEST(select_that_waits_is_served_by_either_case)
{
	for (int by_send = 0; by_send < 2; by_send++) {
		tuza_chan *in = new_int_chan(0), *out = new_int_chan(0);
		atomic_int result = 0;
		int v = 0;

		TUZA_GO(select_two, in, out, &result);
		wait_parked("select", 1);
		if (by_send)
			tuza_send(in, 12);
		else
			CHECK(tuza_recv(out, &v) && v == 5);
		WAIT_UNTIL(result != 0);
		CHECK_EQ(result, by_send ? 12 : -5);
		CHECK_EQ(tuza_chan_try_recv(out, &v), -EAGAIN);
		CHECK_EQ(tuza_chan_try_send(in, &v), -EAGAIN);
		tuza_chan_release(in);
		tuza_chan_release(out);
	}
}

// S4: one channel in many cases; whichever fires, it fires once.
TEST(channel_may_appear_in_many_cases)
{
	tuza_chan *c = new_int_chan(0);
	int v[3], taken[3] = {0};

	for (int i = 0; i < 300; i++) {
		TUZA_GO(send_int, c, i);
		memset(v, -1, sizeof(v));
		int which =
			TUZA_SELECT(TUZA_RECV(c, &v[0]), TUZA_RECV(c, &v[1]), TUZA_RECV(c, &v[2]));
		taken[which]++;
		for (int k = 0; k < 3; k++)
			CHECK_EQ(v[k], k == which ? i : -1);
	}
	CHECK_EQ(taken[0] + taken[1] + taken[2], 300);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}

// S10: break leaves the switch only.
TEST(break_leaves_the_switch_and_not_the_loop)
{
	tuza_chan *c = new_int_chan(3);
	int turns = 0, v = 0;

	for (int i = 1; i <= 3; i++)
		tuza_send(c, i);
	for (; turns < 3; turns++) {
		switch (TUZA_SELECT(TUZA_RECV(c, &v), TUZA_DEFAULT)) {
		case 0:
			if (v == 2)
				break;
			continue;
		case 1:
			CHECK(false);
		}
		CHECK_EQ(turns, 1);
	}
	CHECK_EQ(turns, 3);
	tuza_chan_release(c);
}

static void select_too_many(void *arg)
{
	tuza_select_case *cases = arg;
	tuza_select(cases, 65537);
}

static void select_two_defaults(void *arg)
{
	(void)arg;
	TUZA_SELECT(TUZA_DEFAULT, TUZA_DEFAULT);
}

static void select_ordered_two_defaults(void *arg)
{
	tuza_select_case cases[] = {TUZA_DEFAULT, TUZA_DEFAULT};

	(void)arg;
	tuza_select_ordered(cases, 2);
}

// S7, S9: up to 65536 cases.
TEST(select_takes_up_to_65536_cases)
{
	tuza_select_case *cases = calloc(65537, sizeof(*cases));
	tuza_chan *c = new_int_chan(1), *idle = new_int_chan(0);
	int v = 0;

	for (int i = 0; i <= 65536; i++)
		cases[i] = TUZA_RECV(i == 40000 ? c : i % 5 ? NULL : idle, &v);
	tuza_send(c, 3);
	CHECK_EQ(tuza_select(cases, 65536), 40000);
	CHECK_EQ(v, 3);
	TUZA_GO(send_int, c, 4);
	CHECK_EQ(tuza_select(cases, 65536), 40000);
	CHECK_EQ(v, 4);
	tuza_send(c, 5);
	CHECK_EQ(tuza_select_ordered(cases, 65536), 40000);
	CHECK_PANICS("tuza_select: too many cases (max 65536)", select_too_many, cases);
	CHECK_PANICS("tuza_select: multiple default cases", select_two_defaults, NULL);
	CHECK_PANICS("tuza_select: multiple default cases", select_ordered_two_defaults, NULL);
	free(cases);
	tuza_chan_release(c);
	tuza_chan_release(idle);
}

// Asked for, never given in Go: the first of several ready ones.
TEST(ordered_select_takes_the_first_ready_case)
{
	tuza_chan *urgent = new_int_chan(100), *normal = new_int_chan(100);
	int v = 0;

	for (int i = 0; i < 100; i++) {
		tuza_send(normal, i);
		if (i % 3 == 0)
			tuza_send(urgent, i);
	}
	for (int i = 0; i < 134; i++) {
		tuza_select_case cases[] = {
			TUZA_RECV(urgent, &v), TUZA_RECV(normal, &v), TUZA_DEFAULT};
		CHECK_EQ(tuza_select_ordered(cases, 3), i < 34 ? 0 : 1);
	}
	tuza_select_case cases[] = {TUZA_RECV(urgent, &v), TUZA_RECV(normal, &v)};
	TUZA_GO(send_int, normal, 1234);
	CHECK_EQ(tuza_select_ordered(cases, 2), 1);
	CHECK_EQ(v, 1234);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(urgent);
	tuza_chan_release(normal);
}

static int evaluated;

static tuza_chan *count_chan(tuza_chan *c)
{
	evaluated++;
	return c;
}

static int *count_value(int *v)
{
	evaluated += 10;
	return v;
}

// S1, rule 3: also the cases that are not taken.
TEST(channels_and_values_are_evaluated_once)
{
	tuza_chan *full = new_int_chan(1), *room = new_int_chan(1);
	int v = 7, w = 0;
	bool ok;

	tuza_send(full, 1);
	evaluated = 0;
	int i = TUZA_SELECT(TUZA_SEND(count_chan(full), count_value(&v)),
		TUZA_RECV(count_chan(NULL), count_value(&w)),
		TUZA_RECV_OK(count_chan(room), count_value(&w), &ok),
		TUZA_SEND(count_chan(room), count_value(&v)), TUZA_AFTER(TUZA_MINUTE));
	CHECK_EQ(i, 3);
	CHECK_EQ(evaluated, 44);
	evaluated = 0;
	CHECK(tuza_recv(count_chan(room), count_value(&w)));
	CHECK_EQ(w, 7);
	tuza_send(count_chan(room), *count_value(&v));
	CHECK_EQ(evaluated, 22);
	tuza_chan_release(full);
	tuza_chan_release(room);
}
