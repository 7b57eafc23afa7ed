// SPDX-License-Identifier: MIT
/*
 * Whether sends should be gathered (gather.c), by what came of it. Depends on base/atomic.h alone.
 *
 * Whoever leads a batch lets others run first, and its sends are late if those compute. So that no
 * more than one send in a hundred is, each late one makes a debt that a hundred others pay off;
 * where the debt is large there are no batches. A few late ones cost nothing: a thousand
 * connections that are made at once are no habit. And after a batch of one, which was in vain,
 * there are none for a number of sends, which doubles from one to the next.
 *
 * It counts sends rather than time, so it needs no clock, and what was learnt when there was
 * little to do is forgotten soon when there is much.
 */
#ifndef TUZA_NET_GATHER_ACCOUNT_H
#define TUZA_NET_GATHER_ACCOUNT_H

#include "base/atomic.h"

enum {
	GATHER_LATE_NS = 4000000,   // that the others take: a ring of 250 that answer, 1 ms
	GATHER_LATE_PRICE = 128,    // of a late send; each other one pays 1
	GATHER_DEBT_MOST = 1 << 15, // with which there may be batches: four full ones
	GATHER_VAIN_SENDS = 16,     // after the first batch of one
	GATHER_VAIN_DOUBLINGS_MOST = 9,
};

// A zeroed one is valid. Hints, all of it: processors may share one, and lose each other's counts.
struct gather_account {
	uint32_t debt; // for late sends
	uint32_t vain; // batches of one in a row
	uint32_t skip; // sends that are to be made without a batch for their sake
};

// Whether a batch may begin. If not, the send that is made instead is counted.
static inline bool gather_account_allows(struct gather_account *a)
{
	uint32_t debt = load_relaxed(&a->debt), skip = load_relaxed(&a->skip); // hints
	if (likely(debt <= GATHER_DEBT_MOST && skip == 0))
		return true;
	store_relaxed(&a->debt, debt - (debt != 0)); // hints
	store_relaxed(&a->skip, skip - (skip != 0));
	return false;
}

// A batch of so many sends ended, for which the others took so long.
static inline void gather_account_note(struct gather_account *a, uint32_t count, int64_t ns)
{
	uint32_t debt = load_relaxed(&a->debt), vain = load_relaxed(&a->vain); // hints
	if (ns > GATHER_LATE_NS)
		debt += count * GATHER_LATE_PRICE;
	else
		debt -= count < debt ? count : debt;
	store_relaxed(&a->debt, debt); // hints
	if (count == 1)
		store_relaxed(&a->skip, (uint32_t)GATHER_VAIN_SENDS << vain);
	store_relaxed(&a->vain, count > 1 ? 0 : vain + (vain < GATHER_VAIN_DOUBLINGS_MOST));
}

#endif
