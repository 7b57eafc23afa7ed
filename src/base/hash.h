// SPDX-License-Identifier: MIT
/*
 * Hashing of numbers and addresses: the high bits of a product with 2^64 / golden ratio (Knuth).
 */
#ifndef TUZA_BASE_HASH_H
#define TUZA_BASE_HASH_H

#include "base/compiler.h"

#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

// The hash of what came before and one more value.
static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * HASH_FACTOR;
	return hash ^ hash >> 32;
}

#endif
