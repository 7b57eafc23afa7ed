// SPDX-License-Identifier: MIT
/*
 * The way of CPU samples from signal handlers to the thread that counts them: a ring of slots,
 * taken by any thread, emptied by one.
 *
 * A slot's `turn` says whose it is: `position` of the writer that may fill it, position + 1 once it
 * is filled, and position + SAMPLES_MAX when the reader has let it go for the next round. Nobody
 * waits: a writer that finds the ring full drops its sample.
 *
 * After Dmitry Vyukov's bounded queue.
 */
#ifndef TUZA_PPROF_SAMPLES_H
#define TUZA_PPROF_SAMPLES_H

#include "base/atomic.h"

enum {
	SAMPLES_MAX = 2048,        // a power of two: 200 CPUs for 0.1 s at 100 Hz
	SAMPLE_FRAMES_MAX = 128,   // Go's since 1.23
	SAMPLE_LABELS_BYTES = 256, // with the final 0; those that do not fit are left out
};

struct sample {
	uint64_t turn; // any thread, atomic
	// whose turn it is
	uint32_t weight; // periods of CPU time that it stands for
	uint32_t count;  // of pcs
	uintptr_t pcs[SAMPLE_FRAMES_MAX];
	uint64_t returns[SAMPLE_FRAMES_MAX / 64]; // bit i: pcs[i] is a return address
	char labels[SAMPLE_LABELS_BYTES];
};

struct samples {
	CACHE_ALIGNED uint64_t tail; // any thread, atomic: the next position to write
	CACHE_ALIGNED uint64_t head; // reader only
	uint64_t lost;               // any thread, atomic: dropped
	struct sample slots[SAMPLES_MAX];
};

// Of zeroed memory.
static inline void samples_init(struct samples *s)
{
	for (uint64_t i = 0; i < SAMPLES_MAX; i++)
		store_relaxed(&s->slots[i].turn, i); // nobody else is there yet
}

// A slot to fill, for samples_publish; NULL: the ring is full, and the loss is counted.
static inline struct sample *samples_take(struct samples *s, uint64_t *position)
{
	uint64_t at = load_relaxed(&s->tail); // a guess, checked by the cas

	for (;;) {
		struct sample *slot = &s->slots[at % SAMPLES_MAX];
		// (sample-free) pairs with samples_drop: the reader has read what was there.
		uint64_t turn = load_acquire(&slot->turn);

		if ((int64_t)(turn - at) < 0) {
			add_relaxed(&s->lost, 1); // statistic
			return NULL;
		}
		// Relaxed: the slot's turn orders what is in it.
		if (turn == at && cas_relaxed(&s->tail, &at, at + 1)) {
			*position = at;
			return slot;
		}
		if (turn != at)
			at = load_relaxed(&s->tail); // somebody was quicker
	}
}

static inline void samples_publish(struct sample *slot, uint64_t position)
{
	// (sample-filled) pairs with samples_next: published here.
	store_release(&slot->turn, position + 1);
}

// The oldest filled slot, for samples_drop; NULL: none. Reader only.
static inline const struct sample *samples_next(const struct samples *s)
{
	const struct sample *slot = &s->slots[s->head % SAMPLES_MAX];

	// (sample-filled) pairs with samples_publish.
	return load_acquire(&slot->turn) == s->head + 1 ? slot : NULL;
}

// Lets go of what samples_next returned. Reader only.
static inline void samples_drop(struct samples *s)
{
	struct sample *slot = &s->slots[s->head % SAMPLES_MAX];

	// (sample-free) pairs with samples_take.
	store_release(&slot->turn, s->head + SAMPLES_MAX);
	s->head++;
}

#endif
