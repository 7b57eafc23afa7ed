// SPDX-License-Identifier: MIT
/*
 * Looking at goroutines while they live. See inspect_hold.h for how one is held (scan).
 *
 * Only parked and runnable goroutines are held, one at a time, so a dump of a million disturbs each
 * for microseconds.
 */
#include "sched/inspect.h"

#include "base/race_hooks.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"
#include "sched/inspect_hold.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/stack.h"
#include "sched/visit.h"
#include "sys/clock.h"

// What a goroutine that has not started will run, in the eyes of whoever started it.
static void (*function_of(const struct goroutine *g))(void)
{
	// (handle) pairs with the store in tuza_spawn.
	return load_acquire(&g->handle) ? (void (*)(void))g->capture.gpr[1] : g->capture.fn;
}

static void fill(struct inspected *i, struct goroutine *g, bool held)
{
	uint32_t state = load_relaxed(&g->state); // held, or a glimpse
	*i = (struct inspected){
		.g = g,
		.id = g->id,
		.creator_id = g->creator_id,
		.creation_pc = g->creation_pc,
		.state = state,
		.name = "",
		.labels = "",
	};
	if (held && g->extra) {
		race_acquire(g->extra); // written by the goroutine itself, or by its creator
		i->name = goroutine_extra_name(g);
		i->labels = goroutine_extra_labels(g);
	}
	bool alive = (g->flags & (GOROUTINE_STARTED | GOROUTINE_THREAD)) != 0;
	if (!alive) {
		if (held)
			i->entry = function_of(g);
		return;
	}
	i->locked_to_thread = g->lock_count != 0;
	if (state == GOROUTINE_WAITING) {
		i->reason = g->wait_reason;
		i->wait_object = g->wait_object;
		int64_t now = sys_clock_now();
		int64_t since = load_relaxed(&g->wait_since); // it may be made ready now
		if (since != 0 && now > since)
			i->waiting_ns = now - since;
	}
	if (g->stack)
		i->stack = stack_bounds(g->stack, g->stack_class);
	if (held && !(g->flags & GOROUTINE_THREAD))
		i->context = g->sp;
}

struct looking {
	void (*fn)(const struct inspected *i, void *arg);
	void *arg;
};

// Plain threads are shown while they wait, and when they are the caller.
static void look_at_plain(struct goroutine *g, void *looking)
{
	struct looking *l = looking;
	bool is_current = g == goroutine_current_or_null();
	if (!is_current && load_relaxed(&g->state) != GOROUTINE_WAITING) // a glimpse
		return;
	struct inspected i;
	fill(&i, g, false);
	i.is_current = is_current;
	l->fn(&i, l->arg);
}

static void each_goroutine(void (*fn)(const struct inspected *i, void *arg), void *arg, bool hold)
{
	struct goroutine *self = goroutine_current_or_null();
	struct inspected i;
	// (chunks) pairs with add_chunk in goroutine.c
	for (struct goroutine_chunk *chunk = load_acquire(&rt.chunks); chunk; chunk = chunk->next) {
		for (uint32_t k = 0; k < goroutine_chunk_used(chunk); k++) {
			struct goroutine *g = &chunk->goroutines[k];
			// (dead) pairs with the stores in goroutine.c
			uint32_t state = load_acquire(&g->state);
			if (state == GOROUTINE_DEAD)
				continue;
			if (g == self) {
				fill(&i, g, false);
				i.is_current = true;
				i.name = g->extra ? goroutine_extra_name(g) : "";
				i.labels = g->extra ? goroutine_extra_labels(g) : "";
				fn(&i, arg);
				continue;
			}
			bool held = hold && inspect_hold(g);
			bool stands = state != GOROUTINE_RUNNING && state != GOROUTINE_BLOCKED;
			fill(&i, g, hold ? held : stands);
			// It may have ended before it was held.
			if (load_relaxed(&g->state) != GOROUTINE_DEAD)
				fn(&i, arg);
			if (held)
				inspect_release(g);
		}
	}
}

static void each_plain(void (*fn)(const struct inspected *i, void *arg), void *arg, bool hold)
{
	struct looking l = {fn, arg};
	machine_each_plain(hold, look_at_plain, &l);
}

void inspect_each(void (*fn)(const struct inspected *i, void *arg), void *arg)
{
	enum visit visit;
	bool any = visit_to_look(&visit);
	inspect_begin();
	each_plain(fn, arg, true);
	if (any)
		each_goroutine(fn, arg, true);
	inspect_end();
	visit_end(visit);
}

void inspect_each_unlocked(void (*fn)(const struct inspected *i, void *arg), void *arg)
{
	// As inspect_begin, but nobody is waited for: the process is ending, and who inspects may
	// never come back.
	add_seq_cst(&inspect_active, 1); // (scan)
	if (sys_membarrier_works())
		sys_membarrier_all();
	each_plain(fn, arg, false);
	each_goroutine(fn, arg, false);
	sub_seq_cst(&inspect_active, 1); // (scan)
}

int inspect_thread_of(const struct goroutine *g, bool unlocked)
{
	int id = 0, tries = 1000;
	// The holder may be dead, or be the caller that it interrupted.
	while (!lock_try(&rt.lock)) {
		if (unlocked && --tries == 0)
			return 0;
		sys_yield();
	}
	for (struct link *l = rt.machines.next; l != &rt.machines; l = l->next) {
		const struct machine *m = CONTAINER_OF(l, const struct machine, all);
		if (load_relaxed(&m->current) == g)       // a glimpse
			id = load_relaxed(&m->thread.id); // 0: it has just begun
	}
	lock_release(&rt.lock);
	return id;
}

bool inspect_running_stack(const struct goroutine *g, struct stack_bounds *b)
{
	if (!g->stack)
		return false;
	*b = stack_bounds(g->stack, g->stack_class);
	return true;
}

void inspect_current(struct inspected *i)
{
	struct goroutine *g = goroutine_current();
	fill(i, g, false);
	i->is_current = true;
	i->name = g->extra ? goroutine_extra_name(g) : "";
	i->labels = g->extra ? goroutine_extra_labels(g) : "";
}

bool inspect_stack_guard_hit(const void *address, struct inspected *i, size_t *limit_bytes)
{
	struct goroutine *g = goroutine_current_or_null();
	if (!g || !g->stack)
		return false;
	struct stack_bounds b = stack_bounds(g->stack, g->stack_class);
	if ((const char *)address < g->stack || (const char *)address >= b.low)
		return false;
	inspect_current(i);
	// As it was asked for: a part of it is guard.
	*limit_bytes = stack_slot_bytes(g->stack_class);
	return true;
}
