// SPDX-License-Identifier: MIT
/*
 * The monitor: a thread without a processor that sees to what the others cannot.
 *
 *   - takes processors that a blocking section left behind;
 *   - ends the time slice of goroutines that hand over to each other for 10 ms, so that others get
 *     their turn;
 *   - lends a spare processor for one whose goroutine burns the CPU, or sleeps in a system call,
 *     without entering the runtime: C code cannot be interrupted at any instruction (a signal that
 *     switched stacks would abort in malloc within milliseconds), and its processor cannot be
 *     taken, since it may be inside the runtime. The hog's processor retires at its next entry;
 *   - wakes a looker for work that stays where it is, and for timers that nobody fires;
 *   - sees to it that somebody asks the kernel for events;
 *   - gives back the memory of free and of long parked stacks;
 *   - sends the signals that the program asked for to its channels;
 *   - tells a deadlock: of all (here), of some (deadlock.c).
 *
 * It looks every 20 us while things happen, after 50 quiet looks less and less often, down to every
 * 10 ms (Go's constants), and sleeps when every processor has been idle for a while. Go:
 * src/runtime/proc.go, sysmon, retake, checkdead.
 */
#include "sched/config.h"
#include "sched/deadlock.h"
#include "sched/goroutine_list.h"
#include "sched/idle.h"
#include "sched/inspect_hold.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/poller.h"
#include "sched/processor.h"
#include "sched/runtime.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/stack.h"
#include "sched/start.h"
#include "sched/upcalls.h"
#include "sys/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_FIRST_NS = 20000,
	LOOK_MOST_NS = 10000000,
	QUIET_LOOKS = 50,
	SLICE_NS = 10000000, // Go: forcePreemptNS
	LATE_TIMER_NS = 500000,
	NO_POLLER_NS =
		100000, // then an idle machine is woken to poll: a few wake-ups' worth, a guess
	NO_LOOK_NS = 10000000,           // Go: sysmon looks itself
	LOOK_MOST_UNPOLLED_NS = 1000000, // how late a poller may be woken: a guess
	SCAVENGE_EVERY_NS = 100000000,
	ADJUST_EVERY_NS = 1000000000, // Go: GOMAXPROCS is adjusted once a second at most
	SCAVENGE_STACKS = 512,        // per round: about half a millisecond
	ASLEEP_AFTER = 10,            // looks with every processor idle
};
// A goroutine parked for so long gives its deep pages back.
static const int64_t TRIM_PARKED_NS = 10000000000;
// When it is said that all are asleep, where a deadlock cannot be proved.
static const int64_t REPORT_ASLEEP_NS = 10000000000;

static struct {
	int64_t next_scavenge;
	int64_t next_adjust;
	int64_t asleep_since; // all goroutines have been asleep since then; 0: they are not
	uint64_t asleep_created;
	bool reported;
	bool on_own_thread;
	struct goroutine_chunk *trim_chunk;
} monitor;

// ---- one processor ------------------------------------------------------------------------

static bool work_waits(const struct processor *p, int64_t now)
{
	if (runq_length(&p->runq) != 0 || load_relaxed(&rt.global_count) != 0) // hints
		return true;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		struct processor *other = processor_at(i);
		if (timer_heap_earliest(&other->timers) <= now || runq_length(&other->runq) > 1)
			return true;
	}
	return false;
}

static void take_blocked(struct processor *p)
{
	uint32_t blocked = PROCESSOR_BLOCKED;
	// (blocked) pairs with the store in tuza_blocking_begin
	if (cas_acq_rel(&p->status, &blocked, PROCESSOR_RUNNING))
		processor_hand_off(p);
}

