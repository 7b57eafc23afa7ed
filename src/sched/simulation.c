// SPDX-License-Identifier: MIT
/*
 * Simulated runs. There is one processor, so the order of goroutines is a matter of its queue
 * alone, and that follows from the seed, as all other dice do. Time stands still while anybody can
 * run; when nobody can, the machine that would sleep until the earliest timer sets the clock
 * instead.
 *
 * What else could tell one run from the next stays out: the monitor ends no time slice, takes no
 * processor from a blocking section and lends none (hogs.c). Only a section that lasts so long that
 * it may wait for another goroutine lets the others run.
 *
 * Descriptors, plain threads and child processes are real. So while somebody waits for a descriptor
 * the clock goes on as the real one does: whatever comes from outside finds the deadlines that it
 * would have found, and nothing is fast.
 *
 * No way of choosing finds every bug. Dice find what takes many switches, but hardly ever keep
 * somebody waiting for long; priorities do, and find what takes few switches at the right places
 * (PCT, Burckhardt et al., ASPLOS 2010). So the seed decides on the way, too.
 */
#include "sched/simulation.h"

#include "base/hash.h"
#include "base/random.h"
#include "sched/global_queue.h"
#include "sched/machine.h"
#include "sched/schedule.h"
#include "sys/clock.h"

#include <string.h>

enum {
	MAIN_ID = 1,
	DEMOTED_PLACES = 1024,
	STARVED_LEAST = 16,  // schedulings that a victim waits: at least, and at most
	STARVED_MOST = 1024, //
	CALM_LOG = 10,       // for up to 2^9 schedulings there is no victim
	RARELY = 32,         // IN_ORDER: one in so many is out of order
};
// Not 0; far enough from it that a program may subtract.
static const int64_t BEGINS_AT = 3600 * TUZA_SECOND;

enum way {
	BY_DICE,     // anybody who can run
	BY_PRIORITY, // the highest; now and then the one that runs becomes the lowest
	STARVING,    // by dice, but one has to wait as long as there is another
	IN_ORDER,    // as in a real run, almost always
};

CACHE_ALIGNED int64_t simulated_now; // read by each look at the clock

// The owner's of the one processor, and between runs whoever begins one.
static struct {
	uint64_t seed, random;
	uint64_t ids_before; // goroutines of earlier runs
	enum way way;
	uint32_t preempts; // BY_PRIORITY: demotes; at one in so many places
	// The last demotion of those whose names share a place, the first is 1; 0: none.
	uint32_t demoted[DEMOTED_PLACES];
	uint32_t demotions;
	uint64_t victim;
	uint32_t victim_waits; // so many more schedulings
	uint32_t calm;         // so many after that there is no victim
	int64_t slept_at;      // the real time when the machine began to sleep
} sim;

static uint32_t below(uint32_t n) { return random_below(&sim.random, n); }

// Short ones are as likely as long ones: a victim shall stand anywhere in what it does.
static uint32_t calm_time(void) { return below(1u << below(CALM_LOG)); }

void simulation_begin(uint64_t seed)
{
	// In twentieths: a guess.
	static const uint8_t ways[] = {[BY_DICE] = 8, [BY_PRIORITY] = 6, [STARVING] = 3};
	static const uint32_t preempts[] = {2, 3, 4, 8};
	uint32_t dice;

	memset(&sim, 0, sizeof sim);
	sim.seed = seed;
	// Seeds are small and one after the other: dice thrown from them as they are would be too.
	sim.random = hash_mix(hash_mix(hash_mix(0, seed), 1), 2);
	sim.ids_before = load_relaxed(&rt.ids_taken); // nobody else is there yet
	dice = below(20);
	while (sim.way < IN_ORDER && dice >= ways[sim.way])
		dice -= ways[sim.way++];
	sim.preempts = preempts[below(COUNT_OF(preempts))];
	sim.calm = below(2) ? calm_time() : 0;
	store_relaxed(&simulated_now, BEGINS_AT); // as ids_taken
}

void simulation_end(void) { store_relaxed(&simulated_now, 0); } // between runs

uint64_t simulation_seed(void) { return sim.seed; }

// ---- the schedule ---------------------------------------------------------------------------

// The same in each run with this seed.
static uint64_t name_of(const struct goroutine *g)
{
	return g->id == MAIN_ID ? MAIN_ID : g->id - sim.ids_before;
}

