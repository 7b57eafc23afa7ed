// SPDX-License-Identifier: MIT
/*
 * How long goroutines wait for a processor once they could run (latency.c).
 */
#ifndef TUZA_SCHED_LATENCY_H
#define TUZA_SCHED_LATENCY_H

#include "base/compiler.h"

struct goroutine;
struct processor;

/*
 * Buckets of durations, Go's: four to each power of two of nanoseconds. The first four have no
 * power below them: 0, 128, 256, 384 ns; then 512, 640, 768, 896, 1024, 1280 …; the last one, from
 * 2^47 on, 39 hours, has no end.
 */
enum {
	LATENCY_FIRST_BITS = 9, // below 2^9 ns
	LATENCY_LAST_BITS = 47, // 2^47 ns and more
	LATENCY_BUCKETS = (LATENCY_LAST_BITS - LATENCY_FIRST_BITS + 1) * 4 + 1,
};

// The bucket of a duration; negative ones count as 0.
uint32_t latency_bucket(int64_t ns);
// The least duration of a bucket.
int64_t latency_bucket_from(uint32_t bucket);

/*
 * Hooks (events.h). A goroutine parks on p: if that is for a lock, its wait is measured until
 * latency_begin, one time in eight.
 */
void latency_parks(struct processor *p, struct goroutine *g);
// p: the caller's processor, or NULL.
void latency_begin(struct processor *p, struct goroutine *g);
void latency_end(struct processor *p, struct goroutine *g);

/*
 * Begins to measure, for good: one of eight goroutines that become runnable, by chance. Costs some
 * 5 ns for each that is made to run.
 */
void latency_measure(void);

// How long goroutines have waited for mutexes and rwmutexes, ns: eight times what was measured.
uint64_t latency_mutex_wait(void);

// Adds all processors' counts to counts[LATENCY_BUCKETS]; *total_ns: of the measured durations.
void latency_add_up(uint64_t *counts, uint64_t *total_ns);

#endif
