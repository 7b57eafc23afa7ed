// SPDX-License-Identifier: MIT
/*
 * The monitor: a thread without a processor that sees to what the others cannot.
 *
 *   - looks at each processor: does its goroutine hold it for too long (hogs.c)?
 *   - wakes a looker for timers that nobody fires;
 *   - sees to it that somebody asks the kernel for events;
 *   - gives back the memory of free and of long parked stacks;
 *   - sends the signals that the program asked for to its channels;
 *   - tells a deadlock: of all (asleep.c), of some (deadlock.c).
 *
 * It looks every 20 us while things happen, after 50 quiet looks less and less often, down to every
 * 10 ms (Go's constants), and sleeps when nothing has run for a while. A server that is idle
 * between requests has not rested: to put the monitor to sleep and to wake it costs more than one
 * of them. Such a one, too, is looked at less and less often. Go: src/runtime/proc.go, sysmon.
 */
#include "sched/asleep.h"
#include "sched/config.h"
#include "sched/deadlock.h"
#include "sched/goroutine_list.h"
#include "sched/hogs.h"
#include "sched/idle.h"
#include "sched/inspect_hold.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/poller.h"
#include "sched/processor.h"
#include "sched/runtime.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sched/stack.h"
#include "sched/start.h"
#include "sched/timekeeper.h"
#include "sched/upcalls.h"
#include "sys/clock.h"
#include "sys/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_FIRST_NS = 20000,
	FIRST_LOOK_NS = 200000, // nobody is a hog while the program starts: a guess
	LOOK_MOST_NS = 10000000,
	QUIET_LOOKS = 50,
	LATE_TIMER_NS = 500000,
	NO_POLLER_NS =
		100000, // then an idle machine is woken to poll: a few wake-ups' worth, a guess
	NO_LOOK_NS = 10000000,       // Go: sysmon looks itself
	UNPOLLED_LEAST_NS = 1000000, // how late a poller may be woken: a guess
	UNPOLLED_MOST_NS = 4000000,  // the same while somebody looks all the time
	SCAVENGE_EVERY_NS = 100000000,
	TELL_REFUSED_NS = 1000000000,
	ADJUST_EVERY_NS = 1000000000, // Go: GOMAXPROCS is adjusted once a second at most
	SCAVENGE_STACKS = 512,        // per round: about half a millisecond
	ASLEEP_AFTER = 10,            // looks between which nothing ran
	LOOKS_AFTER_TIMER = 3,        // soon ones: it takes two to lend a processor
};
// A goroutine parked for so long gives its deep pages back.
static const int64_t TRIM_PARKED_NS = 10000000000;

static struct {
	int64_t next_scavenge;
	int64_t next_adjust;
	int64_t unpolled_delay; // until the next look while nobody waits in the kernel
	uint64_t seen_runs;     // of goroutines, at the last look
	uint32_t seen_refused;  // of rt.threads_refused
	int64_t refused_since;  // nobody was let run since then for want of threads; 0: not so
	bool told_refused;
	struct goroutine_chunk *trim_chunk;
} monitor;

// ---- timers that nobody fires -------------------------------------------------------------

// Nobody keeps time while all processors are busy, nor just after one was taken for a timer.
static int64_t shortened_for_timers(int64_t delay)
{
	if (timekeeper_is_there() || simulation_is_on())
		return delay;
	/*
	 * (monitor-timer) the monitor sleeps            somebody starts a timer
	 *   1. monitor_until = …      (seq_cst)           1. store earliest        (seq_cst)
	 *   2. load earliest of each  (seq_cst)           2. load monitor_until    (seq_cst)
	 * Not both may miss, or a timer that is started while all are busy fires 10 ms late.
	 */
	int64_t now = sys_clock_now();
	store_seq_cst(&rt.monitor_until, now + delay);
	int64_t left = clock_after(timekeeper_earliest(), LATE_TIMER_NS) - now;
	if (left < LATE_TIMER_NS)
		left = LATE_TIMER_NS;
	if (left < delay)
		delay = left;
	store_relaxed(&rt.monitor_until, now + delay); // sooner than was said: nothing is missed
	return delay;
}

