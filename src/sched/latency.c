// SPDX-License-Identifier: MIT
/*
 * The histogram of scheduling latencies: from when a goroutine is put into a queue to when a
 * machine runs it, its first run included.
 *
 * Each processor counts what it runs, so counting needs no atomic read-modify-write. Reading a
 * clock twice for each switch would cost as much as the switch itself: so one in eight is measured,
 * by dice, since what programs do often comes in eights. Go: src/runtime/histogram.go, and
 * casgstatus for the sampling.
 */
#include "sched/latency.h"

#include "sched/events.h"
#include "sched/runtime.h"
#include "sched/visit.h"
#include "sys/clock.h"

enum { SAMPLE = 8 };

static int64_t measured_since; // atomic; 0: nothing was ever measured

uint32_t latency_bucket(int64_t ns)
{
	if (ns < 0)
		return 0;
	if (ns >= (int64_t)1 << LATENCY_LAST_BITS)
		return LATENCY_BUCKETS - 1;
	if (ns < 1 << LATENCY_FIRST_BITS)
		return (uint32_t)(ns >> (LATENCY_FIRST_BITS - 2));
	uint32_t bits = 63 - (uint32_t)__builtin_clzll((uint64_t)ns); // of the highest one
	return (bits - LATENCY_FIRST_BITS + 1) * 4 + (uint32_t)(ns >> (bits - 2) & 3);
}

int64_t latency_bucket_from(uint32_t bucket)
{
	if (bucket < 4)
		return (int64_t)bucket << (LATENCY_FIRST_BITS - 2);
	return (int64_t)(4 + bucket % 4) << (bucket / 4 - 1 + LATENCY_FIRST_BITS - 2);
}

// ---- hooks ---------------------------------------------------------------------------------

// Whether this one is measured, by p's dice.
static bool is_sampled(struct processor *p)
{
	if (p->latency_skip > 0) {
		p->latency_skip--;
		return false;
	}
	p->latency_random += p->index + 1;
	p->latency_skip = random_below(&p->latency_random, 2 * SAMPLE - 1);
	return true;
}

static bool waits_for_lock(const struct goroutine *g)
{
	return g->wait_reason == WAIT_MUTEX || g->wait_reason == WAIT_RWMUTEX_R ||
	       g->wait_reason == WAIT_RWMUTEX_W;
}

// Until it is runnable, runnable_since is the negative time when it parked.
void latency_parks(struct processor *p, struct goroutine *g)
{
	g->runnable_since = waits_for_lock(g) && is_sampled(p) ? -sys_clock_now() : 0;
}

static void add_mutex_wait(struct processor *p, int64_t parked_at)
{
	int64_t waited = sys_clock_now() - parked_at;
	uint64_t ns = (uint64_t)waited * SAMPLE;

	// Clocks of virtual machines have gone back. measured_since is constant by now.
	if (waited < 0 || parked_at < load_relaxed(&measured_since))
		return;
	if (p)
		store_relaxed(&p->mutex_wait_total, p->mutex_wait_total + ns); // only writer
	else
		add_relaxed(&rt.foreign_mutex_wait, ns); // statistic
}

void latency_begin(struct processor *p, struct goroutine *g)
{
	if (g->flags & GOROUTINE_STARTED && g->runnable_since < 0)
		add_mutex_wait(p, -g->runnable_since);
	g->runnable_since = !p || is_sampled(p) ? sys_clock_now() : 0;
}

void latency_end(struct processor *p, struct goroutine *g)
{
	int64_t since = g->runnable_since;

	if (since <= 0)
		return;
	g->runnable_since = 0;
	// What is of a descriptor's life before the measuring does not count: constant by now.
	if (since < load_relaxed(&measured_since))
		return;
	int64_t ns = sys_clock_now() - since;
	uint64_t *count = &p->latencies[latency_bucket(ns)];

	store_relaxed(count, *count + 1); // statistic, only writer
	if (ns > 0)
		// The same.
		store_relaxed(&p->latency_total, p->latency_total + (uint64_t)ns);
}

// ---- reading -------------------------------------------------------------------------------

void latency_measure(void)
{
	int64_t never = 0;

	if (cas_relaxed(&measured_since, &never, sys_clock_now())) // nothing else hangs on it
		events_begin(EVENTS_FOR_LATENCY);
}

uint64_t latency_mutex_wait(void)
{
	uint64_t n = load_relaxed(&rt.foreign_mutex_wait); // statistic
	enum visit visit;

	if (!visit_to_look(&visit))
		return n;
	for (uint32_t i = 0; i < processor_count(); i++)
		n += load_relaxed(&processor_at(i)->mutex_wait_total); // statistic
	visit_end(visit);
	return n;
}

void latency_add_up(uint64_t *counts, uint64_t *total_ns)
{
	enum visit visit;

	if (!visit_to_look(&visit))
		return;
	for (uint32_t i = 0; i < processor_count(); i++) {
		const struct processor *p = processor_at(i);

		for (uint32_t k = 0; k < LATENCY_BUCKETS; k++)
			counts[k] += load_relaxed(&p->latencies[k]); // statistic
		*total_ns += load_relaxed(&p->latency_total);        // statistic
	}
	visit_end(visit);
}
