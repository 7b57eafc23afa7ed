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

static void count_processor(tuza_statistics *s, struct processor *p)
{
	s->switches += load_relaxed(&p->runs); // statistic
	s->stolen += load_relaxed(&p->steals); // statistic
	lock_acquire(&p->timers.lock);
	s->timers += p->timers.count;
	lock_release(&p->timers.lock);
}

EXPORT void tuza_stats(tuza_statistics *s)
{
	memset(s, 0, sizeof(*s));
	// (started) pairs with the store in runtime_start
	if (load_acquire(&rt.started) == 0)
		return;
	s->goroutines = goroutine_count();
	s->created = goroutine_created_count();
	s->threads = load_relaxed(&rt.machine_count);                // statistic
	s->gomaxprocs = load_relaxed(&rt.target);                    // statistic
	s->processors = load_relaxed(&rt.in_service);                // statistic
	s->processors_idle = load_relaxed(&rt.idle_processor_count); // statistic
	for (uint32_t i = 0; i < processor_count(); i++)
		count_processor(s, processor_at(i));
	// (chunks) pairs with add_chunk in goroutine.c
	for (const struct goroutine_chunk *c = load_acquire(&rt.chunks); c; c = c->next)
		for (int i = 0; i < GOROUTINES_PER_CHUNK; i++)
			count_goroutine(s, &c->goroutines[i]);
}
