// SPDX-License-Identifier: MIT
/*
 * Looking for work that is somebody else's: in rings, in the global queue, among due timers, in the
 * kernel.
 *
 * A thief takes half of a ring. What an owner would run `next` is taken only if the owner is in no
 * position to run it, or has left it there for a while.
 *
 * To take a goroutine moves a dozen cache lines, each of them 50 ns away, or 330 between processors
 * that share no cache. Goroutines that do next to nothing but hand values on are run more quickly
 * than that, and by two processors more slowly than by one. So a short ring is left to a quick
 * owner, one that needs less than QUICK_RUN_NS for each goroutine. But an owner is quick only while
 * nobody steals from it: now and then a looker takes nothing from short rings for a while, to see.
 *
 * Go: src/runtime/proc.go, findRunnable, stealWork, runqgrab.
 */
#include "sched/look.h"

#include "sched/global_queue.h"
#include "sched/idle.h"
#include "sched/park.h"
#include "sched/patient.h"
#include "sched/poller.h"
#include "sched/schedule.h"

enum {
	SPIN_NS = 20000,       // about the price of one wake-up
	NEXT_STABLE_NS = 3000, // Go: a thief waits so long before it takes an owner's next
	SHORT_RING = 16,       // of a longer one half is worth moving in any case: a guess
	QUICK_RUN_NS = 250,    // half of what moving one costs, where no cache is shared
	GLIMPSE_NS = 2000,     // of how quick it is; each takes some cache lines from the owner
	LONG_ROUND_NS = 3000,  // of looking, when a ring is left alone: in 1 us no owner is quick
	STALE_NS = 100000,     // behind that nothing is known
	WATCH_EVERY_NS = 4000000, // a sixtieth of the time, if the owner is not quick
	WATCH_NS = 60000,         // until its cache has what was elsewhere: a third is too short
	QUICK_LEAST = 4,          // glimpses: an interrupt does not count
	QUICK_MOST = 10,
};

/*
 * Whether what is in the ring is left to its owner; sees how quick that is. `watches`: even if it
 * is not quick, as long as it runs one after the other. Hints, all that is read and written here.
 */
static bool is_left_alone(struct processor *owner, int64_t now, bool watches)
{
	uint32_t head = load_relaxed(&owner->runq.head);          // a hint
	uint32_t length = load_relaxed(&owner->runq.tail) - head; // the same
	if (length == 0 || length > SHORT_RING ||
		load_relaxed(&owner->status) != PROCESSOR_RUNNING) // the same
		return false;
	uint32_t quickness = load_relaxed(&owner->quickness);  // a hint
	int64_t took = now - load_relaxed(&owner->watched_at); // the same
	if (took >= GLIMPSE_NS) {
		uint64_t runs = load_relaxed(&owner->runs);               // a hint
		uint64_t ran = runs - load_relaxed(&owner->watched_runs); // the same
		if (took > STALE_NS) {
			quickness = 0;
		} else if (ran * QUICK_RUN_NS >= (uint64_t)took) {
			quickness += quickness < QUICK_MOST;
		} else if (ran != 0) {
			quickness -= quickness < 2 ? quickness : 2;
		} else {
			quickness = 0;
			watches = false;
		}
		store_relaxed(&owner->watched_runs, runs); // hints, these three
		store_relaxed(&owner->watched_at, now);
		store_relaxed(&owner->quickness, quickness);
	}
	return quickness >= QUICK_LEAST || watches;
}

// Takes up to half of somebody's ring into ours. Returns one of them, or NULL.
static struct goroutine *steal_from_rings(
	struct processor *p, uint32_t start, uint32_t count, int64_t now, bool watches, bool *left)
{
	struct goroutine *batch[RUNQ_SIZE / 2 + 1];
	for (uint32_t i = 0; i < count; i++) {
		struct processor *victim = processor_at((start + i) % count);
		if (victim == p)
			continue;
		if (is_left_alone(victim, now, watches)) {
			*left = true;
			continue;
		}
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

// What a look at the kernel has found. False if there is nothing to run.
static bool bring_in(struct processor *p, struct goroutine *list)
{
	patient_look(p);
	if (list)
		schedule_put_list(p, list, EVENT_BY_NETPOLL);
	if (!patient_let_in(p) && !list)
		return false;
	idle_share(p);
	return true;
}

bool look_outside(struct processor *p) { return bring_in(p, poller_look(p)); }

static bool look_outside_idle(struct processor *p, int64_t now)
{
	bool common = !poller_is_looked_after(p, now);
	struct goroutine *list = poller_look_idle(p, now, common);
	return (list || common) && bring_in(p, list);
}

struct goroutine *look_for_work(struct machine *m, struct processor *p)
{
	struct next_watch watch = {NULL, NULL, 0, 0};
	int64_t now = clock_now();
	int64_t until = now + SPIN_NS;
	if (now >= p->next_watch)
		p->next_watch = now + WATCH_EVERY_NS;
	bool watches = p->next_watch - now > WATCH_EVERY_NS - WATCH_NS;
	do {
		bool left = false; // a ring to its owner
		uint32_t count = processor_count();
		uint32_t start = random_below(&p->random, count);
		struct goroutine *g = steal_from_rings(p, start, count, now, watches, &left);
		if (!g && load_relaxed(&rt.global_count) != 0) // hint, re-checked under the lock
			g = global_queue_take(p);
		if (!g)
			g = steal_next(p, start, count, now, &watch);
		if (!g && look_at_timers(p, start, count, now))
			g = schedule_get_local(p);
		if (!g && look_outside_idle(p, now))
			g = schedule_get_local(p);
		if (g)
			return g;
		if (load_relaxed(&p->attention) & ATTENTION_ASKED || load_relaxed(&m->leave))
			return NULL; // the caller looks again
		int64_t next_round = left ? now + LONG_ROUND_NS : now;
		do {
			for (int i = 0; i < 30; i++)
				arch_relax();
			now = clock_now();
		} while (now < next_round);
	} while (now < until);
	return NULL;
}
