// SPDX-License-Identifier: MIT
/*
 * What stress tests share: a seed that is printed and can be given, and a budget of time.
 */
#ifndef TUZA_STRESS_H
#define TUZA_STRESS_H

#include "../test.h"

// The seed of this run: TUZA_SEED or a new one. Printed, so that a failure can be repeated.
TEST_UNUSED_ static uint64_t test_seed(void)
{
	const char *given = getenv("TUZA_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)tuza_now() * 2654435761u;

	printf("  TUZA_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

// SplitMix64.
TEST_UNUSED_ static uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int64_t test_env_seconds(const char *name, int fallback)
{
	const char *given = getenv(name);
	return (given ? atoi(given) : fallback) * TUZA_SECOND;
}

// When a stress test should stop: TUZA_STRESS_SECONDS (1) from now.
TEST_UNUSED_ static int64_t test_stress_end(void)
{
	return tuza_now() + test_env_seconds("TUZA_STRESS_SECONDS", 1);
}

#endif
