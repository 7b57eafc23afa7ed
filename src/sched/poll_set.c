// SPDX-License-Identifier: MIT
/*
 * Which processor is told of a descriptor's events.
 *
 * What a processor has found in the kernel it runs, and what that sends it finds again. With one
 * set of descriptors for all processors each look takes what others have sent, so that a connection
 * goes from one to the next, and its socket, stack and records from cache to cache: with 64 echoing
 * connections on two processors that share no cache that is a quarter of the time. So processors
 * have a set each, which they look at before the common one. (Sets without the next paragraph would
 * be worse than none: the two ends would be apart for good.)
 *
 * A descriptor begins in the common set. When it has been waited for some times, while all
 * processors are busy, it moves to the set of the processor on whose CPU its last packet came in:
 * there the kernel has just touched its socket. If none of ours runs there, as with packets of
 * other processes, it moves to that of whoever runs it. Now and then that is looked at anew, and
 * one whose processor has more to do than another may move there; of the two ends of a
 * connection within the process the other one follows. From a set whose owner does not come to
 * look, or is out of service, it moves to whoever runs it. Which processor that is are hints and
 * chance, all of it; where nothing is known descriptors stay where they are.
 *
 * A set is its owner's only as long as that looks: whoever finds no work looks at all that have not
 * been looked at for a while, the machine that sleeps waits for all, and a busy one looks at one
 * that its owner neglects (poller.c). So no event waits for a processor that is busy with something
 * else while another one is idle.
 *
 * Moving adds first and removes then, and whatever is ready is reported by the adding: no event is
 * lost, and one that comes twice wakes nobody. Lock: the record's; rt.lock for opening.
 */
#include "sched/poll_set.h"

#include "sched/park.h"
#include "sched/poller.h"
#include "sys/clock.h"
#include "sys/sockets.h"

enum {
	FULL = SYS_POLL_BATCH * 12, // of a load: more events may be waiting than are found
	EVENT = 16,                 // one in a load
	NEGLECTED_NS = 500000,      // without a look of anybody, and a busy one looks: a guess
	// An owner of 500 connections looks each ms. With 10 ms, and more threads than CPUs, some
	// connections had a third of the others' turns.
	ATTENDS_NS = 2000000,
};

struct poll_set poll_sets[POLL_SETS];
uint32_t poll_set_count;

// ---- opening ----------------------------------------------------------------------------------

NOINLINE static bool make_own(uint32_t i)
{
	struct poll_set *set = &poll_sets[i];
	lock_acquire(&rt.lock);
	if (!load_relaxed(&set->is_open) && // under the lock
		sys_poller_open_more(&set->kernel) == 0) {
		// (poll-set) pairs with poll_set_is_open.
		store_release(&set->is_open, 1);
		if (load_relaxed(&poll_set_count) <= i) // under the lock
			store_release(&poll_set_count, i + 1);
		// Who waits in the kernel has decided under the lock to do so, and does not know
		// of it.
		if (load_relaxed(&poller.machine)) // under the lock
			poller_interrupt();
	}
	lock_release(&rt.lock);
	return load_relaxed(&set->is_open); // it stays
}

void poll_set_leave_to_parent(void)
{
	for (uint32_t i = 0; i < POLL_SETS; i++) {
		poll_sets[i].kernel = (struct sys_poller){-1, -1};
		store_relaxed(&poll_sets[i].is_open, 0); // one thread
	}
}

// ---- moving -----------------------------------------------------------------------------------

uint32_t poll_set_move(uint32_t home, uint32_t to, int fd, uint32_t events, uint64_t tag)
{
	if (to == home || (!poll_set_is_open(to) && !make_own(to)) ||
		sys_poller_add(poll_set_kernel(to), fd, events, tag) != 0)
		return home;
	if (to != POLL_SET_COMMON)
		add_relaxed(&poll_sets[to].count, 1); // a hint
	poll_set_remove(home, fd);
	return to;
}

void poll_set_remove(uint32_t home, int fd)
{
	sys_poller_remove(poll_set_kernel(home), fd);
	if (home != POLL_SET_COMMON)
		sub_relaxed(&poll_sets[home].count, 1); // a hint
}

// ---- where a descriptor should be ---------------------------------------------------------------

void poll_set_note(const struct processor *p, uint32_t found)
{
	struct poll_set *set = &poll_sets[poll_set_of(p)];
	uint32_t load = load_relaxed(&set->load); // hints, all of them; only writer
	store_relaxed(&set->load, load - load / 8 + found * EVENT / 8);
	store_relaxed(&set->cpu, (uint32_t)sys_cpu() + 1);
	store_relaxed(&set->attended_at, load_relaxed(&set->looked_at));
}

