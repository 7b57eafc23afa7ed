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
	atomic_int all, stop, left;
	tuza_waitgroup begun; // asking goroutines that have not
};

static void answer(struct crowd *c, int i)
{
	char byte;

	while (tuza_conn_read(c->pairs[i].b, &byte, 1) == 1)
		CHECK_EQ(tuza_conn_write(c->pairs[i].b, &byte, 1), 1);
	atomic_fetch_sub(&c->left, 1);
}

static void ask(struct crowd *c, int i)
{
	char byte = 'x';

	tuza_waitgroup_done(&c->begun);
	tuza_waitgroup_wait(&c->begun);
	while (!atomic_load(&c->stop)) {
		CHECK_EQ(tuza_conn_write(c->pairs[i].a, &byte, 1), 1);
		CHECK_EQ(tuza_conn_read(c->pairs[i].a, &byte, 1), 1);
		atomic_fetch_add(&c->turns[i], 1);
		if (atomic_fetch_add(&c->all, 1) + 1 >= PAIRS * TURNS)
			atomic_store(&c->stop, 1);
	}
	CHECK_EQ(tuza_conn_close_write(c->pairs[i].a), 0);
	atomic_fetch_sub(&c->left, 1);
}

// The fewest turns that one of the crowd has had when all together have had TURNS each.
static int least_of_turns(void)
{
	struct crowd *c = calloc(1, sizeof(*c));
	int least = INT32_MAX;

	for (int i = 0; i < PAIRS; i++)
		c->pairs[i] = connected("tcp", "127.0.0.1:0");
	c->left = 2 * PAIRS;
	tuza_waitgroup_add(&c->begun, PAIRS);
	for (int i = 0; i < PAIRS; i++) {
		TUZA_GO(answer, c, i);
		TUZA_GO(ask, c, i);
	}
	// On a machine with much else to do it takes longer than WAIT_UNTIL has patience.
	while (c->left != 0)
		tuza_sleep(MS);
	for (int i = 0; i < PAIRS; i++) {
		if (c->turns[i] < least)
			least = c->turns[i];
		close_pair(&c->pairs[i]);
	}
	free(c);
	return least;
}

// A fair share would be TURNS; a thread that the kernel stops has others' too. Where it stops one
// for most of a second while the rest fly it is tried again: who starves does so each time.
TEST(none_of_many_busy_connections_falls_behind)
{
	struct rlimit files;
	int least, attempts = 0;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < 2 * PAIRS + 100)
		exit(77); // skipped
	files.rlim_cur = files.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
	while ((least = least_of_turns()) < TURNS / 3 && CHECK(++attempts < 8))
		printf("  %d turns of %d\n", least, TURNS);
}
