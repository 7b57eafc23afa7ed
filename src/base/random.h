// SPDX-License-Identifier: MIT
/*
 * Per-processor fast random numbers: steal order, select order. wyrand's step: one multiplication.
 * Not for secrets.
 */
#ifndef TUZA_BASE_RANDOM_H
#define TUZA_BASE_RANDOM_H

#include "base/compiler.h"

static ALWAYS_INLINE uint64_t random_next(uint64_t *state)
{
	*state += 0xa0761d6478bd642fu;
	__extension__ unsigned __int128 product =
		(unsigned __int128)*state * (*state ^ 0xe7037ed1a0b428dbu);
	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

// Uniform in [0, n) up to a bias of n / 2^32. Needs: n > 0.
static ALWAYS_INLINE uint32_t random_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((random_next(state) >> 32) * n) >> 32);
}

#endif
