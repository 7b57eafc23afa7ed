// SPDX-License-Identifier: MIT
/*
 * The truth table: what blocks always and what never, plainly and in a select. After Go's
 * test/chan/select3.go. T2.9, T2.11.
 */
#include "../test.h"

// One line of the table: an operation on the channel in the state that its column names.
struct line {
	const char *what;
	void (*operation)(void *c);
};

static void plain_send(void *c) { tuza_send((tuza_chan *)c, 1); }
static void plain_recv(void *c) { tuza_recv((tuza_chan *)c, &(int){0}); }
static void select_send(void *c) { TUZA_SELECT(TUZA_SEND(c, &(int){1})); }
static void select_recv(void *c) { TUZA_SELECT(TUZA_RECV(c, &(int){0})); }
static void select_send_with_null(void *c)
{
	TUZA_SELECT(TUZA_RECV((tuza_chan *)NULL, &(int){0}), TUZA_SEND(c, &(int){1}),
		TUZA_SEND((tuza_chan *)NULL, &(int){1}));
}
static void select_recv_with_null(void *c)
{
	TUZA_SELECT(TUZA_RECV(c, &(int){0}), TUZA_SEND((tuza_chan *)NULL, &(int){1}));
}
static void select_recv_twice(void *c)
{
	TUZA_SELECT(TUZA_RECV(c, &(int){0}), TUZA_RECV(c, &(int){0}));
}
static void select_send_twice(void *c)
{
	TUZA_SELECT(TUZA_SEND(c, &(int){1}), TUZA_SEND(c, &(int){2}));
}
static void ordered_recv(void *c)
{
	tuza_select_case cases[] = {TUZA_RECV(c, &(int){0}), TUZA_RECV(c, &(int){0})};
	tuza_select_ordered(cases, 2);
}
static void ordered_send(void *c)
{
	tuza_select_case cases[] = {
		TUZA_RECV((tuza_chan *)NULL, &(int){0}), TUZA_SEND(c, &(int){1})};
	tuza_select_ordered(cases, 2);
}
static void select_both_ways(void *c)
{
	TUZA_SELECT(TUZA_SEND(c, &(int){1}), TUZA_RECV(c, &(int){0}));
}

static const struct line sends[] = {
	{"send", plain_send},
	{"select send", select_send},
	{"select send beside nil", select_send_with_null},
	{"select send twice", select_send_twice},
	{"ordered select send", ordered_send},
};
static const struct line receives[] = {
	{"receive", plain_recv},
	{"select receive", select_recv},
	{"select receive beside nil", select_recv_with_null},
	{"select receive twice", select_recv_twice},
	{"ordered select receive", ordered_recv},
};
enum { LINES = 5 };

static void check_line(const struct line *line, tuza_chan *c, bool want_block)
{
	bool held = want_block ? blocks(line->operation, c) : does_not_block(line->operation, c);

	if (!CHECK(held))
		printf("  %s %s\n", line->what, want_block ? "does not block" : "blocks");
}

// Frees a channel after letting go the goroutines that wait on it to receive.
static void end_receivers(tuza_chan *c)
{
	tuza_chan_close(c);
	WAIT_UNTIL(test_probes_pending() == 0);
	tuza_chan_release(c);
}

TEST(every_operation_on_null_blocks)
{
	static const struct line both_ways = {"select both ways", select_both_ways};

	for (int i = 0; i < LINES; i++) {
		check_line(&sends[i], NULL, true);
		check_line(&receives[i], NULL, true);
	}
	check_line(&both_ways, NULL, true);
}

TEST(sending_blocks_without_receiver_and_room)
{
	for (size_t cap = 0; cap < 2; cap++)
		for (int i = 0; i < LINES; i++) {
			tuza_chan *c = tuza_chan_new(sizeof(int), cap);

			if (cap)
				tuza_send(c, 0);
			check_line(&sends[i], c, true);
			// The probe runs, but has perhaps not come to its send.
			WAIT_UNTIL(((void)tuza_chan_try_recv(c, NULL), test_probes_pending() == 0));
			tuza_chan_release(c);
		}
}

