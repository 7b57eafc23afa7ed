// SPDX-License-Identifier: MIT
/*
 * What the runtime counts, added up when somebody asks.
 *
 * Counters are kept per processor by their owners, without atomic read-modify-writes, so counting
 * costs nothing; goroutines are counted by looking at all descriptors. Nothing is held or locked
 * but the timer heaps, one at a time: a goroutine may be seen in two states, or in none.
 */
#include "sched/goroutine_list.h"
#include "sched/stack.h"
#include "sched/visit.h"

#include <string.h>
#include <tuza/debug.h>

static void count_stack(tuza_statistics *s, const struct goroutine *g)
{
	// A glimpse, all of it: a goroutine that ends meanwhile leaves numbers of before.
	char *slot = load_relaxed(&g->stack);
	uint32_t class = load_relaxed(&g->stack_class); // as above
	const char *sp = load_relaxed(&g->sp);          // as above

	if (!slot)
		return;
	struct stack_bounds b = stack_bounds(slot, class);

	s->stacks_reserved += stack_slot_bytes(class);
	if (sp >= b.low && sp < b.top)
		s->stacks_used += (uint64_t)(b.top - sp);
}

static void count_goroutine(tuza_statistics *s, const struct goroutine *g)
{
	// (dead) pairs with the stores in goroutine.c
	switch (load_acquire(&g->state)) {
	case GOROUTINE_RUNNABLE:
		s->runnable++;
		break;
	case GOROUTINE_RUNNING:
		s->running++;
		break;
	case GOROUTINE_WAITING:
		s->waiting++;
		break;
	case GOROUTINE_BLOCKED:
		s->blocked++;
		break;
	default:
		return;
	}
	if (load_relaxed(&g->flags) & GOROUTINE_STARTED) // a glimpse
		count_stack(s, g);
}

static void count_woken(tuza_statistics *s, const uint64_t *woken)
{
	s->woken_by_descriptors += load_relaxed(&woken[EVENT_BY_NETPOLL]); // statistic
	s->woken_by_timers += load_relaxed(&woken[EVENT_BY_TIMER]);        // statistic
}

static void count_processor(tuza_statistics *s, struct processor *p)
{
	s->parks += load_relaxed(&p->parks); // statistic
	count_woken(s, p->woken);
	s->switches += load_relaxed(&p->runs); // statistic
	s->stolen += load_relaxed(&p->steals); // statistic
	lock_acquire(&p->timers.lock);
	s->timers += p->timers.count;
	lock_release(&p->timers.lock);
}

// The end of the bucket within which `part` of all lie.
static uint64_t quantile(const uint64_t *counts, uint64_t all, double part)
{
	uint64_t wanted = (uint64_t)((double)all * part), n = 0;
	uint32_t i = 0;

	while (i < LATENCY_BUCKETS - 1 && (n += counts[i]) <= wanted)
		i++;
	return (uint64_t)latency_bucket_from(i < LATENCY_BUCKETS - 1 ? i + 1 : i);
}

static void count_latencies(tuza_statistics *s)
{
	uint64_t counts[LATENCY_BUCKETS] = {0}, total = 0;

	s->mutex_wait_ns = latency_mutex_wait();
	latency_add_up(counts, &total);
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
		s->latencies += counts[i];
	if (s->latencies == 0)
		return;
	s->latency_median_ns = quantile(counts, s->latencies, 0.5);
	s->latency_99_ns = quantile(counts, s->latencies, 0.99);
}

EXPORT void tuza_stats_measure(void) { latency_measure(); }

EXPORT void tuza_stats(tuza_statistics *s)
{
	enum visit visit;

	memset(s, 0, sizeof(*s));
	if (!visit_to_look(&visit))
		return;
	s->goroutines = goroutine_count();
	s->created = goroutine_created_count();
	s->threads = load_relaxed(&rt.machine_count);                // statistic
	s->gomaxprocs = load_relaxed(&rt.target);                    // statistic
	s->processors = load_relaxed(&rt.in_service);                // statistic
	s->processors_idle = load_relaxed(&rt.idle_processor_count); // statistic
	for (uint32_t i = 0; i < processor_count(); i++)
		count_processor(s, processor_at(i));
	count_woken(s, rt.foreign_woken);
	count_latencies(s);
	// (chunks) pairs with add_chunk in goroutine.c
	for (const struct goroutine_chunk *c = load_acquire(&rt.chunks); c; c = c->next)
		for (uint32_t i = 0; i < goroutine_chunk_used(c); i++)
			count_goroutine(s, &c->goroutines[i]);
	visit_end(visit);
}
