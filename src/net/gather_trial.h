// SPDX-License-Identifier: MIT
/*
 * Whether gathering sends (gather.c) is worth it here. Depends on base/atomic.h alone.
 *
 * What a send costs as one of many in a call, compared with one of its own, is the kernel's and the
 * machine's matter: two thirds on some, just as much on others, and then the parking that goes with
 * it is lost. So both are measured: some batches, then some sends alone. If batches are cheaper
 * they go on, with a trial now and then; else there are none for a number of sends, which doubles
 * from one trial to the next.
 */
#ifndef TUZA_NET_GATHER_TRIAL_H
#define TUZA_NET_GATHER_TRIAL_H

#include "base/atomic.h"

enum {
	GATHER_TRIAL_BATCHES = 4,   // before it is known
	GATHER_TRIAL_ALONE = 64,    // sends
	GATHER_KEEPS_BATCHES = 64,  // until the next trial where they are worth it
	GATHER_RESTS_SENDS = 4096,  // where they are not
	GATHER_RESTS_DOUBLINGS = 8, // at most
	GATHER_SAVES = 8,           // one in so many ns, or it is not worth the parking: a guess
	GATHER_SLOW_NS = 50000,     // a send that takes longer was interrupted
};

enum gather_phase { GATHER_BATCHES, GATHER_ALONE, GATHER_RESTS, GATHER_ALWAYS };

// A zeroed one is valid. Hints, all of it: processors may share one, and lose each other's counts.
struct gather_trial {
	uint32_t phase;                 // enum gather_phase
	uint32_t done;                  // batches or sends of this phase
	uint32_t worth;                 // 1: the last trial said so
	uint32_t doublings;             // of the rest
	uint32_t batch_ns, batch_sends; // since the last trial
	uint32_t alone_ns, alone_sends; // of this one
};

static inline void gather_trial_enter(struct gather_trial *t, enum gather_phase phase)
{
	store_relaxed(&t->phase, (uint32_t)phase); // hints, both
	store_relaxed(&t->done, 0);
}

// One more of the phase. True: that was the last of `most`.
static inline bool gather_trial_count(struct gather_trial *t, uint32_t most)
{
	uint32_t done = load_relaxed(&t->done) + 1; // hints, both
	store_relaxed(&t->done, done);
	return done >= most;
}

// Whether there are to be no batches for a while. Then the send that is made alone is counted.
static inline bool gather_trial_rests(struct gather_trial *t)
{
	if (likely(load_relaxed(&t->phase) != GATHER_RESTS)) // hints, all of them
		return false;
	if (gather_trial_count(t, (uint32_t)GATHER_RESTS_SENDS << load_relaxed(&t->doublings)))
		gather_trial_enter(t, GATHER_BATCHES);
	return true;
}

// Whether a batch may begin, if there is no rest.
static inline bool gather_trial_allows(const struct gather_trial *t)
{
	uint32_t phase = load_relaxed(&t->phase); // a hint
	return phase == GATHER_BATCHES || phase == GATHER_ALWAYS;
}

// Whether a send that is made alone is part of a trial, and wants gather_trial_note_alone.
static inline bool gather_trial_times(const struct gather_trial *t)
{
	return load_relaxed(&t->phase) == GATHER_ALONE; // a hint
}

static inline void gather_trial_decide(struct gather_trial *t)
{
	// Hints, all of them. What is compared are means, both multiplied by both counts.
	uint64_t batches = (uint64_t)load_relaxed(&t->batch_ns) * load_relaxed(&t->alone_sends);
	uint64_t alone = (uint64_t)load_relaxed(&t->alone_ns) * load_relaxed(&t->batch_sends);
	uint32_t doublings = load_relaxed(&t->doublings);
	bool worth = batches < alone - alone / GATHER_SAVES;
	if (worth)
		doublings = 0;
	else if (load_relaxed(&t->worth) == 0 && doublings < GATHER_RESTS_DOUBLINGS)
		doublings++;
	store_relaxed(&t->worth, (uint32_t)worth);
	store_relaxed(&t->doublings, doublings);
	store_relaxed(&t->batch_ns, 0);
	store_relaxed(&t->batch_sends, 0);
	gather_trial_enter(t, worth ? GATHER_BATCHES : GATHER_RESTS);
}

static inline void gather_trial_note_alone(struct gather_trial *t, int64_t ns)
{
	if (load_relaxed(&t->phase) != GATHER_ALONE) // hints, all of them
		return;
	if (ns >= 0 && ns <= GATHER_SLOW_NS) {
		store_relaxed(&t->alone_ns, load_relaxed(&t->alone_ns) + (uint32_t)ns);
		store_relaxed(&t->alone_sends, load_relaxed(&t->alone_sends) + 1);
	}
	if (gather_trial_count(t, GATHER_TRIAL_ALONE))
		gather_trial_decide(t);
}

// A batch of so many sends took so long.
static inline void gather_trial_note_batch(struct gather_trial *t, uint32_t count, int64_t ns)
{
	if (load_relaxed(&t->phase) != GATHER_BATCHES) // hints, all of them
		return;
	if (ns >= 0 && ns <= (int64_t)count * GATHER_SLOW_NS) {
		store_relaxed(&t->batch_ns, load_relaxed(&t->batch_ns) + (uint32_t)ns);
		store_relaxed(&t->batch_sends, load_relaxed(&t->batch_sends) + count);
	}
	uint32_t most = load_relaxed(&t->worth) ? GATHER_KEEPS_BATCHES : GATHER_TRIAL_BATCHES;
	if (gather_trial_count(t, most)) {
		store_relaxed(&t->alone_ns, 0);
		store_relaxed(&t->alone_sends, 0);
		gather_trial_enter(t, GATHER_ALONE);
	}
}

#endif
