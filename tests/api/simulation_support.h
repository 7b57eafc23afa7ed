// SPDX-License-Identifier: MIT
/*
 * What the tests of simulated runs share.
 */
#ifndef TUZA_SIMULATION_SUPPORT_H
#define TUZA_SIMULATION_SUPPORT_H

#define TUZA_WATCH_LOCKS 1 // so that lock calls are places to switch
#include "sync_support.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <tuza/testing.h>

enum { SEEDS = 200, LETTERS = 64 };

TEST_UNUSED_ static int64_t real_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * TUZA_SECOND + t.tv_nsec;
}

// What happened, in order.
struct record {
	char letters[LETTERS + 1];
	atomic_int n;
};

TEST_UNUSED_ static void note(struct record *r, int letter)
{
	int i = atomic_fetch_add(&r->n, 1);

	if (CHECK(i < LETTERS))
		r->letters[i] = (char)letter;
}

TEST_UNUSED_ static int sleep_a_day(void *took)
{
	int64_t begun = tuza_now();

	tuza_sleep(24 * 3600 * TUZA_SECOND);
	*(int64_t *)took = tuza_now() - begun;
	return 17;
}

#endif