void monitor_expect_timer(int64_t when)
{
	int64_t until = load_seq_cst(&rt.monitor_until); // (monitor-timer)
	if (!simulation_is_on() && until > clock_after(when, 2 * LATE_TIMER_NS))
		monitor_rouse();
}

// ---- events that nobody asks for ------------------------------------------------------------

// Somebody waits for a descriptor, and there is a processor to ask the kernel with. Whoever asks it
// now may be busy with the answer in a moment.
static bool needs_poller(void)
{
	return load_relaxed(&rt.idle_processor_count) != 0 && poller_is_awaited(0); // hints
}

static void look_if_nobody_polls(int64_t now)
{
	// Whoever looks between any two requests may begin to compute. But to see to that each
	// millisecond disturbs one in a hundred of the round trips on a connection.
	bool neglected = poller_is_neglected(now, NO_POLLER_NS);
	if (neglected)
		monitor.unpolled_delay = UNPOLLED_LEAST_NS;
	else if (monitor.unpolled_delay < UNPOLLED_MOST_NS)
		monitor.unpolled_delay *= 2;
	if (!neglected)
		return;
	if (load_relaxed(&rt.idle_processor_count) != 0) { // hint
		idle_wake();
	} else if (poller_is_neglected(now, NO_LOOK_NS)) {
		struct goroutine *list = poller_look(NULL);
		if (list)
			ready_list_by(list, EVENT_BY_NETPOLL);
	}
}

// ---- memory -------------------------------------------------------------------------------

// Looks at one chunk of goroutines per round; gives back the deep pages of those that have been
// parked long.
static void trim_parked(int64_t now)
{
	struct goroutine_chunk *chunk = monitor.trim_chunk;
	// (chunks) pairs with add_chunk
	monitor.trim_chunk = chunk ? chunk->next : load_acquire(&rt.chunks);
	if (!chunk)
		return;
	bool begun = false;
	for (uint32_t i = 0; i < goroutine_chunk_used(chunk); i++) {
		struct goroutine *g = &chunk->goroutines[i];
		int64_t since = load_relaxed(&g->wait_since); // hints, all of them
		if (load_relaxed(&g->state) != GOROUTINE_WAITING || !g->stack ||
			now - since < TRIM_PARKED_NS || since == load_relaxed(&g->trimmed_since))
			continue;
		if (!begun)
			inspect_begin();
		begun = true;
		if (!inspect_hold(g))
			continue;
		if (load_relaxed(&g->state) == GOROUTINE_WAITING && g->stack && // held
			now - load_relaxed(&g->wait_since) >= TRIM_PARKED_NS) { // a hint
			stack_trim_below(g->stack, g->stack_class, g->sp);
			store_relaxed(&g->trimmed_since, since); // held
		}
		inspect_release(g);
	}
	if (begun)
		inspect_end();
}

static bool scavenge(int64_t now)
{
	if (now < monitor.next_scavenge)
		return false;
	monitor.next_scavenge = now + SCAVENGE_EVERY_NS;
	if (load_relaxed(&rt.starved_count) != 0) // hint; memory may have been freed elsewhere
		schedule_feed_starved(NULL);
	trim_parked(now);
	return stack_scavenge(SCAVENGE_STACKS) != 0;
}

// ---- gomaxprocs -----------------------------------------------------------------------------

// Follows the cgroup's quota and the affinity, unless the program or the environment has decided.
static void adjust_target(int64_t now)
{
	// Relaxed: a hint.
	if (config.maxprocs_set || load_relaxed(&rt.target_set) || now < monitor.next_adjust)
		return;
	if (monitor.next_adjust != 0) { // it was reckoned at the start
		uint32_t n = config_automatic_maxprocs();
		if (n != load_relaxed(&rt.target) && !load_relaxed(&rt.target_set)) // hints
			processor_set_target(n);
	}
	monitor.next_adjust = now + ADJUST_EVERY_NS;
}

// ---- rest ---------------------------------------------------------------------------------

