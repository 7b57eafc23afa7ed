// SPDX-License-Identifier: MIT
/*
 * Chaos: the schedule is made by dice, so that orders which hardly ever occur do. On with
 * TUZA_DEBUG=chaos, and in simulated runs, whose dice are in simulation.c. Off it costs next to
 * nothing: what happens at each scheduling hangs on processor.attention, which is looked at anyway,
 * and at other places a look at a constant.
 *
 * At each scheduling, by chance: what was to run next, or what has waited longest, goes to the end
 * of the queue, or to the global queue; or the machine lets others get ahead. At a preempt_check,
 * and at a chaos_point, where a goroutine sends, receives, selects, unlocks or starts another one:
 * it yields.
 *
 * All dice follow from the seed, one sequence for each processor. On one processor a program that
 * asks no clock runs the same way again: there the monitor's clock ends no time slice either, or
 * the order would be another one whenever the kernel stops the thread for a while. On several the
 * threads are the kernel's, and a seed only makes a schedule likelier.
 */
#include "sched/chaos.h"

#include "arch/arch.h"
#include "sched/config.h"
#include "sched/global_queue.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sys/clock.h"

CACHE_ALIGNED bool chaos_on; // read by each send and receive
static uint64_t seed;        // of chaos; constant while the runtime runs
static int64_t yields_from;  // atomic: before that no CPU is given away

// Of the time at most a fifth is given away: where others want the CPU, the kernel has a thread
// that yields wait for a slice of each of them, and a switch costs as much as thousands.
enum { YIELD_SHARE = 4 };

void chaos_start(void)
{
	chaos_on = config.chaos || simulation_is_on();
	seed = config.chaos_seed;
	if (config.chaos && seed == 0)
		seed = sys_random_seed() >> 32 | 1; // short enough to be typed
	store_relaxed(&preempt_wanted, chaos_on);   // before there is a monitor, whose it is then
}

uint64_t chaos_seed(void) { return config.chaos && !simulation_is_on() ? seed : 0; }

bool chaos_decides(void)
{
	return chaos_on && load_relaxed(&rt.in_service) == 1; // a hint
}

void chaos_begin(struct processor *p)
{
	if (!chaos_on)
		return;
	p->random = simulation_is_on() ? simulation_seed() : seed;
	for (uint32_t i = 0; i <= p->index; i++)
		p->random = random_next(&p->random);
	store_relaxed(&p->attention, ATTENTION_CHAOS); // the processor is nobody's
}

static void dawdle(struct processor *p)
{
	for (uint32_t n = random_below(&p->random, 500); n > 0; n--)
		arch_relax();
}

static void let_others_ahead(void)
{
	int64_t begun = sys_clock_now();
	if (begun < load_relaxed(&yields_from)) // a hint
		return;
	sys_yield();
	int64_t ended = sys_clock_now();
	store_relaxed(&yields_from, ended + (ended - begun) * YIELD_SHARE); // the same
}

void chaos_shuffle(struct processor *p)
{
	struct goroutine *g = NULL;

	if (simulation_is_on()) {
		simulation_choose(p);
		return;
	}
	switch (random_below(&p->random, 16)) {
	case 0:
	case 1:
	case 2:
		g = runq_take_next(&p->runq);
		if (g)
			schedule_submit(p, g, false);
		break;
	case 3:
	case 4:
		g = runq_get(&p->runq);
		if (g)
			schedule_submit(p, g, false);
		break;
	case 5:
		g = schedule_get_local(p);
		if (g)
			global_queue_submit(g);
		break;
	case 6:
		dawdle(p);
		break;
	case 7:
		let_others_ahead();
		break;
	default:
		break;
	}
}

// Not by the dice of a processor: the machine has none.
NOINLINE void chaos_stand_still(void)
{
	static uint64_t state;                  // atomic
	uint64_t random = load_relaxed(&state); // a race only makes it more random
	uint32_t dice = random_below(&random, 8);
	store_relaxed(&state, random); // the same
	if (dice == 0)
		sys_sleep(20000);
	else if (dice < 3)
		let_others_ahead();
}

NOINLINE void chaos_yield(void)
{
	struct machine *m = machine_current();

	if (!m || !m->processor || !m->current)
		return;
	if (simulation_is_on() ? simulation_preempts(m->current)
			       : random_below(&m->processor->random, 4) == 0)
		yield_to_others();
}
