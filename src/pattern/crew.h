// SPDX-License-Identifier: MIT
/*
 * Goroutines that work for one purpose: the first failure among them ends the context of all.
 */
#ifndef TUZA_PATTERN_CREW_H
#define TUZA_PATTERN_CREW_H

#include "base/atomic.h"
#include "pattern/flow.h"

struct crew {
	struct until until; // constant; the crew's own context, derived from the caller's
	int32_t failure;    // atomic: the first one's code
};

/*
 * After as many starts the starter lets the others run: with a limit far above what there is to do
 * they end, or fail, before most of them have been started. A guess.
 */
enum { CREW_START_BATCH = 64 };

// Derives the context. Returns 0 or -ENOMEM. Needs: ctx is not NULL.
MUST_USE int crew_begin(struct crew *crew, tuza_context *ctx);

// One has failed with `code`, which may be the context's.
void crew_fail(struct crew *crew, int code);

// The first failure's code, or 0. Needs: all have ended.
int crew_result(const struct crew *crew);

// Ends the context and gives it up.
void crew_end(struct crew *crew);

#endif