// Puts a spare processor into service in place of p.
static void lend_for(struct processor *p)
{
	lock_acquire(&rt.lock);
	struct processor *spare = NULL;
	if (!load_relaxed(&p->retire) && rt.lent < PROCESSORS_SPARE) { // under rt.lock
		rt.lent++;
		spare = processor_switch_on();
		if (spare) {
			store_relaxed(&p->retire, 1); // under rt.lock, and looked at there
			store_relaxed(&p->attention, ATTENTION_ASKED);
		} else {
			rt.lent--;
		}
	}
	lock_release(&rt.lock);
	if (spare) {
		add_seq_cst(&rt.spinning, 1); // (idle-wake) it starts as a looker
		idle_hand_processor(spare, true);
	}
}

// What waits behind a hog goes where everybody looks: thieves come only when they have nothing else
// to do. True: there was some.
static bool rescue_queue(struct processor *p)
{
	struct goroutine *batch[32], *next = runq_take_next(&p->runq);
	bool any = next != NULL;
	if (next)
		schedule_submit_global(next);
	for (uint32_t n; (n = runq_take(&p->runq, batch, COUNT_OF(batch))) != 0; any = true)
		for (uint32_t i = 0; i < n; i++)
			schedule_submit_global(batch[i]);
	return any;
}

// A running processor's machine lives, until the runtime ends. Needs: rt.lock, where machines leave
// the list
static bool machine_lives(const struct machine *m, const struct processor *p)
{
	// Relaxed, both: written under rt.lock.
	return m && p->machine == m && load_relaxed(&p->status) == PROCESSOR_RUNNING &&
	       !load_relaxed(&rt.ending);
}

static int64_t machine_cpu_time(struct machine *m, struct processor *p)
{
	int64_t used = 0;
	lock_acquire(&rt.lock);
	if (machine_lives(m, p))
		used = sys_thread_cpu_time(&m->thread);
	lock_release(&rt.lock);
	return used;
}

static bool machine_sleeps(struct machine *m, struct processor *p)
{
	int id = 0;
	lock_acquire(&rt.lock);
	if (machine_lives(m, p))
		id = m->thread.id;
	lock_release(&rt.lock);
	return id && sys_thread_sleeps(id);
}

/*
 * True if something was done or is under way, so that the next look comes soon.
 */
static bool look_at_running(struct processor *p, int64_t now)
{
	uint32_t tick = load_relaxed(&p->tick); // statistics, all three
	uint32_t runs = load_relaxed(&p->runs);
	struct machine *m = load_relaxed(&p->machine);
	if (tick != p->seen_tick || m != p->seen_machine) {
		p->seen_tick = tick;
		p->seen_runs = runs;
		p->seen_machine = m;
		p->seen_since = now;
		p->seen_cpu = -1;
		return false;
	}
	bool stuck = runs == p->seen_runs;
	p->seen_runs = runs;
	// Work that its owner does not get to, and that nobody was woken for: soft, or published as
	// the last looker slept.
	if (stuck && runq_length(&p->runq) != 0 &&
		load_relaxed(&rt.idle_processor_count) != 0) // hints
		idle_wake();
	int64_t held = now - p->seen_since;
	if (p->seen_cpu < 0 && m)
		p->seen_cpu = machine_cpu_time(m, p);
	if (held < SLICE_NS || !work_waits(p, now))
		return false;
	// A hint; p's owner clears it when it schedules.
	if (!(load_relaxed(&p->attention) & ATTENTION_ASKED)) {
		store_relaxed(&p->attention, ATTENTION_ASKED);
		return true;
	}
	if (load_relaxed(&rt.idle_processor_count) != 0) // hint
		return false;                            // others can help
	if (load_relaxed(&p->retire))                    // hint: a spare runs already
		return rescue_queue(p);
	/*
	 * It has not scheduled since. CPU time, not wall time: a thread that the kernel does not
	 * let run is no hog, and more threads would make it worse. But one that sleeps in a system
	 * call burns nothing and holds the processor, too.
	 */
	int64_t burnt = machine_cpu_time(m, p) - p->seen_cpu;
	if (burnt < SLICE_NS && !(held >= SLICE_NS && machine_sleeps(m, p)))
		return true;
	lend_for(p);
	rescue_queue(p);
	return true;
}

