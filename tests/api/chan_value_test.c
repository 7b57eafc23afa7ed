// SPDX-License-Identifier: MIT
/*
 * What travels through a channel: values of every size, rvalues, nothing at all; and how often the
 * macros evaluate.
 */
#include "../test.h"

struct job {
	int id;
	double weight;
	char name[20];
};

struct large {
	unsigned char bytes[5000];
};

// Rule 3: the macros take rvalues, structs and literals.
TEST(send_takes_any_expression_of_the_right_size)
{
	tuza_chan *ints = tuza_chan_new(sizeof(int), 4);
	tuza_chan *jobs = tuza_chan_new(sizeof(struct job), 1);
	tuza_chan *texts = tuza_chan_new(sizeof(const char *), 1);
	tuza_chan *doubles = tuza_chan_new(sizeof(double), 1);
	struct job job;
	const char *text = NULL;
	double d = 0;
	int v = 0, two = 2;

	tuza_send(ints, 1);
	tuza_send(ints, two);
	tuza_send(ints, two + 1);
	tuza_send(jobs, (struct job){4, 0.5, "four"});
	tuza_send(texts, (const char *)"five");
	tuza_send(doubles, 6.5);
	for (int i = 1; i <= 3; i++)
		CHECK(tuza_recv(ints, &v) && v == i);
	CHECK(tuza_recv(jobs, &job));
	CHECK(job.id == 4 && job.weight == 0.5);
	CHECK_STR(job.name, "four");
	CHECK(tuza_recv(texts, &text));
	CHECK_STR(text, "five");
	CHECK(tuza_recv(doubles, &d) && d == 6.5);
	tuza_chan_release(ints);
	tuza_chan_release(jobs);
	tuza_chan_release(texts);
	tuza_chan_release(doubles);
}

// Rule 3.
TEST(macros_evaluate_each_argument_once)
{
	tuza_chan *chans[2] = {tuza_chan_new(sizeof(int), 8), tuza_chan_new(sizeof(int), 8)};
	int out[4] = {0}, value = 10, c = 0, o = 0;

	tuza_send(chans[c++], value++);
	CHECK(c == 1 && value == 11);
	c = 0;
	CHECK(tuza_recv(chans[c++], &out[o++]));
	CHECK(c == 1 && o == 1 && out[0] == 10);
	c = o = 0;
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(chans[c++], &out[o++]), TUZA_DEFAULT), 1);
	CHECK(c == 1 && o == 1);
	tuza_chan_release(chans[0]);
	tuza_chan_release(chans[1]);
}

// C10: a value is copied at the send; the sender's variable is its own again afterwards.
TEST(value_is_copied_when_sent)
{
	tuza_chan *c = tuza_chan_new(sizeof(struct job), 2);
	struct job job = {1, 1.0, "one"}, got;

	tuza_send(c, job);
	job.id = 2;
	tuza_send(c, job);
	job.id = 3;
	CHECK(tuza_recv(c, &got) && got.id == 1);
	CHECK(tuza_recv(c, &got) && got.id == 2);
	tuza_chan_release(c);
}

static void send_large(tuza_chan *c, int n)
{
	for (int i = 0; i < n; i++) {
		struct large v;
		memset(v.bytes, i, sizeof(v.bytes));
		tuza_send(c, v);
	}
}

// C10, T1.17: the value goes straight from one waiting goroutine's stack to another's, whole.
TEST(large_values_arrive_whole_through_any_capacity)
{
	for (size_t cap = 0; cap < 4; cap++) {
		tuza_chan *c = tuza_chan_new(sizeof(struct large), cap);
		static struct large v;

		TUZA_GO(send_large, c, 50);
		for (int i = 0; i < 50; i++) {
			if (i % 8 == 0)
				tuza_sleep(200 * TUZA_MICROSECOND); // let the sender wait, not us
			CHECK(tuza_recv(c, &v));
			int wrong = 0;
			for (size_t k = 0; k < sizeof(v.bytes); k++)
				wrong += v.bytes[k] != i;
			CHECK_EQ(wrong, 0);
		}
		tuza_chan_release(c);
	}
}

