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
	int64_t took;
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
	struct record *r = record;
	tuza_waitgroup wg = {0};
	int64_t begun = tuza_now();

	tuza_waitgroup_add(&wg, GOROUTINES);
	for (int i = 0; i < GOROUTINES; i++)
		TUZA_GO(write_letters, r, 'a' + i, &wg);
	tuza_waitgroup_wait(&wg);
	r->took = tuza_now() - begun;
	return 0;
}

// The order in which they write. It is the dice's, however the kernel lets them run; without dice
// the monitor puts its oar in after a time slice, so it is that of a run that was shorter.
static struct record order_of(const char *debug, bool has_dice)
{
	struct record r;

	setenv("TUZA_DEBUG", debug, 1);
	setenv("TUZA_MAXPROCS", "1", 1);
	do {
		r = (struct record){0};
		CHECK_EQ(tuza_run(record_order, &r), 0);
		CHECK_EQ(r.n, LETTERS);
	} while (!has_dice && r.took > 8 * TUZA_MILLISECOND);
	return r;
}

static bool are_alike(const char *debug, const char *other, bool have_dice)
{
	struct record one = order_of(debug, have_dice), two = order_of(other, have_dice);

	return strcmp(one.letters, two.letters) == 0;
}

TEST_PLAIN(seed_decides_the_order)
{
	char *debug = getenv("TUZA_DEBUG"), *before = debug ? strdup(debug) : NULL;
	struct record plain = order_of("", false), one = order_of("chaos=1", true),
		      two = order_of("chaos=2", true);

	CHECK(strcmp(plain.letters, one.letters) != 0);
	CHECK(strcmp(one.letters, two.letters) != 0);
	for (int i = 0; i < 3; i++)
		CHECK(are_alike("chaos=1", "chaos=1", true));
	CHECK(are_alike("chaos=77", "chaos=77", true));
	CHECK(are_alike("chaos=0", "", false));
	CHECK(are_alike("chaos=1,chaos=0", "", false));
	setenv("TUZA_DEBUG", before ? before : "", 1);
	free(before);
}