// Forgetting a demotion would be fatal: while others become the lowest in turn, whoever is
// forgotten would be the highest again, and the one that they all wait for would never run.
static uint32_t *demotion_of(const struct goroutine *g)
{
	return &sim.demoted[name_of(g) % DEMOTED_PLACES];
}

static uint64_t priority_of(const struct goroutine *g)
{
	uint32_t demoted = *demotion_of(g);
	// Three rounds: names are near each other, and so are seeds; fewer leave most orders out.
	uint64_t hash = hash_mix(hash_mix(hash_mix(0, sim.seed), name_of(g)), 0);

	return demoted ? UINT32_MAX - demoted : hash | UINT64_C(1) << 32;
}

static void demote(const struct goroutine *g) { *demotion_of(g) = ++sim.demotions; }

static struct goroutine *in_queue(const struct runq *q, uint32_t i)
{
	return q->ring[(q->head + i) % RUNQ_SIZE];
}

// Of equals the first.
static uint32_t highest(const struct runq *q, uint32_t n)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < n; i++)
		if (priority_of(in_queue(q, i)) > priority_of(in_queue(q, best)))
			best = i;
	return best;
}

static uint32_t any_but_victim(const struct runq *q, uint32_t n)
{
	uint32_t i = below(n);

	if (sim.victim_waits == 0 && sim.calm == 0) {
		sim.victim = name_of(in_queue(q, below(n)));
		sim.victim_waits = STARVED_LEAST + below(STARVED_MOST - STARVED_LEAST);
		sim.calm = calm_time();
	}
	if (sim.victim_waits == 0) {
		sim.calm--;
		return i;
	}
	sim.victim_waits--;
	return name_of(in_queue(q, i)) == sim.victim ? (i + 1) % n : i;
}

void simulation_choose(struct processor *p)
{
	struct runq *q = &p->runq;
	struct goroutine *next, *chosen;
	uint32_t n, i = 0;

	// No dice where there is no choice: how often an idle machine looks is the kernel's matter.
	if (runq_length(q) < 2 || (sim.way == IN_ORDER && below(RARELY) != 0))
		return;
	next = runq_take_next(q);
	if (next && !runq_put(q, next))
		global_queue_overflow(p, next);
	n = runq_length(q); // nobody steals: there is no other processor
	if (n < 2)
		return;
	if (sim.way == BY_PRIORITY)
		i = highest(q, n);
	else if (sim.way == STARVING)
		i = any_but_victim(q, n);
	else
		i = below(n);
	chosen = in_queue(q, i);
	// The others stay in order.
	for (; i > 0; i--)
		store_relaxed(&q->ring[(q->head + i) % RUNQ_SIZE], in_queue(q, i - 1));
	store_relaxed(&q->ring[q->head % RUNQ_SIZE], chosen); // nobody else looks
}

bool simulation_preempts(const struct goroutine *g)
{
	bool does = below(sim.preempts) == 0;

	if (sim.way == BY_PRIORITY && does)
		demote(g);
	return does || sim.way == BY_PRIORITY; // who has become ready may be higher
}

// Else whoever waits in a loop for somebody lower would do so for ever.
void simulation_gave_way(const struct goroutine *g)
{
	if (sim.way == BY_PRIORITY)
		demote(g);
}

// All that are due at the same time at once would be one order of many: who comes with an answer
// when a time limit ends may be just in time, or just too late.
uint32_t simulation_fires(void)
{
	const struct machine *m = machine_current();
	uint32_t n;

	if (!m || !m->processor)
		return UINT32_MAX;                 // the dice are somebody else's
	n = runq_length(&m->processor->runq) == 0; // else they can wait
	while (below(2) == 0)
		n++;
	return n;
}

// ---- the clock ------------------------------------------------------------------------------

int64_t simulation_sleeps_until(int64_t until, bool outside)
{
	sim.slept_at = sys_clock_now();
	if (until == INT64_MAX)
		return until;
	return outside ? clock_after(sim.slept_at, until - clock_now()) : sim.slept_at;
}

void simulation_slept(int64_t until, bool outside, bool woken)
{
	int64_t passed = outside ? sys_clock_now() - sim.slept_at : 0;
	int64_t now = clock_after(clock_now(), passed);

	// What is outside may end the wait early for nobody's sake: an event nobody waits for.
	if (!outside && !woken)
		now = until;
	// A plain thread may have reckoned its timer before the clock was set the last time.
	if (now > until)
		now = until < clock_now() ? clock_now() : until;
	store_relaxed(&simulated_now, now); // whoever runs next is told by a lock
}
