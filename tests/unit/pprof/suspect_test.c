// SPDX-License-Identifier: MIT
// Which groups of goroutines are suspected of being leaks.
#include "test.h"

#include "pprof/groups.h"

static const int64_t SECOND = INT64_C(1000000000);

// A look at `count` goroutines; the i-th has the number ids[i] and waits for ages[i].
static void look(
	struct group *g, int64_t now, uint32_t count, const uint64_t *ids, const int64_t *ages)
{
	g->count = g->waiting = count;
	g->young = 0;
	g->oldest = 0;
	g->young_first_id = g->old_last_id = 0;
	memset(g->ages, 0, sizeof(g->ages));
	for (uint32_t i = 0; i < count; i++)
		group_add_age(g, ids[i], ages[i]);
	group_judge(g, now);
}

// One that leaks `per_second` goroutines, which began at 0, as it is at `now`.
static void look_at_leak(struct group *g, int64_t now, int64_t per_second)
{
	enum { MOST = 2000 };
	static uint64_t ids[MOST];
	static int64_t ages[MOST];
	uint32_t n = (uint32_t)(now / SECOND * per_second);

	for (uint32_t i = 0; i < n; i++) {
		ids[i] = 1000 + i;
		ages[i] = now - i * SECOND / per_second;
	}
	look(g, now, n, ids, ages);
}

TEST_PLAIN(leak_is_suspected_at_the_first_look)
{
	struct group g = {.reason = WAIT_CHAN_SEND};

	look_at_leak(&g, 20 * SECOND, 10);
	CHECK_EQ(g.suspicion, SUSPECT_NEW);
}

TEST_PLAIN(leak_is_seen_to_grow)
{
	struct group g = {.reason = WAIT_SELECT};

	for (int64_t t = 1; t <= 10; t++)
		look_at_leak(&g, t * SECOND, 10);
	CHECK_EQ(g.suspicion, SUSPECT_GROWS);
	CHECK_EQ(g.grows_from, 10);
	CHECK_EQ(g.grows_since, SECOND);
}

TEST_PLAIN(waits_that_others_end_are_not_suspected)
{
	static const enum wait_reason reasons[] = {WAIT_SLEEP, WAIT_IO, WAIT_PROCESSOR};

	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		struct group g = {.reason = reasons[i]};

		for (int64_t t = 1; t <= 10; t++)
			look_at_leak(&g, t * SECOND, 10);
		CHECK_EQ(g.suspicion, SUSPECT_NONE);
	}
}

// Its workers take turns: those that came back lately are as old as the others.
TEST_PLAIN(pool_is_not_suspected)
{
	struct group g = {.reason = WAIT_CHAN_RECV};
	uint64_t ids[100];
	int64_t ages[100];

	for (int64_t t = 1; t <= 60; t++) {
		for (uint32_t i = 0; i < 100; i++) {
			ids[i] = 5000 + i * 17;
			ages[i] = (int64_t)((i * 37 + (uint32_t)t) % 100) * SECOND / 5;
		}
		look(&g, t * SECOND, 100, ids, ages);
		CHECK_EQ(g.suspicion, SUSPECT_NONE);
	}
}

TEST_PLAIN(pool_that_does_nothing_is_not_suspected)
{
	struct group g = {.reason = WAIT_CHAN_RECV};
	uint64_t ids[100];
	int64_t ages[100];

	for (int64_t t = 1; t <= 600; t += 10) {
		for (uint32_t i = 0; i < 100; i++) {
			ids[i] = i + 1;
			ages[i] = t * SECOND;
		}
		look(&g, t * SECOND, 100, ids, ages);
		CHECK_EQ(g.suspicion, SUSPECT_NONE);
	}
}

TEST_PLAIN(load_that_comes_and_goes_is_not_suspected)
{
	struct group g = {.reason = WAIT_MUTEX};
	uint64_t ids[100];
	int64_t ages[100];

	for (int64_t t = 1; t <= 60; t++) {
		uint32_t n = (uint32_t)(20 + (t % 6) * 10);

		for (uint32_t i = 0; i < n; i++) {
			ids[i] = (uint64_t)t * 1000 + i;
			ages[i] = SECOND / 2;
		}
		look(&g, t * SECOND, n, ids, ages);
		CHECK_EQ(g.suspicion, SUSPECT_NONE);
	}
}

// Whenever it is looked at: some have waited for a little longer than the others.
TEST_PLAIN(crowd_that_came_at_once_is_not_suspected)
{
	uint64_t ids[100];
	int64_t ages[100];

	for (int64_t t = 1; t <= 120; t++) {
		struct group g = {.reason = WAIT_CHAN_RECV};

		for (uint32_t i = 0; i < 100; i++) {
			ids[i] = 2000 + i;
			ages[i] = t * SECOND / 10 - i * SECOND / 1000;
		}
		look(&g, t * SECOND, 100, ids, ages);
		CHECK_EQ(g.suspicion, SUSPECT_NONE);
	}
}

// Slow requests look like a leak until they are seen to end.
TEST_PLAIN(slow_requests_are_cleared_after_a_while)
{
	struct group g = {.reason = WAIT_CHAN_RECV};
	uint64_t ids[200];
	int64_t ages[200];

	for (int64_t t = 1; t <= 60; t++) {
		for (uint32_t i = 0; i < 200; i++) {
			ids[i] = (uint64_t)t * 10 + i;
			ages[i] = (int64_t)(200 - i) * SECOND / 10;
		}
		look(&g, t * SECOND, 200, ids, ages);
		if (t == 1)
			CHECK_EQ(g.suspicion, SUSPECT_NEW);
	}
	CHECK_EQ(g.suspicion, SUSPECT_NONE);
}

TEST_PLAIN(nil_channel_is_suspected_after_a_second)
{
	struct group g = {.reason = WAIT_CHAN_RECV_NIL};

	look(&g, SECOND, 1, (uint64_t[]){7}, (int64_t[]){SECOND / 2});
	CHECK_EQ(g.suspicion, SUSPECT_NONE);
	look(&g, 2 * SECOND, 1, (uint64_t[]){7}, (int64_t[]){3 * SECOND / 2});
	CHECK_EQ(g.suspicion, SUSPECT_NEVER);
}

TEST_PLAIN(ages_fall_into_their_classes)
{
	struct group g = {.reason = WAIT_SLEEP};

	look(&g, 0, 6, (uint64_t[]){1, 2, 3, 4, 5, 6},
		(int64_t[]){0, SECOND, 10 * SECOND, 60 * SECOND, 600 * SECOND, 3600 * SECOND});
	for (int i = 0; i < GROUP_AGES; i++)
		CHECK_EQ(g.ages[i], 1);
	CHECK_EQ(g.oldest, 3600 * SECOND);
}
