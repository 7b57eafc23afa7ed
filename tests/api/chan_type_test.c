// SPDX-License-Identifier: MIT
/*
 * Typed channels: what TUZA_CHAN_TYPE defines, in all its directions.
 */
#include "../test.h"

struct point {
	int x, y;
};

TUZA_CHAN_TYPE(int_chan, int);
TUZA_CHAN_TYPE(point_chan, struct point);
TUZA_CHAN_TYPE(text_chan, const char *);

// The struct is one pointer, passed as one.
_Static_assert(sizeof(int_chan) == sizeof(void *), "a typed channel is one pointer");
_Static_assert(sizeof(int_chan_sink) == sizeof(void *), "so is its sending side");
_Static_assert(sizeof(int_chan_source) == sizeof(void *), "and its receiving side");

static void send_points(point_chan_sink out, int n)
{
	for (int i = 0; i < n; i++)
		point_chan_sink_send(out, (struct point){i, -i});
	point_chan_sink_close(out);
}

static int sum_points(point_chan_source in)
{
	struct point p;
	int sum = 0;

	while (point_chan_source_recv(in, &p))
		sum += p.x - p.y;
	return sum;
}

// C20: the directions.
TEST(sink_and_source_are_two_sides_of_one_channel)
{
	point_chan c = point_chan_new(3);

	CHECK(point_chan_chan(c) == point_chan_sink_chan(point_chan_as_sink(c)));
	CHECK(point_chan_chan(c) == point_chan_source_chan(point_chan_as_source(c)));
	CHECK_EQ(tuza_chan_cap(point_chan_chan(c)), 3);
	TUZA_GO(send_points, point_chan_as_sink(c), 100);
	CHECK_EQ(sum_points(point_chan_as_source(c)), 99 * 100);
	point_chan_release(c);
}

// The value is converted as in a call.
TEST(typed_send_converts_its_argument)
{
	int_chan c = int_chan_new(2);
	int v = 0;

	int_chan_send(c, 'a');
	int_chan_send(c, (int)3.9);
	CHECK_EQ(int_chan_try_send(c, 1), -EAGAIN);
	CHECK(int_chan_recv(c, &v));
	CHECK_EQ(v, 'a');
	CHECK_EQ(int_chan_try_recv(c, &v), 0);
	CHECK_EQ(v, 3);
	CHECK_EQ(int_chan_try_recv(c, &v), -EAGAIN);
	int_chan_close(c);
	CHECK_EQ(int_chan_try_recv(c, &v), TUZA_ECLOSED);
	CHECK_EQ(v, 0);
	CHECK(!int_chan_recv(c, &v));
	int_chan_release(c);
}

static void select_all(int_chan_source in, text_chan out, int_chan own, atomic_int *done)
{
	int v = 0, w = 0;
	const char *text = "sent";
	int seen = 0;

	while (seen != 7) {
		switch (TUZA_SELECT(int_chan_source_RECV(in, &v), text_chan_SEND(out, &text),
			int_chan_RECV(own, &w))) {
		case 0:
			CHECK_EQ(v, 10);
			seen |= 1;
			in = (int_chan_source){NULL};
			break;
		case 1:
			seen |= 2;
			out = (text_chan){NULL};
			break;
		case 2:
			CHECK_EQ(w, 20);
			seen |= 4;
			own = (int_chan){NULL};
			break;
		}
	}
	atomic_store(done, 1);
}

TEST(typed_cases_work_in_a_select)
{
	int_chan in = int_chan_new(0), own = int_chan_new(0);
	text_chan out = text_chan_new(0);
	const char *text = NULL;
	atomic_int done = 0;
	int ten = 10;

	TUZA_GO(select_all, int_chan_as_source(in), out, own, &done);
	CHECK_EQ(TUZA_SELECT(int_chan_sink_SEND(int_chan_as_sink(in), &ten)), 0);
	CHECK(text_chan_recv(out, &text));
	CHECK_STR(text, "sent");
	int_chan_send(own, 20);
	WAIT_UNTIL(done == 1);
	int_chan_release(int_chan_retain(in));
	int_chan_release(in);
	int_chan_release(own);
	text_chan_release(out);
}