// The bytes beside the value stay as they are, for every odd size.
TEST(recv_writes_exactly_the_size_of_a_value)
{
	for (size_t bytes = 1; bytes <= 70; bytes++) {
		tuza_chan *c = tuza_chan_new(bytes, 1);
		unsigned char in[72], out[72];

		memset(in, 0x11, sizeof(in));
		memset(out, 0xee, sizeof(out));
		tuza_chan_send(c, in);
		CHECK(tuza_chan_recv(c, out + 1));
		CHECK(out[0] == 0xee && out[1] == 0x11);
		CHECK(out[bytes] == 0x11 && out[bytes + 1] == 0xee);
		tuza_chan_close(c);
		CHECK(!tuza_chan_recv(c, out + 1));
		CHECK(out[0] == 0xee && out[1] == 0);
		CHECK(out[bytes] == 0 && out[bytes + 1] == 0xee);
		tuza_chan_release(c);
	}
}

static void send_nothing(tuza_chan *c, int n)
{
	for (int i = 0; i < n; i++)
		tuza_chan_send(c, NULL);
	tuza_chan_close(c);
}

// C2, T2.14: chan struct{}; values carry nothing, their pointers may be NULL.
TEST(channel_of_nothing_counts)
{
	for (size_t cap = 0; cap < 3; cap++) {
		tuza_chan *c = tuza_chan_new(0, cap);
		int n = 0;

		TUZA_GO(send_nothing, c, 100);
		while (tuza_chan_recv(c, NULL))
			n++;
		CHECK_EQ(n, 100);
		tuza_chan_release(c);
	}
}

// C2: a buffer of nothing takes no memory however large, as make(chan struct{}, 1<<40).
TEST(channel_of_nothing_may_be_huge)
{
	tuza_chan *c = tuza_chan_new(0, (size_t)1 << 40);
	char untouched = 'u';

	for (int i = 0; i < 1000; i++)
		tuza_chan_send(c, &untouched);
	CHECK_EQ(tuza_chan_len(c), 1000);
	CHECK_EQ(tuza_chan_cap(c), (size_t)1 << 40);
	CHECK(tuza_chan_recv(c, &untouched));
	CHECK_EQ(untouched, 'u');
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_DEFAULT), 0);
	CHECK_EQ(tuza_chan_len(c), 998);
	tuza_chan_release(c);
}

static void send_plainly(tuza_chan *c, tuza_chan *idle)
{
	(void)idle;
	tuza_send(c, 1);
}

static void send_by_select(tuza_chan *c, tuza_chan *idle)
{
	(void)idle;
	CHECK_EQ(TUZA_SELECT(TUZA_SEND(c, &(int){1})), 0);
}

static void send_by_select_of_two(tuza_chan *c, tuza_chan *idle)
{
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_SEND(c, &(int){1})), 1);
}

static void recv_plainly(tuza_chan *c, tuza_chan *idle)
{
	(void)idle;
	CHECK(tuza_recv(c, NULL));
}

static void recv_by_select(tuza_chan *c, tuza_chan *idle)
{
	(void)idle;
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, NULL)), 0);
}

static void recv_by_select_of_two(tuza_chan *c, tuza_chan *idle)
{
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(idle, NULL), TUZA_RECV(c, NULL)), 1);
}

// T2.13: NULL drops the value in every form of receiving, against every form of sending.
TEST(null_destination_drops_the_value)
{
	typedef void operation(tuza_chan *, tuza_chan *);
	static operation *const sends[] = {send_plainly, send_by_select, send_by_select_of_two};
	static operation *const receives[] = {recv_plainly, recv_by_select, recv_by_select_of_two};
	tuza_chan *c = tuza_chan_new(sizeof(int), 0), *idle = tuza_chan_new(sizeof(int), 0);

	for (int i = 0; i < 9; i++) {
		TUZA_GO(sends[i / 3], c, idle);
		receives[i % 3](c, idle);
		TUZA_GO(receives[i / 3], c, idle);
		sends[i % 3](c, idle);
	}
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
	tuza_chan_release(idle);
}
