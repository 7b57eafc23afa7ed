// SPDX-License-Identifier: MIT
/*
 * Processors whose goroutine does not give them back. The monitor's thread looks at each:
 *
 *   - one that a blocking section left behind is handed to another machine;
 *   - the time slice of goroutines that hand over to each other for 10 ms ends, so that others get
 *     their turn;
 *   - for one whose goroutine burns the CPU, or sleeps in a system call, without entering the
 *     runtime, a spare goes into service: C code cannot be interrupted at any instruction (a signal
 *     that switched stacks would abort in malloc within milliseconds), and its processor cannot be
 *     taken, since it may be inside the runtime. The hog's processor retires at its next entry;
 *   - for work that stays where it is, a looker is woken.
 *
 * Go: src/runtime/proc.go, retake.
 */
#include "sched/hogs.h"

#include "sched/chaos.h"
#include "sched/global_queue.h"
#include "sched/idle.h"
#include "sched/processor.h"
#include "sched/runtime.h"
#include "sched/schedule.h"
#include "sched/simulation.h"

enum {
	SLICE_NS = 10000000,   // Go: forcePreemptNS
	HEAR_NS = 500000,      // of CPU time, to come to a call that looks whether it was asked
	STUCK_NS = 1000000000, // a blocking section in a simulated run: a guess
};

CACHE_ALIGNED uint32_t preempt_wanted;

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
		global_queue_submit(next);
	for (uint32_t n; (n = runq_take(&p->runq, batch, COUNT_OF(batch))) != 0; any = true)
		for (uint32_t i = 0; i < n; i++)
			global_queue_submit(batch[i]);
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

// True if something was done or is under way, so that the next look comes soon.
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
		store_relaxed(&preempt_wanted, 1); // a hint; before its time to hear begins
		int64_t latest = machine_cpu_time(m, p) - SLICE_NS + HEAR_NS;
		if (p->seen_cpu < latest)
			p->seen_cpu = latest;
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

bool hogs_look(int64_t now)
{
	bool busy = false, wanted = chaos_on;
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++) {
		struct processor *p = processor_at(i);
		uint32_t status = load_relaxed(&p->status); // hint
		if (status == PROCESSOR_RUNNING && !simulation_is_on()) {
			busy |= look_at_running(p, now);
			wanted |= (load_relaxed(&p->attention) & ATTENTION_ASKED) != 0; // a request
		} else if (status == PROCESSOR_BLOCKED) {
			uint32_t tick = load_relaxed(&p->tick); // statistic
			// Seen in the same section at the last look, at least 20 us ago.
			if (p->seen_status != PROCESSOR_BLOCKED || p->seen_tick != tick) {
				p->blocked_since = now;
			} else if (!simulation_is_on() || now - p->blocked_since >= STUCK_NS) {
				take_blocked(p);
				busy = true;
			}
			p->seen_tick = tick;
		}
		p->seen_status = status;
	}
	if (wanted != load_relaxed(&preempt_wanted))    // only writer while there is a monitor
		store_relaxed(&preempt_wanted, wanted); // a hint
	return busy;
}