static bool all_are_idle(void)
{
	return load_relaxed(&rt.idle_processor_count) == load_relaxed(&rt.in_service); // hints
}

// Whether no goroutine has run since the last call.
static bool nothing_ran(void)
{
	uint64_t runs = 0, seen = monitor.seen_runs;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++)
		runs += load_relaxed(&processor_at(i)->runs); // statistic
	monitor.seen_runs = runs;
	return runs == seen;
}

// ---- threads ------------------------------------------------------------------------------

/*
 * Nobody runs, or those who do go on and on, and the system refuses the thread that should run
 * others. It is asked again by each look, so it may be had in a moment; but whoever limits threads,
 * or memory, should hear of it. Needs: this look has asked for one, if somebody waits to run.
 */
static void tell_if_refused(int64_t now, bool rested)
{
	uint32_t refused = load_relaxed(&rt.threads_refused); // hints, all of them
	bool is_stuck = refused != monitor.seen_refused && (rested || all_are_idle());
	monitor.seen_refused = refused;
	if (!is_stuck)
		monitor.refused_since = 0;
	else if (monitor.refused_since == 0)
		monitor.refused_since = now;
	if (!is_stuck || monitor.told_refused || now - monitor.refused_since < TELL_REFUSED_NS)
		return;
	monitor.told_refused = true;
	static const char text[] = "tuza: goroutines wait, and no thread to run them can be "
				   "started: raise the limit of threads (ulimit -u, or pids.max of "
				   "the cgroup) or of memory\n";
	ssize_t written = write(2, text, sizeof text - 1);
	(void)written;
}

// ---- the thread ---------------------------------------------------------------------------

void monitor_rouse(void)
{
	store_release(&rt.monitor_word, 1); // (monitor) pairs with sleep_for
	sys_futex_wake(&rt.monitor_word, 1);
}

void monitor_wake(void)
{
	// Relaxed: set under rt.lock, which callers that must not miss it hold.
	if (load_relaxed(&rt.monitor_asleep))
		monitor_rouse();
}

static void sleep_for(int64_t ns)
{
	int64_t until = ns == INT64_MAX ? INT64_MAX : sys_clock_now() + ns;
	// (monitor) pairs with monitor_wake and monitor_stop
	while (load_acquire(&rt.monitor_word) == 0)
		if (sys_futex_wait(&rt.monitor_word, 0, until) != 0)
			break;
	// (monitor) pairs with the store in monitor_rouse: if its wake-up is lost here, what it was
	// about is seen.
	(void)exchange_acquire(&rt.monitor_word, 0);
}

// Sleeps until somebody gets a processor, if all are idle, or `until`. False if one is not idle.
static bool sleep_while_idle(int64_t until)
{
	lock_acquire(&rt.lock);
	bool idle = load_relaxed(&rt.idle_processor_count) == rt.in_service &&
		    !load_relaxed(&rt.ending) && load_relaxed(&rt.global_count) == 0 &&
		    !rt.starved && (timekeeper_is_there() || timekeeper_earliest() == INT64_MAX) &&
		    !deadlock_is_missed() &&
		    !poller_is_neglected(INT64_MAX, 0); // poller.machine changes under rt.lock
	if (idle) // those who take a processor hold rt.lock, too
		store_relaxed(&rt.monitor_asleep, 1);
	lock_release(&rt.lock);
	if (!idle)
		return false;
	// Once more when a deadlock may have to be reported, and as long as there is memory to give
	// back.
	int64_t ns = stack_scavenge(SCAVENGE_STACKS) ? LOOK_MOST_NS : asleep_until_told();
	if (until != INT64_MAX && until - sys_clock_now() < ns)
		ns = until - sys_clock_now();
	sleep_for(ns);
	store_relaxed(&rt.monitor_asleep, 0); // a wake-up too many does no harm
	return true;
}

static sys_thread monitor_thread;

