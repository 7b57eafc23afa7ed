// SPDX-License-Identifier: MIT
/*
 * Which groups of goroutines look like leaks. Nothing here is proof, which
 * a scan may bring (page_leaks): it says where to look first.
 *
 * With one look alone: in a leak the goroutines that began to wait lately are all newer than those
 * that have been waiting for long, because none of the old ones ever goes on. In a pool whose
 * workers come back to the same place, old and new are mixed. Numbers of goroutines, which grow,
 * tell the two apart. Slow requests look like a leak for as long as they take; so
 *
 * with several looks: a group that grows and does not shrink, while some of its goroutines have
 * been there for most of that time; one that stopped growing is cleared.
 *
 * Sleeps and waits for the network are never suspected: clock and kernel end them.
 */
#include "pprof/groups.h"

#include "debug/blocked.h"

static const int64_t YOUNG = 5 * TUZA_SECOND;
// So long a group is watched before its not growing counts for it. These are guesses.
static const int64_t WATCHED_LONG = 30 * TUZA_SECOND;
static const int64_t GROWS_LONG = 3 * TUZA_SECOND;
enum {
	SUSPECT_LEAST = 5, // as many, or as many more
	ID_SLACK = 64,     // processors give numbers out from batches of 16 (GOROUTINE_ID_BATCH)
};

static const int64_t AGES[GROUP_AGES - 1] = {
	TUZA_SECOND, 10 * TUZA_SECOND, TUZA_MINUTE, 10 * TUZA_MINUTE, TUZA_HOUR};

void group_add_age(struct group *g, uint64_t id, int64_t age)
{
	uint32_t i = 0;

	while (i < GROUP_AGES - 1 && age >= AGES[i])
		i++;
	g->ages[i]++;
	if (age > g->oldest)
		g->oldest = age;
	if (age < YOUNG) {
		g->young++;
		if (g->young_first_id == 0 || id < g->young_first_id)
			g->young_first_id = id;
	} else if (id > g->old_last_id) {
		g->old_last_id = id;
	}
}

// Brings up to date since when it has not become smaller: a few less are none.
static void follow(struct group *g, int64_t now)
{
	if (g->first_seen == 0)
		g->first_seen = now;
	if (g->grows_since == 0 || g->count + g->peak / 8 < g->peak) {
		g->grows_since = now;
		g->grows_from = g->peak = g->count;
	}
	if (g->count > g->peak)
		g->peak = g->count;
}

static bool has_grown(const struct group *g, int64_t now)
{
	int64_t time = now - g->grows_since;
	uint32_t more = g->count > g->grows_from ? g->count - g->grows_from : 0;

	return time >= GROWS_LONG && more >= SUSPECT_LEAST && more >= g->grows_from / 4 &&
	       g->oldest >= time / 2;
}

static bool gets_new_ones(const struct group *g)
{
	uint32_t old = g->waiting > g->young ? g->waiting - g->young : 0;

	// Those that all came at about the same time become old one after the other.
	return old >= SUSPECT_LEAST && g->young > 0 && g->oldest >= 2 * YOUNG &&
	       g->young_first_id + ID_SLACK > g->old_last_id;
}

void group_judge(struct group *g, int64_t now)
{
	bool is_watched;

	follow(g, now);
	is_watched = now - g->first_seen >= WATCHED_LONG;
	g->suspicion = g->leaked > 0 ? SUSPECT_LEAKED : SUSPECT_NONE;
	if (g->leaked > 0 || g->waiting == 0 || !blocked_by_others(g->reason))
		return;
	if (has_grown(g, now))
		g->suspicion = SUSPECT_GROWS;
	else if ((g->reason == WAIT_CHAN_RECV_NIL || g->reason == WAIT_CHAN_SEND_NIL ||
			 g->reason == WAIT_SELECT_NONE) &&
		 g->oldest >= TUZA_SECOND)
		g->suspicion = SUSPECT_NEVER;
	else if (!is_watched && gets_new_ones(g))
		g->suspicion = SUSPECT_NEW;
}
