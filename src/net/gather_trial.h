// SPDX-License-Identifier: MIT
/*
 * Whether gathering sends (gather.c) is worth it here. Depends on base/atomic.h alone.
 *
 * What a send costs as one of many in a call, compared with one of its own, is the kernel's and the
 * machine's matter: two thirds on some, just as much on others, and then the parking that goes with
 * it is lost. So both are measured: some batches, then some groups of sends alone. What is compared
 * is the cheapest of each: others are dearer only because they were interrupted. If batches are
 * cheaper they go on, with a trial now and then; else there are none for a number of sends, which
 * doubles from one trial to the next.
 */
#ifndef TUZA_NET_GATHER_TRIAL_H
#define TUZA_NET_GATHER_TRIAL_H

#include "base/atomic.h"

enum {
	GATHER_TRIAL_BATCHES = 4,  // that are compared
	GATHER_TRIAL_GROUPS = 4,   // the same
	GATHER_GROUP = 16,         // sends alone
	GATHER_KEEPS_BATCHES = 64, // until the next trial, where they are worth it
	GATHER_RESTS_LEAST = 4096, // sends, where they are not
	GATHER_RESTS_MOST = 1 << 20,
	GATHER_SAVES = 8, // one in so many ns, or it is not worth the parking: a guess
};

enum gather_phase { GATHER_BATCHES, GATHER_ALONE, GATHER_RESTS };

// A zeroed one is valid. Hints, all of it: processors may share one, and lose each other's counts.
struct gather_trial {
	uint32_t phase;              // enum gather_phase
	uint32_t done;               // of it: batches, sends alone, sends
	uint32_t worth;              // 1: the last trial said so
	uint32_t rest;               // sends of the last rest; 0: batches were worth it since
	uint32_t batch_ns, alone_ns; // a send, at best, in this trial; 0: not known
	uint32_t group_ns;           // of the group that is under way
};

static inline void gather_trial_enter(struct gather_trial *t, enum gather_phase phase)
{
	store_relaxed(&t->phase, (uint32_t)phase); // hints, both
	store_relaxed(&t->done, 0);
}

// One more of the phase. Returns how many there are.
static inline uint32_t gather_trial_count(struct gather_trial *t)
{
	uint32_t done = load_relaxed(&t->done) + 1; // hints, both
	store_relaxed(&t->done, done);
	return done;
}

// Whether there are to be no batches for a while. Then the send that is made alone is counted.
static inline bool gather_trial_rests(struct gather_trial *t)
{
	if (likely(load_relaxed(&t->phase) != GATHER_RESTS)) // hints, both
		return false;
	if (gather_trial_count(t) >= load_relaxed(&t->rest))
		gather_trial_enter(t, GATHER_BATCHES);
	return true;
}

// Whether a batch may begin, if there is no rest.
static inline bool gather_trial_allows(const struct gather_trial *t)
{
	return load_relaxed(&t->phase) == GATHER_BATCHES; // a hint
}

// Whether a send that is made alone is part of a trial, and wants gather_trial_note_alone.
static inline bool gather_trial_times(const struct gather_trial *t)
{
	return load_relaxed(&t->phase) == GATHER_ALONE; // a hint
}

static inline void gather_trial_lower(uint32_t *best, int64_t ns)
{
	uint32_t known = load_relaxed(best); // hints, both
	if (ns > 0 && (known == 0 || ns < known))
		store_relaxed(best, ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX);
}

static inline void gather_trial_decide(struct gather_trial *t)
{
	// Hints, all of them.
	uint32_t batch = load_relaxed(&t->batch_ns), alone = load_relaxed(&t->alone_ns);
	uint32_t rest = load_relaxed(&t->rest) * 2;
	bool worth = batch != 0 && batch < alone - alone / GATHER_SAVES;
	rest = rest < GATHER_RESTS_LEAST ? GATHER_RESTS_LEAST : rest;
	rest = rest > GATHER_RESTS_MOST ? GATHER_RESTS_MOST : rest;
	store_relaxed(&t->rest, worth ? 0 : rest);
	store_relaxed(&t->worth, (uint32_t)worth);
	store_relaxed(&t->batch_ns, 0);
	store_relaxed(&t->alone_ns, 0);
	gather_trial_enter(t, worth ? GATHER_BATCHES : GATHER_RESTS);
}

static inline void gather_trial_note_alone(struct gather_trial *t, int64_t ns)
{
	if (load_relaxed(&t->phase) != GATHER_ALONE) // hints, all of them
		return;
	int64_t sum = load_relaxed(&t->group_ns) +
		      (ns < INT32_MAX / GATHER_GROUP ? ns : INT32_MAX / GATHER_GROUP);
	uint32_t done = gather_trial_count(t);
	if (done % GATHER_GROUP == 0) {
		gather_trial_lower(&t->alone_ns, sum / GATHER_GROUP);
		sum = 0;
	}
	store_relaxed(&t->group_ns, (uint32_t)sum);
	if (done >= GATHER_TRIAL_GROUPS * GATHER_GROUP)
		gather_trial_decide(t);
}

// A batch of so many sends took so long.
static inline void gather_trial_note_batch(struct gather_trial *t, uint32_t count, int64_t ns)
{
	if (load_relaxed(&t->phase) != GATHER_BATCHES) // hints, all of them
		return;
	uint32_t most = load_relaxed(&t->worth) ? GATHER_KEEPS_BATCHES : GATHER_TRIAL_BATCHES;
	uint32_t done = gather_trial_count(t);
	if (done + GATHER_TRIAL_BATCHES > most)
		gather_trial_lower(&t->batch_ns, ns / count);
	if (done >= most) {
		store_relaxed(&t->group_ns, 0);
		gather_trial_enter(t, GATHER_ALONE);
	}
}

#endif
