// SPDX-License-Identifier: MIT
/*
 * Claim: (scan) as long as a dump holds a goroutine, no machine runs it; a goroutine that runs is
 * not held; and neither waits for ever, nor loses what the other one wrote. With membarrier, and
 * without it, when machines always take the slow way.
 *
 * This is sched/inspect_hold.h and .c themselves. Machine and dumps are actors, coroutines that
 * stop before each atomic operation. All orders of their steps are executed under the rules of
 * total store order: a plain store goes into its actor's buffer, which only that actor sees, and
 * reaches memory in a step of its own; a locked operation empties the buffer first. That is what
 * x86-64 may do, and the part of what AArch64 may do that the protocol is about; the rest is the
 * business of the labels. An order that comes to a state in which another one has been is not
 * followed further: what can happen from there has been seen. (A state is told by 64 bits of a
 * hash.)
 *
 * The last scenario leaves the barrier out and must fail, or this model could see nothing.
 */
#include "orders.h"

// ---- memory -----------------------------------------------------------------------------------

static uint32_t model_load(uint32_t *p);
static void model_store(uint32_t *p, uint32_t v);
static uint32_t *model_locked(uint32_t *p); // the word in memory, for a locked operation

// In place of base/atomic.h.
#define TUZA_BASE_ATOMIC_H
#define load_relaxed(p) model_load(p)
#define load_acquire(p) model_load(p)
#define store_relaxed(p, v) model_store((p), (v))
#define store_release(p, v) model_store((p), (v))
#define add_seq_cst(p, v) model_add((p), (v))
#define sub_seq_cst(p, v) model_add((p), 0u - (v))
#define cas_acquire(p, expected, v) model_cas((p), (expected), (v))

static unsigned changes; // of memory

static void model_add(uint32_t *p, uint32_t v)
{
	*model_locked(p) += v;
	changes++;
}

static bool model_cas(uint32_t *p, uint32_t *expected, uint32_t v)
{
	uint32_t *word = model_locked(p);
	bool is_equal = *word == *expected;

	*(is_equal ? word : expected) = is_equal ? v : *word;
	changes += is_equal;
	return is_equal;
}

// In place of sched/goroutine.h.
#define TUZA_SCHED_GOROUTINE_H
enum { GOROUTINE_DEAD, GOROUTINE_RUNNABLE, GOROUTINE_RUNNING, GOROUTINE_WAITING };
struct goroutine {
	uint32_t state;
	uint32_t scan;
};

// In place of sched/visit.h: nobody here is a fork's child.
#define TUZA_SCHED_VISIT_H
static inline void refuse_after_fork(void) {}

#include "sched/inspect_hold.c"

// ---- actors and their orders ----------------------------------------------------------------

enum { BUFFERED = 8 };

struct actor {
	struct coroutine coroutine;
	bool waits;         // until somebody else changes memory
	unsigned waits_for; // `changes` when it began to
	struct {
		uint32_t *at;
		uint32_t value;
	} buffer[BUFFERED];
	int buffered;
	uint64_t seen; // a hash of all it has read and done: where it stands, and what it knows
};

static struct actor actors[ACTORS];
static int actor_count;

// The one that runs.
static struct actor *self(void) { return CONTAINER_OF(running, struct actor, coroutine); }

static void flush_oldest(struct actor *a)
{
	*a->buffer[0].at = a->buffer[0].value;
	a->buffered--;
	memmove(a->buffer, a->buffer + 1, (size_t)a->buffered * sizeof(a->buffer[0]));
	changes++;
}

static void flush_all(struct actor *a)
{
	while (a->buffered > 0)
		flush_oldest(a);
}

static void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash + value + 1) * 0x9e3779b97f4a7c15u;
	*hash ^= *hash >> 29;
}

static uint32_t model_load(uint32_t *p)
{
	model_step();
	struct actor *a = self();
	uint32_t value = *p;
	for (int i = 0; i < a->buffered; i++) // the latest counts
		if (a->buffer[i].at == p)
			value = a->buffer[i].value;
	mix(&a->seen, value);
	return value;
}

static void model_store(uint32_t *p, uint32_t v)
{
	model_step();
	struct actor *a = self();
	if (a->buffered == BUFFERED)
		abort();
	a->buffer[a->buffered].at = p;
	a->buffer[a->buffered++].value = v;
}

static uint32_t *model_locked(uint32_t *p)
{
	model_step();
	flush_all(self());
	mix(&self()->seen, *p);
	return p;
}

static bool is_able(const struct actor *a)
{
	return !a->coroutine.done && !(a->waits && a->waits_for == changes);
}

// One of the actors that can go on does its next step, or the oldest store of one reaches memory.
// False when nothing is left to do.
static bool step_one(void)
{
	struct actor *able[2 * ACTORS];
	int n = 0, steps;

	for (int i = 0; i < actor_count; i++)
		if (is_able(&actors[i]))
			able[n++] = &actors[i];
	steps = n;
	for (int i = 0; i < actor_count; i++)
		if (actors[i].buffered > 0)
			able[n++] = &actors[i];
	if (n == 0) {
		for (int i = 0; i < actor_count; i++)
			CLAIM(actors[i].coroutine.done); // else it waits for ever
		return false;
	}
	int choice = order_choose(n);
	struct actor *a = able[choice];
	if (choice >= steps) {
		flush_oldest(a);
		return true;
	}
	a->waits = false;
	mix(&a->seen, 0);
	coroutine_step(&a->coroutine);
	return true;
}