static bool look_at_processors(int64_t now)
{
	bool busy = false;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		struct processor *p = processor_at(i);
		uint32_t status = load_relaxed(&p->status); // hint
		if (status == PROCESSOR_RUNNING) {
			busy |= look_at_running(p, now);
		} else if (status == PROCESSOR_BLOCKED) {
			uint32_t tick = load_relaxed(&p->tick); // statistic
			// Seen in the same section at the last look, at least 20 us ago.
			if (p->seen_status == PROCESSOR_BLOCKED && p->seen_tick == tick) {
				take_blocked(p);
				busy = true;
			}
			p->seen_tick = tick;
		}
		p->seen_status = status;
	}
	return busy;
}

// ---- timers that nobody fires -------------------------------------------------------------

static int64_t earliest(void)
{
	int64_t when = INT64_MAX;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		int64_t at = timer_heap_earliest(&processor_at(i)->timers);
		if (at < when)
			when = at;
	}
	return when;
}

// Nobody keeps time while all processors are busy, nor just after one was taken for a timer.
static int64_t shortened_for_timers(int64_t delay)
{
	if (idle_somebody_keeps_time())
		return delay;
	int64_t left = clock_after(earliest(), LATE_TIMER_NS) - clock_now();
	return left >= delay ? delay : left > LATE_TIMER_NS ? left : LATE_TIMER_NS;
}

// ---- events that nobody asks for ------------------------------------------------------------

// Somebody waits for a descriptor, nobody polls, and there is a processor to do it with.
static bool is_unpolled(void)
{
	return load_relaxed(&rt.idle_processor_count) != 0 && // hint
	       poller_is_neglected(INT64_MAX, 0);
}

