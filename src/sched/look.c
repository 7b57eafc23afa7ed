// SPDX-License-Identifier: MIT
/*
 * Looking for work that is somebody else's: in rings, in the global queue, among due timers, in the
 * kernel.
 *
 * A thief takes half of a ring. What an owner would run `next` is taken only if the owner is in no
 * position to run it, or has left it there for a while.
 *
 * Go: src/runtime/proc.go, findRunnable, stealWork, runqgrab.
 */
#include "sched/look.h"

#include "sched/global_queue.h"
#include "sched/idle.h"
#include "sched/park.h"
#include "sched/patient.h"
#include "sched/poller.h"
#include "sched/processor.h"
#include "sched/schedule.h"

enum {
	SPIN_NS = 20000,       // about the price of one wake-up
	NEXT_STABLE_NS = 3000, // Go: a thief waits so long before it takes an owner's next
};

// Takes up to half of somebody's ring into ours. Returns one of them, or NULL.
static struct goroutine *steal_from_rings(struct processor *p, uint32_t start, uint32_t count)
{
	struct goroutine *batch[RUNQ_SIZE / 2 + 1];
	for (uint32_t i = 0; i < count; i++) {
		struct processor *victim = processor_at((start + i) % count);
		if (victim == p)
			continue;
		uint32_t n = runq_take(&victim->runq, batch, COUNT_OF(batch));
		if (n == 0)
			continue;
		for (uint32_t k = 1; k < n; k++)
			check(runq_put(&p->runq, batch[k])); // empty before: there is room
		store_relaxed(&p->steals, p->steals + n);    // statistic, only writer
		return batch[0];
	}
	return NULL;
}

// An owner's next, as it was seen at first.
struct next_watch {
	struct processor *victim;
	const struct goroutine *g;
	uint32_t tick;
	int64_t since;
};

static struct goroutine *steal_next(
	struct processor *p, uint32_t start, uint32_t count, int64_t now, struct next_watch *watch)
{
	for (uint32_t i = 0; i < count; i++) {
		struct processor *victim = processor_at((start + i) % count);
		const struct goroutine *g = load_relaxed(&victim->runq.next); // hint
		if (victim == p || !g)
			continue;
		uint32_t tick = load_relaxed(&victim->tick);                          // hint
		bool owner_runs = load_relaxed(&victim->status) == PROCESSOR_RUNNING; // hint
		if (owner_runs &&
			(watch->victim != victim || watch->g != g || watch->tick != tick)) {
			*watch = (struct next_watch){victim, g, tick, now};
			continue;
		}
		if (owner_runs && now - watch->since < NEXT_STABLE_NS)
			continue;
		struct goroutine *taken = runq_take_next(&victim->runq);
		if (taken) {
			store_relaxed(&p->steals, p->steals + 1); // statistic, only writer
			return taken;
		}
	}
	return NULL;
}

bool look_at_timers(struct processor *p, uint32_t start, uint32_t count, int64_t now)
{
	bool any = false;
	for (uint32_t i = 0; i < count; i++) {
		struct processor *owner = processor_at((start + i) % count);
		if (timer_heap_earliest(&owner->timers) > now)
			continue;
		struct goroutine *list = timer_heap_run(&owner->timers, now);
		if (list) {
			schedule_put_list(p, list, EVENT_BY_TIMER);
			any = true;
		}
	}
	return any;
}

bool look_outside(struct processor *p)
{
	struct goroutine *list = poller_look(p);
	patient_look(p);
	if (list)
		schedule_put_list(p, list, EVENT_BY_NETPOLL);
	if (!patient_let_in(p) && !list)
		return false;
	idle_share(p);
	return true;
}

struct goroutine *look_for_work(struct machine *m, struct processor *p)
{
	struct next_watch watch = {NULL, NULL, 0, 0};
	int64_t now = clock_now();
	int64_t until = now + SPIN_NS;
	do {
		uint32_t count = processor_count();
		uint32_t start = random_below(&p->random, count);
		struct goroutine *g = steal_from_rings(p, start, count);
		if (!g && load_relaxed(&rt.global_count) != 0) // hint, re-checked under the lock
			g = global_queue_take(p);
		if (!g)
			g = steal_next(p, start, count, now, &watch);
		if (!g && look_at_timers(p, start, count, now))
			g = schedule_get_local(p);
		if (!g && !poller_is_looked_after(p, now) && look_outside(p))
			g = schedule_get_local(p);
		if (g)
			return g;
		if (load_relaxed(&p->attention) & ATTENTION_ASKED || load_relaxed(&m->leave))
			return NULL; // the caller looks again
		for (int i = 0; i < 30; i++)
			arch_relax();
		now = clock_now();
	} while (now < until);
	return NULL;
}