void monitor_run(const uint32_t *until)
{
	memset(&monitor, 0, sizeof monitor);
	monitor.unpolled_delay = UNPOLLED_LEAST_NS;
	deadlock_reset();
	monitor.seen_refused = load_relaxed(&rt.threads_refused); // as tell_if_refused
	asleep_reset(until == &rt.monitor_stop);
	int64_t delay = 0;
	// A program that is short has come to its end before this thread fell asleep.
	if (until == &rt.main_done)
		sys_await_awake(until, 0, FIRST_LOOK_NS);
	else
		delay = FIRST_LOOK_NS;
	uint32_t quiet = 0, idle_looks = 0;
	while (!load_relaxed(until)) { // written before the word that wakes us
		sleep_for(delay);
		int64_t now = sys_clock_now();
		update_coarse_now();
		signals_deliver();
		bool busy = hogs_look(now);
		// Simulated time goes on only where somebody is about to fire.
		bool fires =
			!simulation_is_on() && clock_now() - timekeeper_earliest() > LATE_TIMER_NS;
		if (fires)
			timekeeper_fire(clock_now());
		look_if_nobody_polls(now);
		// A thread that could not be started when the work came may be had now.
		if (load_relaxed(&rt.global_count) != 0 &&
			load_relaxed(&rt.idle_processor_count) != 0) // hints
			idle_wake();
		bool rested = nothing_ran();
		tell_if_refused(now, rested);
		asleep_look_starved(now); // before one is called back
		busy |= scavenge(now);
		adjust_target(now);
		int64_t next_look = deadlock_look(now);
		bool idle = all_are_idle();
		if (rested && idle) {
			if (++idle_looks > 2)
				asleep_look(now);
			// The end may have come during this look, and its wake-up is used up.
			if (idle_looks > ASLEEP_AFTER && !load_relaxed(until) &&
				sleep_while_idle(next_look)) {
				delay = LOOK_FIRST_NS;
				quiet = idle_looks = 0;
				continue;
			}
		} else {
			idle_looks = 0;
			asleep_not();
		}
		quiet = busy ? 0 : quiet + 1;
		if (quiet == 0)
			delay = delay > 1000000 ? 1000000 : delay;
		else if ((idle || quiet > QUIET_LOOKS) && delay < LOOK_MOST_NS)
			delay = delay * 2 < LOOK_MOST_NS ? delay * 2 : LOOK_MOST_NS;
		else if (quiet <= QUIET_LOOKS)
			delay = LOOK_FIRST_NS;
		if (delay > monitor.unpolled_delay && needs_poller())
			delay = monitor.unpolled_delay;
		// Whoever was late shall not have to wait for the next look as well, if all are
		// hogs.
		if (fires && load_relaxed(&rt.idle_processor_count) == 0) { // a hint
			delay = LOOK_FIRST_NS;
			quiet = QUIET_LOOKS - LOOKS_AFTER_TIMER;
		}
		if (delay > LATE_TIMER_NS)
			delay = shortened_for_timers(delay);
	}
}

static void *monitor_main(void *unused)
{
	(void)unused;
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, sys_stop_signal());
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sys_thread_name("tuza-monitor");
	sys_thread_self(&monitor_thread); // read by monitor_stop after the end
	sys_thread_exact_timers();
	monitor_run(&rt.monitor_stop);
	store_release(&rt.monitor_alive, 0); // (monitor-end) pairs with monitor_stop
	sys_futex_wake(&rt.monitor_alive, 1);
	return NULL;
}

int monitor_start(void)
{
	store_relaxed(&rt.monitor_stop, 0); // before the thread starts
	store_relaxed(&rt.monitor_word, 0);
	store_relaxed(&rt.monitor_alive, 1);
	int error = sys_thread_start(monitor_main, NULL, 256 << 10);
	if (error)
		store_relaxed(&rt.monitor_alive, 0);
	return error;
}

void monitor_stop(void)
{
	store_relaxed(&rt.monitor_stop, 1);
	monitor_rouse();
	// (monitor-end) pairs with the end of monitor_main
	while (load_acquire(&rt.monitor_alive) != 0)
		sys_futex_wait(&rt.monitor_alive, 1, INT64_MAX);
	sys_thread_join(&monitor_thread);
}
