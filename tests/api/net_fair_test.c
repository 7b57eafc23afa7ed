// SPDX-License-Identifier: MIT
// not-under: valgrind 120,000 messages take too long
/*
 * More busy connections than a processor's queue has room for: none falls behind, though there are
 * always others that the kernel has just told of.
 */
#include "net_support.h"

#include <sys/resource.h>

enum { PAIRS = 1000, TURNS = 60 };

struct crowd {
	struct pair pairs[PAIRS];
	atomic_int turns[PAIRS];
	int enough;       // turns after which one would not mind the end
	atomic_long left; // turns until all end, or who has not had enough
	bool is_for_all;  // the latter
	atomic_int stop, there;
	tuza_waitgroup begun; // asking goroutines that have not
};

static void answer(struct crowd *c, int i)
{
	char byte;

	while (tuza_conn_read(c->pairs[i].b, &byte, 1) == 1)
		CHECK_EQ(tuza_conn_write(c->pairs[i].b, &byte, 1), 1);
	atomic_fetch_sub(&c->there, 1);
}

static void ask(struct crowd *c, int i)
{
	char byte = 'x';

	tuza_waitgroup_done(&c->begun);
	tuza_waitgroup_wait(&c->begun);
	while (!atomic_load(&c->stop)) {
		CHECK_EQ(tuza_conn_write(c->pairs[i].a, &byte, 1), 1);
		CHECK_EQ(tuza_conn_read(c->pairs[i].a, &byte, 1), 1);
		bool has_enough = atomic_fetch_add(&c->turns[i], 1) + 1 == c->enough;
		if ((has_enough || !c->is_for_all) && atomic_fetch_sub(&c->left, 1) == 1)
			atomic_store(&c->stop, 1);
	}
	CHECK_EQ(tuza_conn_close_write(c->pairs[i].a), 0);
	atomic_fetch_sub(&c->there, 1);
}

static void allow_descriptors(void)
{
	struct rlimit files;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < 2 * PAIRS + 100)
		exit(77); // skipped
	files.rlim_cur = files.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
}

// Runs the crowd to its end. Returns the fewest turns that one of it has had.
static int least_of_turns(struct crowd *c)
{
	int least = INT32_MAX;

	allow_descriptors();
	for (int i = 0; i < PAIRS; i++)
		c->pairs[i] = connected("tcp", "127.0.0.1:0");
	c->there = 2 * PAIRS;
	tuza_waitgroup_add(&c->begun, PAIRS);
	for (int i = 0; i < PAIRS; i++) {
		TUZA_GO(answer, c, i);
		TUZA_GO(ask, c, i);
	}
	// On a machine with much else to do it takes longer than WAIT_UNTIL has patience.
	while (c->there != 0)
		tuza_sleep(MS);
	for (int i = 0; i < PAIRS; i++) {
		if (c->turns[i] < least)
			least = c->turns[i];
		close_pair(&c->pairs[i]);
	}
	free(c);
	return least;
}

// A fair share would be TURNS. On one processor, since there the kernel stops all or nobody; where
// it stops one thread of several, those that this one has at hand fall behind the others' turns.
TEST(none_of_many_busy_connections_falls_behind_on_one_processor)
{
	int before = tuza_gomaxprocs(1);
	struct crowd *c = calloc(1, sizeof(*c));

	c->left = PAIRS * TURNS;
	int least = least_of_turns(c);
	if (!CHECK(least >= TURNS * 3 / 4))
		printf("  %d turns of %d\n", least, TURNS);
	tuza_gomaxprocs(before);
}

// They go on until each has had its turns: who starves never has.
TEST(none_of_many_busy_connections_is_forgotten)
{
	struct crowd *c = calloc(1, sizeof(*c));

	c->left = PAIRS;
	c->enough = TURNS / 2;
	c->is_for_all = true;
	CHECK(least_of_turns(c) >= TURNS / 2);
}