// ---- what inspect_hold.c asks of the OS -------------------------------------------------------

static enum { BARRIER, NO_BARRIER, BARRIER_FORGOTTEN } barrier;

bool sys_membarrier_works(void) { return barrier != NO_BARRIER; }

bool sys_membarrier_all(void)
{
	model_step();
	for (int i = 0; i < actor_count && barrier == BARRIER; i++)
		flush_all(&actors[i]);
	return true;
}

// Who found a word taken looks again when something has changed.
void sys_yield(void)
{
	self()->waits = true;
	self()->waits_for = changes;
}

void sys_sleep(int64_t ns)
{
	(void)ns;
	sys_yield();
}

// ---- machine and dump -------------------------------------------------------------------------

static struct goroutine goroutine;
static bool runs; // its code, on its stack
static int holds; // dumps that look at it

static void run_for_a_while(void)
{
	inspect_set_running(&goroutine);
	runs = true;
	CLAIM(holds == 0);
	model_step();
	CLAIM(holds == 0);
	runs = false;
}

// As schedule_parked: its stack is left, then the state says so.
static void resume_and_park(void)
{
	run_for_a_while();
	store_release(&goroutine.state, GOROUTINE_WAITING);
}

static void resume_twice(void)
{
	resume_and_park();
	run_for_a_while();
}

static void dump(void)
{
	inspect_begin();
	if (inspect_hold(&goroutine)) {
		holds++;
		CLAIM(!runs);
		model_step();
		CLAIM(!runs);
		holds--;
		inspect_release(&goroutine);
	}
	inspect_end();
}

static uint64_t visited[1 << 20]; // states, by their low bits and then the next free place
static long states;

// Whether another order, or this one, has been in the state that all is in now.
static bool was_here(void)
{
	uint64_t hash = goroutine.state | (uint64_t)goroutine.scan << 8 |
			(uint64_t)inspect_active << 16 | (uint64_t)inspecting << 24 |
			(uint64_t)runs << 32 | (uint64_t)holds << 40;

	for (int i = 0; i < actor_count; i++) {
		const struct actor *a = &actors[i];

		mix(&hash, a->seen);
		mix(&hash, is_able(a));
		for (int k = 0; k < a->buffered; k++)
			mix(&hash, (uintptr_t)a->buffer[k].at * 16 + a->buffer[k].value);
		mix(&hash, (uint64_t)a->buffered);
	}
	hash |= 1;
	uint64_t at = hash >> 20;
	while (visited[at % COUNT_OF(visited)] != 0)
		if (visited[at++ % COUNT_OF(visited)] == hash)
			return true;
	visited[at % COUNT_OF(visited)] = hash;
	if ((size_t)++states > COUNT_OF(visited) / 2)
		abort();
	return false;
}

static void actor_prepare(struct actor *a, void (*body)(void))
{
	a->waits = false;
	a->buffered = 0;
	a->seen = 0;
	coroutine_prepare(&a->coroutine, body);
}

// Returns how many claims failed.
static int explore(
	const char *name, int with_barrier, uint32_t state_at_end, void (*machine)(void), int dumps)
{
	long orders = 0;
	uint32_t active = with_barrier == NO_BARRIER ? 1 : 0; // as once_per_process

	barrier = with_barrier;
	failures = 0;
	memset(&order, 0, sizeof(order));
	memset(visited, 0, sizeof(visited));
	states = 0;
	do {
		bool ended = false;

		order.depth = 0;
		goroutine = (struct goroutine){GOROUTINE_WAITING, 0};
		inspect_active = active;
		inspecting = 0;
		runs = false;
		holds = 0;
		actor_prepare(&actors[0], machine);
		for (actor_count = 1; actor_count <= dumps; actor_count++)
			actor_prepare(&actors[actor_count], dump);
		// The first steps are those of the order before.
		while (!ended && !(order.depth > order.repeated && was_here()))
			ended = !step_one();
		orders++;
		if (!ended)
			continue;
		CLAIM(goroutine.state == state_at_end);
		CLAIM(goroutine.scan == 0 && inspecting == 0 && inspect_active == active);
	} while (failures == 0 && order_next());
	printf("%s: %ld states, %ld orders\n", name, states, orders);
	return failures;
}

int main(void)
{
	int failed = 0;

	failed += explore("a dump and a machine", BARRIER, GOROUTINE_WAITING, resume_and_park, 1);
	failed +=
		explore("a goroutine that runs twice", BARRIER, GOROUTINE_RUNNING, resume_twice, 1);
	failed += explore("two dumps", BARRIER, GOROUTINE_RUNNING, run_for_a_while, 2);
	failed += explore("no membarrier", NO_BARRIER, GOROUTINE_RUNNING, resume_twice, 1);
	fails_silently = true;
	if (explore("the barrier left out", BARRIER_FORGOTTEN, GOROUTINE_RUNNING, run_for_a_while,
		    1) == 0) {
		printf("the model does not see that the barrier is missing\n");
		failed++;
	}
	return failed != 0;
}