// Comparable among sets. Where each look finds as many as fit, the number of descriptors tells
// more.
static uint32_t load_of(uint32_t i)
{
	uint32_t load = load_relaxed(&poll_sets[i].load); // hints, both
	uint32_t count = load_relaxed(&poll_sets[i].count) * EVENT;
	return load >= FULL && count > load ? count : load;
}

static bool is_heavier(uint32_t load, uint32_t than) { return load > than + than / 4 + EVENT; }

// The set whose owner ran on that CPU when it last looked; or the common one.
static uint32_t set_on_cpu(int cpu)
{
	uint32_t count = load_relaxed(&poll_set_count); // hints, both
	for (uint32_t i = 1; cpu >= 0 && i < count; i++)
		if (load_relaxed(&poll_sets[i].cpu) == (uint32_t)cpu + 1)
			return i;
	return POLL_SET_COMMON;
}

static const struct processor *owner_of(uint32_t i)
{
	return i <= processor_count() ? processor_at(i - 1) : NULL;
}

static uint32_t status_of_owner(uint32_t i)
{
	const struct processor *owner = owner_of(i);
	return owner ? load_relaxed(&owner->status) : PROCESSOR_OFF; // a hint
}

// Its owner runs goroutines and comes to look. The load of another set tells nothing.
static bool is_attended(uint32_t i, int64_t now)
{
	return status_of_owner(i) == PROCESSOR_RUNNING &&
	       now - load_relaxed(&poll_sets[i].attended_at) < ATTENDS_NS; // a hint
}

bool poll_set_is_neglected(uint32_t i, int64_t now)
{
	if (now - load_relaxed(&poll_sets[i].looked_at) < NEGLECTED_NS) // a hint
		return false;
	const struct processor *owner = owner_of(i);
	return !owner || !is_attended(i, now) || runq_length(&owner->runq) == 0;
}

static uint32_t choose(struct processor *p, uint32_t home, int cpu)
{
	int64_t now = sys_clock_now();
	uint32_t sender = set_on_cpu(cpu);
	// Of those without packets nothing is known, and both ends in sets by chance are worse than
	// in none.
	if (home == POLL_SET_COMMON && cpu < 0)
		return home;
	bool stays = home != POLL_SET_COMMON && is_attended(home, now);
	uint32_t base = stays ? home : poll_set_of(p);
	uint32_t load = load_of(base);
	if (sender != POLL_SET_COMMON && is_attended(sender, now) &&
		!is_heavier(load_of(sender), load))
		return sender;
	uint32_t count = load_relaxed(&poll_set_count); // a hint
	uint32_t other = count > 2 ? 1 + random_below(&p->random, count - 1) : base;
	if (other != base && is_attended(other, now) && is_heavier(load, load_of(other)) &&
		random_below(&p->random, load * 4) < load - load_of(other))
		return other; // not too many at once: it takes a while until the loads tell
	return base;
}

// All processors have more to run than what they run. Else whoever is quickest to wake is best.
static bool is_crowded(const struct processor *p)
{
	return load_relaxed(&rt.target) > 1 && runq_length(&p->runq) != 0 && // hints, all of them
	       load_relaxed(&rt.idle_processor_count) == 0 && load_relaxed(&rt.spinning) == 0;
}

// If both ends of a connection asked after as many waits, each would move to where the other one
// was, and so on.
static int scattered(int waits) { return waits + (int)park_random_below(POLL_SET_SETTLE); }

int poll_set_first(void) { return scattered(POLL_SET_FIRST); }

NOINLINE uint32_t poll_set_settle(
	uint32_t home, int fd, uint32_t events, uint64_t tag, int cpu, int *next)
{
	struct machine *m = machine_current();
	struct processor *p = m ? m->processor : NULL;
	*next = scattered(POLL_SET_SETTLE);
	if (!p || poll_set_of(p) == POLL_SET_COMMON)
		return home;
	if (home != POLL_SET_COMMON && status_of_owner(home) == PROCESSOR_OFF)
		return poll_set_move(home, poll_set_of(p), fd, events, tag);
	if (!is_crowded(p))
		return home;
	if (cpu == POLL_SET_CPU_UNKNOWN) {
		*next = POLL_SET_ASKS;
		return home;
	}
	uint32_t to = choose(p, home, cpu);
	if (to == home)
		*next = scattered(POLL_SET_STAYS);
	return poll_set_move(home, to, fd, events, tag);
}
