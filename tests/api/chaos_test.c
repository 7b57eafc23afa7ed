// SPDX-License-Identifier: MIT
/*
 * TUZA_DEBUG=chaos: on one processor the order of goroutines follows from the seed, and differs
 * between seeds.
 */
#include "sync_support.h"

enum { GOROUTINES = 8, TURNS = 20, LETTERS = GOROUTINES * TURNS };

struct record {
	char letters[LETTERS + 1];
	atomic_int n;
};

static void write_letters(struct record *r, int letter, tuza_waitgroup *wg)
{
	for (int i = 0; i < TURNS; i++) {
		r->letters[atomic_fetch_add(&r->n, 1)] = (char)letter;
		tuza_yield();
	}
	tuza_waitgroup_done(wg);
}

static int record_order(void *record)
{
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, GOROUTINES);
	for (int i = 0; i < GOROUTINES; i++)
		TUZA_GO(write_letters, record, 'a' + i, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

// The order in which they write.
static struct record order_of(const char *debug)
{
	struct record r = {0};

	setenv("TUZA_DEBUG", debug, 1);
	setenv("TUZA_MAXPROCS", "1", 1);
	CHECK_EQ(tuza_run(record_order, &r), 0);
	CHECK_EQ(r.n, LETTERS);
	return r;
}

// The monitor may put its oar in when the machine is loaded: so some tries.
static bool are_alike(const char *debug, const char *other)
{
	for (int i = 0; i < 20; i++) {
		struct record one = order_of(debug), two = order_of(other);
		if (strcmp(one.letters, two.letters) == 0)
			return true;
	}
	return false;
}

TEST_PLAIN(seed_decides_the_order)
{
	char *debug = getenv("TUZA_DEBUG"), *before = debug ? strdup(debug) : NULL;
	struct record plain = order_of(""), one = order_of("chaos=1"), two = order_of("chaos=2");

	CHECK(strcmp(plain.letters, one.letters) != 0);
	CHECK(strcmp(one.letters, two.letters) != 0);
	CHECK(are_alike("chaos=1", "chaos=1"));
	CHECK(are_alike("chaos=77", "chaos=77"));
	CHECK(are_alike("chaos=0", ""));
	CHECK(are_alike("chaos=1,chaos=0", ""));
	setenv("TUZA_DEBUG", before ? before : "", 1);
	free(before);
}
