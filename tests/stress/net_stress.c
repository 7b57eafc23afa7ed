// SPDX-License-Identifier: MIT
/*
 * Random use of connections of all kinds at once: reads, writes, deadlines, half closes, closes in
 * the middle of it all, by goroutines and threads; and clients that come and go. What arrives is
 * what was sent, in order, up to where it breaks off; everybody ends.
 */
#include "stress.h"

#include <pthread.h>
#include <tuza/context.h>
#include <tuza/net.h>

enum { PAIRS = 12, THREADS = 2 };

// One connection; both ends do both.
struct talk {
	tuza_conn *ends[2];
	uint64_t seed;
	atomic_uint left; // goroutines and threads at work on it
};

struct side {
	struct talk *talk;
	int end;
	uint64_t random;
};

static atomic_ullong bytes_read, broken;

// The i-th byte of a direction.
static char byte_at(uint64_t seed, uint64_t i) { return (char)((seed ^ i * 0x9e3779b9u) >> 5); }

static bool is_expected(ssize_t n)
{
	return n == TUZA_EIOTIMEOUT || n == TUZA_ECONNCLOSED || n == TUZA_EPIPECLOSED ||
	       n == -EPIPE || n == -ECONNRESET || n == -ENOTCONN;
}

static void end_side(struct side *s)
{
	atomic_fetch_sub(&s->talk->left, 1);
	free(s);
}

static void random_writes(struct side *s)
{
	tuza_conn *conn = s->talk->ends[s->end];
	uint64_t at = 0, seed = s->talk->seed + (uint64_t)s->end;
	char bytes[3000];

	for (;;) {
		size_t count = test_random(&s->random) % sizeof(bytes);

		for (size_t i = 0; i < count; i++)
			bytes[i] = byte_at(seed, at + i);
		if (test_random(&s->random) % 8 == 0)
			tuza_conn_set_write_deadline(
				conn, tuza_now() + (int64_t)(test_random(&s->random) % 200000));
		ssize_t n = tuza_conn_write(conn, bytes, count);
		if (n >= 0)
			at += (uint64_t)n;
		else if (n == TUZA_EIOTIMEOUT)
			tuza_conn_set_write_deadline(conn, 0);
		else if (CHECK(is_expected(n)) || true)
			break;
	}
	end_side(s);
}

static void random_reads(struct side *s)
{
	tuza_conn *conn = s->talk->ends[s->end];
	uint64_t at = 0, seed = s->talk->seed + (uint64_t)!s->end;
	char bytes[4000];

	for (;;) {
		size_t count = 1 + test_random(&s->random) % sizeof(bytes);

		if (test_random(&s->random) % 8 == 0)
			tuza_conn_set_read_deadline(
				conn, tuza_now() + (int64_t)(test_random(&s->random) % 200000));
		ssize_t n = tuza_conn_read(conn, bytes, count);
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != byte_at(seed, at + (uint64_t)i)) {
				atomic_fetch_add(&broken, 1);
				break;
			}
		if (n > 0) {
			at += (uint64_t)n;
			atomic_fetch_add(&bytes_read, (uint64_t)n);
		} else if (n == TUZA_EIOTIMEOUT) {
			tuza_conn_set_read_deadline(conn, 0);
		} else {
			CHECK(n == 0 || is_expected(n));
			break;
		}
	}
	end_side(s);
}

static void *reading_thread(void *side)
{
	random_reads(side);
	return NULL;
}

static struct side *new_side(struct talk *t, int end, uint64_t *random)
{
	struct side *s = malloc(sizeof(*s));

	*s = (struct side){t, end, test_random(random)};
	atomic_fetch_add(&t->left, 1);
	return s;
}

static bool connect_talk(struct talk *t, int kind, uint64_t *random)
{
	char address[TUZA_ADDRESS_TEXT], name[64];
	tuza_listener *l;

	if (kind == 2)
		return CHECK_EQ(tuza_pipe(&t->ends[0], &t->ends[1]), 0);
	snprintf(name, sizeof(name), "@tuza-stress-%llx", (unsigned long long)test_random(random));
	if (!CHECK_EQ(tuza_listen(kind ? "unix" : "tcp", kind ? name : "127.0.0.1:0", &l), 0))
		return false;
	CHECK_EQ(tuza_listener_address(l, address, sizeof(address)), 0);
	bool done = CHECK_EQ(tuza_dial(tuza_context_background(), kind ? "unix" : "tcp", address,
				     &t->ends[0]),
			    0) &&
		    CHECK_EQ(tuza_accept(l, &t->ends[1]), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
	return done;
}

// A connection from its making to its end.
static void talk_once(uint64_t random, bool with_thread)
{
	struct talk t = {.seed = test_random(&random)};
	pthread_t thread;

	if (!connect_talk(&t, (int)(test_random(&random) % 3), &random))
		return;
	for (int end = 0; end < 2; end++) {
		TUZA_GO(random_writes, new_side(&t, end, &random));
		if (end == 0 && with_thread)
			CHECK_EQ(pthread_create(
					 &thread, NULL, reading_thread, new_side(&t, end, &random)),
				0);
		else
			TUZA_GO(random_reads, new_side(&t, end, &random));
	}
	tuza_sleep((int64_t)(test_random(&random) % (10 * TUZA_MILLISECOND)));
	if (test_random(&random) % 4 == 0)
		tuza_conn_close_write(t.ends[test_random(&random) % 2]);
	int first = (int)(test_random(&random) % 2);
	CHECK_EQ(tuza_conn_close(t.ends[first]), 0);
	if (test_random(&random) % 2)
		tuza_yield();
	CHECK_EQ(tuza_conn_close(t.ends[!first]), 0);
	CHECK_EQ(tuza_conn_close(t.ends[first]), TUZA_ECONNCLOSED);
	while (atomic_load(&t.left) != 0)
		tuza_sleep(50 * TUZA_MICROSECOND);
	if (with_thread)
		pthread_join(thread, NULL);
}

static void talk_until(uint64_t random, int64_t end, bool with_thread, atomic_int *left)
{
	while (tuza_now() < end)
		talk_once(test_random(&random), with_thread);
	atomic_fetch_sub(left, 1);
}

TEST(connections_are_used_in_every_way_at_once)
{
	uint64_t random = test_seed();
	int64_t end = test_stress_end();
	atomic_int left = PAIRS;

	for (int i = 0; i < PAIRS; i++)
		TUZA_GO(talk_until, test_random(&random), end, i < THREADS, &left);
	while (atomic_load(&left) != 0)
		tuza_sleep(TUZA_MILLISECOND);
	printf("  %llu bytes\n", (unsigned long long)bytes_read);
	CHECK_EQ(broken, 0);
	CHECK(bytes_read > 0);
}
