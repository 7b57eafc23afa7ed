// SPDX-License-Identifier: MIT
/*
 * Goroutines that found no stack when they were to run for the first time.
 *
 * They wait in rt.starved, and each stack that comes free calls one of them back. While somebody
 * waits there no processor keeps stacks for itself: what lies in the cache of one could be all that
 * another one's goroutine waits for. Caches of idle processors are emptied by whoever starves,
 * those of running ones by their owners, who are asked to look (attention) or see starved_count.
 * One that was called back and found a stack calls the next; one that did not waits again, and the
 * monitor calls one every 100 ms, since memory may have been freed elsewhere.
 *
 * Lock: rt.lock; under it the stack arena's.
 */
#include "sched/global_queue.h"
#include "sched/goroutine_list.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/stack.h"

// The owner's, or that of a processor that has none. Returns how many there were.
static uint32_t empty_cache(struct processor *p)
{
	uint32_t n = p->stack_count;
	if (n)
		stack_free_many(goroutine_default_class(), p->stacks, n);
	p->stack_count = 0;
	return n;
}

// Needs: rt.lock
static uint32_t empty_other_caches(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < rt.processor_count; i++) {
		struct processor *p = rt.processors[i];
		uint32_t status = load_relaxed(&p->status);
		if (status == PROCESSOR_IDLE || status == PROCESSOR_OFF) // stable under rt.lock
			n += empty_cache(p);
		else
			store_relaxed(&p->attention, ATTENTION_ASKED); // seen when it schedules
	}
	char *rested[32];
	size_t count;
	while ((count = sanitizer_stacks_awake(rested, COUNT_OF(rested))) != 0) {
		stack_free_many(goroutine_default_class(), rested, count);
		n += (uint32_t)count;
	}
	return n;
}

static struct goroutine *pop_starved(void)
{
	struct goroutine *g = rt.starved;
	if (g) {
		rt.starved = g->next;
		// Guarded by the lock; readers take it as a hint.
		store_relaxed(&rt.starved_count, rt.starved_count - 1);
	}
	return g;
}

bool schedule_starve(struct goroutine *g)
{
	lock_acquire(&rt.lock);
	g->next = rt.starved;
	rt.starved = g;
	// Guarded by the lock; readers take it as a hint.
	store_relaxed(&rt.starved_count, rt.starved_count + 1);
	bool there_are_some = empty_other_caches() != 0;
	bool only_one = rt.starved_count >= goroutine_count();
	g = there_are_some ? pop_starved() : NULL;
	lock_release(&rt.lock);
	if (g)
		global_queue_submit(g);
	return there_are_some || !only_one;
}

NOINLINE void schedule_feed_starved(struct processor *own)
{
	if (own)
		empty_cache(own);
	lock_acquire(&rt.lock);
	if (!own)
		empty_other_caches();
	struct goroutine *g = pop_starved();
	lock_release(&rt.lock);
	if (g)
		global_queue_submit(g);
}
