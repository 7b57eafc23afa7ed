// SPDX-License-Identifier: MIT
/*
 * All goroutines are asleep, and nothing is pending that could wake one: a deadlock. Fatal where it
 * is proved, inside tuza_run without other threads; else it is said once, for a thread may be about
 * to wake one. Go: src/runtime/proc.go, checkdead.
 *
 * Those that wait for a stack (starve.c) are not asleep: they are called back, one every 100 ms,
 * and find none. Where all others are asleep meanwhile, for good, nobody will give one back; only
 * other processes could make room. So that is told after some seconds, in the same two ways.
 */
#include "sched/asleep.h"

#include "sched/chaos.h"
#include "sched/deadlock.h"
#include "sched/goroutine_list.h"
#include "sched/poller.h"
#include "sched/runtime.h"
#include "sched/sanitizer.h"
#include "sched/timekeeper.h"
#include "sched/upcalls.h"

#include <string.h>
#include <unistd.h>

// When it is said that all are asleep, where a deadlock cannot be proved.
static const int64_t TELL_NS = 10000000000;
// When it is given up to wait for memory: a guess, 50 tries.
static const int64_t STARVED_NS = 5000000000;

static struct {
	bool monitor_has_thread;
	int64_t since; // all goroutines have been asleep since then; 0: they are not
	uint64_t created;
	bool told;
	int64_t starved_since; // all that have stacks have been asleep since then; 0: they are not
	uint64_t starved_steps;
	bool told_starved;
} asleep;

void asleep_reset(bool monitor_has_thread)
{
	memset(&asleep, 0, sizeof asleep);
	asleep.monitor_has_thread = monitor_has_thread;
}

void asleep_not(void) { asleep.since = 0; }

int64_t asleep_until_told(void)
{
	return rt.in_run && !asleep.told && asleep.since != 0 ? TELL_NS : INT64_MAX;
}

static bool is_in_run(void)
{
	// (asleep) pairs with tuza_run. Relaxed: hints.
	return load_acquire(&rt.main_is_there) && !load_relaxed(&rt.main_done) &&
	       !load_relaxed(&rt.ending);
}

// Each step of a goroutine that had a stack adds to this, before its processor is idle: it parks,
// or ends, after it has started others or not. Nothing is ever taken off, so two equal sums mean
// that no part of them has changed.
static uint64_t steps(void)
{
	return deadlock_count_parks() + goroutine_ended_count() + goroutine_created_count();
}

/*
 * Nobody runs, and nobody is on the way back from the kernel. *queued: of the same moment.
 *
 * (asleep) Who is woken goes from one place to the next, and a thread may stand still between any
 * two for as long as others have its CPU. So each is in the next before it leaves the last: a
 * waiter, or a timer; in the hands of a machine (in_blocking); in the global queue or on a
 * processor. They are looked at in this order: whoever has left one is found further on. From the
 * last place the way leads back to the first, by a step that is counted before the processor is
 * idle: whoever took it meanwhile waits where nobody has looked.
 */
static bool all_are_idle(uint32_t *queued)
{
	uint64_t before = steps();
	// (asleep) pairs with netpoll_take and idle_carries; the timers are read by loads that
	// acquire, too
	if (poller_is_awaited(0) || timekeeper_earliest() != INT64_MAX || signals_are_awaited())
		return false;
	chaos_pause();
	bool carries = false;
	lock_acquire(&rt.lock);
	for (struct link *l = rt.machines.next; l != &rt.machines; l = l->next)
		// (asleep) pairs with idle_carries
		if (load_acquire(&CONTAINER_OF(l, struct machine, all)->in_blocking))
			carries = true;
	// Relaxed: both change under the lock.
	bool idle = load_relaxed(&rt.idle_processor_count) == rt.in_service;
	*queued = load_relaxed(&rt.global_count);
	lock_release(&rt.lock);
	return idle && !carries && load_relaxed(&rt.spinning) == 0 && // stable when nothing runs
	       steps() == before;
}

static bool nothing_can_happen(void)
{
	uint32_t queued;
	// Relaxed: stable when nothing runs.
	return all_are_idle(&queued) && queued == 0 && load_relaxed(&rt.starved_count) == 0;
}

static bool there_are_other_threads(void)
{
	// The machines, this thread, and the one that waits in tuza_run unless it is this one.
	// Relaxed: stable while nothing happens.
	int ours = (int)load_relaxed(&rt.machine_count) + (asleep.monitor_has_thread ? 2 : 1) +
		   sanitizer_threads();
	return sys_thread_count() != ours;
}

/*
 * Whether every machine's thread sleeps in the kernel, where those that have nothing to do are. One
 * that could go on and is kept from its CPU may be on its way with somebody in its hands, wherever
 * that is; on a busy machine it stands there for many looks of the monitor.
 */
static bool all_machines_sleep(void)
{
	enum { AT_ONCE = 64 };
	uint32_t seen = 0, count;
	bool all = true;
	do { // few at a time: to ask takes too long for the lock
		int ids[AT_ONCE];
		uint32_t at = 0;
		count = 0;
		lock_acquire(&rt.lock);
		for (struct link *l = rt.machines.next; l != &rt.machines; l = l->next)
			if (at++ >= seen && count < AT_ONCE)
				ids[count++] = load_relaxed(
					&CONTAINER_OF(l, struct machine, all)->thread.id);
		lock_release(&rt.lock);
		for (uint32_t i = 0; i < count; i++)
			all = all && ids[i] != 0 && sys_thread_sleeps(ids[i]); // 0: has just begun
		seen += count;
	} while (count == AT_ONCE);
	return all;
}

static void tell(bool *told, const char *text)
{
	ssize_t written = *told ? 0 : write(STDERR_FILENO, text, strlen(text));
	(void)written;
	*told = true;
}

void asleep_look(int64_t now)
{
	if (!is_in_run() || !nothing_can_happen()) {
		asleep.since = 0;
		return;
	}
	uint64_t created = goroutine_created_count();
	if (asleep.since == 0 || created != asleep.created) {
		asleep.since = now; // look again, at least one look later
		asleep.created = created;
		return;
	}
	if (!there_are_other_threads() && all_machines_sleep() && nothing_can_happen()) {
		if (goroutine_count() == 0)
			fatal_all("no goroutines (main called runtime.Goexit) - deadlock!");
		fatal_all("all goroutines are asleep - deadlock!");
	}
	if (now - asleep.since >= TELL_NS)
		tell(&asleep.told, "tuza: all goroutines are asleep, and other threads of the "
				   "program have not woken any for 10 s\n");
}

void asleep_look_starved(int64_t now)
{
	// Hints. One that was called back just now is not counted; if it gets a stack that makes
	// for a step.
	if (!is_in_run() || load_relaxed(&rt.starved_count) == 0)
		return;
	uint64_t seen = steps();
	if (asleep.starved_since == 0 || seen != asleep.starved_steps) {
		asleep.starved_since = now;
		asleep.starved_steps = seen;
	}
	uint32_t queued; // perhaps one that was called back
	if (now - asleep.starved_since < STARVED_NS || !all_are_idle(&queued))
		return;
	if (!there_are_other_threads() && all_machines_sleep() && all_are_idle(&queued) &&
		steps() == seen)
		fatal_all("tuza: out of memory: no stack for goroutines that all others wait for");
	tell(&asleep.told_starved, "tuza: out of memory: goroutines wait for stacks, and all that "
				   "have some for others\n");
}