TEST(sending_does_not_block_with_room)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 10);

	for (int i = 0; i < LINES; i++)
		check_line(&sends[i], c, false);
	CHECK_EQ(tuza_chan_len(c), LINES);
	tuza_chan_release(c);
}

TEST(receiving_blocks_on_an_empty_channel)
{
	for (size_t cap = 0; cap < 2; cap++)
		for (int i = 0; i < LINES; i++) {
			tuza_chan *c = tuza_chan_new(sizeof(int), cap);

			check_line(&receives[i], c, true);
			end_receivers(c);
		}
}

TEST(receiving_does_not_block_with_a_value_or_after_close)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 10);

	for (int i = 0; i < 10; i++)
		tuza_send(c, i);
	for (int i = 0; i < LINES; i++)
		check_line(&receives[i], c, false);
	CHECK_EQ(tuza_chan_len(c), 10 - LINES);
	tuza_chan_close(c);
	for (int i = 0; i < 3 * LINES; i++)
		check_line(&receives[i % LINES], c, false);
	tuza_chan_release(c);
}

// A goroutine meets neither itself nor its own select.
TEST(select_never_meets_itself)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);

	CHECK(blocks(select_both_ways, c));
	CHECK(wait_parked("select", 1));
	CHECK_EQ(tuza_chan_try_recv(c, NULL), 0);
	WAIT_UNTIL(test_probes_pending() == 0);
	tuza_chan_release(c);
	c = tuza_chan_new(sizeof(int), 1);
	CHECK(does_not_block(select_both_ways, c)); // sends
	CHECK(does_not_block(select_both_ways, c)); // receives
	CHECK_EQ(tuza_chan_len(c), 0);
	tuza_chan_release(c);
}

static void select_nothing(void *arg) { tuza_select(arg, 0); }
static void select_ordered_nothing(void *arg) { tuza_select_ordered(arg, 0); }
static void select_default(void *arg)
{
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(arg, NULL), TUZA_DEFAULT), 1);
}

static void select_only_null(void *arg)
{
	TUZA_SELECT(TUZA_RECV(arg, NULL), TUZA_SEND(arg, &(int){1}));
}

// S3.
TEST(select_without_live_cases_blocks_for_ever)
{
	CHECK(blocks(select_nothing, NULL));
	CHECK(blocks(select_ordered_nothing, NULL));
	CHECK(wait_parked("select (no cases)", 2));
	CHECK(blocks(select_only_null, NULL));
	CHECK(does_not_block(select_default, NULL));
}

static void recv_and_tell(tuza_chan *c, void *out, atomic_int *done)
{
	CHECK(tuza_chan_recv(c, out));
	atomic_store(done, 1);
}

static void check_non_blocking(size_t bytes, const void *value)
{
	for (size_t cap = 0; cap < 2; cap++) {
		tuza_chan *c = tuza_chan_new(bytes, cap);
		char out[32] = "";
		atomic_int done = 0;

		CHECK_EQ(tuza_chan_try_recv(c, out), -EAGAIN);
		CHECK_EQ(tuza_chan_try_send(c, value), cap ? 0 : -EAGAIN);
		CHECK_EQ(tuza_chan_try_send(c, value), -EAGAIN);
		if (!cap)
			TUZA_GO(tuza_chan_send, c, value);
		WAIT_UNTIL(tuza_chan_try_recv(c, out) == 0);
		CHECK(memcmp(out, value, bytes) == 0);
		memset(out, 0, sizeof(out));
		TUZA_GO(recv_and_tell, c, out, &done);
		WAIT_UNTIL(tuza_chan_try_send(c, value) == 0);
		WAIT_UNTIL(done == 1);
		CHECK(memcmp(out, value, bytes) == 0);
		tuza_chan_release(c);
	}
}

// T2.4: the non-blocking forms succeed as soon as a partner waits, for several types.
TEST(non_blocking_forms_succeed_once_a_partner_waits)
{
	check_non_blocking(sizeof(int32_t), &(int32_t){123});
	check_non_blocking(sizeof(int64_t), &(int64_t){(int64_t)123 << 40});
	check_non_blocking(sizeof(bool), &(bool){true});
	check_non_blocking(sizeof("hello"), "hello");
	check_non_blocking(sizeof(const char *), &(const char *){"hello"});
}