static void look_outside(int64_t now)
{
	if (!poller_is_neglected(now, NO_POLLER_NS))
		return;
	if (load_relaxed(&rt.idle_processor_count) != 0) { // hint
		idle_wake();
	} else if (poller_is_neglected(now, NO_LOOK_NS)) {
		struct goroutine *list = poller_look();
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
	for (int i = 0; i < GOROUTINES_PER_CHUNK; i++) {
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

// ---- deadlock -----------------------------------------------------------------------------

static bool nothing_can_happen(void)
{
	// Relaxed, all of them: stable when nothing runs.
	if (load_relaxed(&rt.global_count) != 0 || load_relaxed(&rt.starved_count) != 0 ||
		load_relaxed(&poller.waiters) != 0 || earliest() != INT64_MAX ||
		signals_are_awaited())
		return false;
	bool blocking = false;
	lock_acquire(&rt.lock);
	for (struct link *l = rt.machines.next; l != &rt.machines; l = l->next)
		if (load_relaxed(&CONTAINER_OF(l, struct machine, all)->in_blocking))
			blocking = true;
	bool idle = load_relaxed(&rt.idle_processor_count) == rt.in_service;
	lock_release(&rt.lock);
	return idle && !blocking && load_relaxed(&rt.spinning) == 0;
}

// Every processor is idle: is that for good?
static void check_deadlock(int64_t now)
{
	if (!rt.in_run || load_relaxed(&rt.main_done) || load_relaxed(&rt.ending) ||
		!nothing_can_happen()) { // hints
		monitor.asleep_since = 0;
		return;
	}
	uint64_t created = goroutine_created_count();
	if (monitor.asleep_since == 0 || created != monitor.asleep_created) {
		monitor.asleep_since = now; // look again, at least one look later
		monitor.asleep_created = created;
		return;
	}
	// The machines, this thread, and the one that waits in tuza_run unless it is this one.
	// Relaxed: stable while nothing happens.
	int ours = (int)load_relaxed(&rt.machine_count) + (monitor.on_own_thread ? 2 : 1) +
		   sanitizer_threads();
	if (sys_thread_count() == ours && nothing_can_happen()) {
		if (goroutine_count() == 0)
			fatal_all("no goroutines (main called runtime.Goexit) - deadlock!");
		fatal_all("all goroutines are asleep - deadlock!");
	}
	if (!monitor.reported && now - monitor.asleep_since >= REPORT_ASLEEP_NS) {
		monitor.reported = true;
		static const char text[] = "tuza: all goroutines are asleep, and other threads of "
					   "the program have not woken any for 10 s\n";
		ssize_t written = write(2, text, sizeof text - 1);
		(void)written;
	}
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
	int64_t until = ns == INT64_MAX ? INT64_MAX : clock_now() + ns;
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
		    !load_relaxed(&rt.ending) && !rt.global_head && !rt.starved &&
		    (idle_somebody_keeps_time() || earliest() == INT64_MAX) &&
		    !poller_is_neglected(INT64_MAX, 0); // poller.machine changes under rt.lock
	if (idle) // those who take a processor hold rt.lock, too
		store_relaxed(&rt.monitor_asleep, 1);
	lock_release(&rt.lock);
	if (!idle)
		return false;
	// Once more when a deadlock may have to be reported, and as long as there is memory to give
	// back.
	bool report = rt.in_run && !monitor.reported && monitor.asleep_since != 0;
	int64_t ns = stack_scavenge(SCAVENGE_STACKS) ? LOOK_MOST_NS
		     : report                        ? REPORT_ASLEEP_NS
						     : INT64_MAX;
	if (until != INT64_MAX && until - clock_now() < ns)
		ns = until - clock_now();
	sleep_for(ns);
	store_relaxed(&rt.monitor_asleep, 0); // a wake-up too many does no harm
	return true;
}

static sys_thread monitor_thread;

void monitor_run(const uint32_t *until)
{
	memset(&monitor, 0, sizeof monitor);
	deadlock_reset();
	monitor.on_own_thread = until == &rt.monitor_stop;
	int64_t delay = LOOK_FIRST_NS;
	uint32_t quiet = 0, idle_looks = 0;
	while (!load_relaxed(until)) { // written before the word that wakes us
		sleep_for(delay);
		int64_t now = clock_now();
		store_relaxed(&rt.coarse_now, now); // a hint
		signals_deliver();
		bool busy = look_at_processors(now);
		if (now - earliest() > LATE_TIMER_NS)
			idle_fire_timers(now);
		look_outside(now);
		// A thread that could not be started when the work came may be had now.
		if (load_relaxed(&rt.global_count) != 0 &&
			load_relaxed(&rt.idle_processor_count) != 0) // hints
			idle_wake();
		busy |= scavenge(now);
		adjust_target(now);
		int64_t next_look = deadlock_look(now);
		// Relaxed: hints.
		if (load_relaxed(&rt.idle_processor_count) == load_relaxed(&rt.in_service)) {
			if (++idle_looks > 2)
				check_deadlock(now);
			// The end may have come during this look, and its wake-up is used up.
			if (idle_looks > ASLEEP_AFTER && !load_relaxed(until) &&
				sleep_while_idle(next_look)) {
				deadlock_stir();
				quiet = idle_looks = 0;
				continue;
			}
		} else {
			idle_looks = 0;
			monitor.asleep_since = 0;
			deadlock_stir();
		}
		quiet = busy ? 0 : quiet + 1;
		if (quiet == 0)
			delay = delay > 1000000 ? 1000000 : delay;
		else if (quiet > QUIET_LOOKS && delay < LOOK_MOST_NS)
			delay = delay * 2 < LOOK_MOST_NS ? delay * 2 : LOOK_MOST_NS;
		else if (quiet <= QUIET_LOOKS)
			delay = LOOK_FIRST_NS;
		if (delay > LOOK_MOST_UNPOLLED_NS && is_unpolled())
			delay = LOOK_MOST_UNPOLLED_NS;
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
