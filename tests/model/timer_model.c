// SPDX-License-Identifier: MIT
/*
 * Claim: whatever the order in which timers are started, moved, stopped and fired,
 *
 *   - a timer is in at most one heap, and each start is fired or cancelled exactly once;
 *   - once timer_stop has returned, fire does not run, so the timer may be freed;
 *   - a timer that became the earliest is seen by the machine that goes to sleep, or wakes it;
 *   - the same when the runtime ends meanwhile, and the timer goes on in the next one.
 *
 * These are sched/timer.c and sched/timer_heap.c themselves. Each call is an actor, a coroutine
 * that stops before each lock and each atomic operation that the scenario's other actors may see;
 * all orders of all actors' steps are executed, one after the other. (Orders, not weaker memories:
 * those are the business of the labels and of ThreadSanitizer.)
 */
#include "base/compiler.h"

static void model_step(void);
static void model_step_at(const void *p);

// In place of base/atomic.h: the same operations, each a step of its actor where the order matters.
#define TUZA_BASE_ATOMIC_H
#define load_relaxed(p) (*(p))
#define store_relaxed(p, v) (model_step_at(p), (void)(*(p) = (v)))
#define load_acquire(p) (model_step_at(p), *(p))
#define store_release(p, v) (model_step_at(p), (void)(*(p) = (v)))
#define load_seq_cst(p) load_acquire(p)
#define store_seq_cst(p, v) (model_step_at(p), (void)(*(p) = (v)))
#define cas_relaxed(p, expected, v)                                                                \
	(model_step_at(p), *(p) == *(expected) ? (*(p) = (v), true) : (*(expected) = *(p), false))

static inline uint32_t model_exchange(uint32_t *p, uint32_t v)
{
	uint32_t old = *p;

	*p = v;
	return old;
}

/*
 * In place of sched/lock.h. Leaving a lock is no step: what another actor could do between the last
 * store before it and the release, it can do before that store as well, since it must have the lock
 * or look at what was stored.
 */
#define TUZA_SCHED_LOCK_H
struct lock {
	uint32_t word;
};
static void lock_acquire(struct lock *l);
static inline bool lock_try(struct lock *l)
{
	model_step();
	return model_exchange(&l->word, 1) == 0;
}
static inline void lock_release(struct lock *l) { l->word = 0; }

// In place of sched/park.h: timers hand goroutines on and look at nothing but this.
#define TUZA_SCHED_PARK_H
struct goroutine {
	struct goroutine *next;
};

// In place of sched/visit.h: no end of the runtime begins while somebody starts timers.
#define TUZA_SCHED_VISIT_H
enum visit { VISIT_NONE };
static inline void visit_end(enum visit v) { (void)v; }

#include "sched/timer.c"
#include "sched/timer_heap.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

// ---- actors and their orders ----------------------------------------------------------------

enum { ACTORS = 3, HEAPS = 3, STEPS_MAX = 256, STACK_BYTES = 64 << 10 };

struct actor {
	void (*body)(struct actor *);
	int home; // its processor's heap
	bool done;
	struct lock *waits_for;
	ucontext_t context;
};

static struct actor actors[ACTORS];
static char stacks[ACTORS][STACK_BYTES] __attribute__((aligned(16)));
static int actor_count;
static struct actor *running; // NULL: the scenario prepares or looks at the outcome
static ucontext_t explorer;

static struct {
	int depth;
	unsigned char choice[STEPS_MAX], of[STEPS_MAX];
} order;

static struct timer_heap heaps[HEAPS];
static struct timer timer; // all scenarios are about one
static int failures;
static unsigned flags; // of the scenario

#define CLAIM(condition)                                                                           \
	do {                                                                                       \
		if (!(condition) && failures++ < 10) {                                             \
			printf("%s:%d: failed: %s, in the order", __FILE__, __LINE__, #condition); \
			for (int i_ = 0; i_ < order.depth; i_++)                                   \
				printf(" %d/%d", order.choice[i_], order.of[i_]);                  \
			printf("\n");                                                              \
		}                                                                                  \
	} while (0)

static void model_step(void)
{
	if (running)
		swapcontext(&running->context, &explorer);
}

static void lock_acquire(struct lock *l)
{
	if (running) {
		running->waits_for = l; // not stepped until it is free
		model_step();
		running->waits_for = NULL;
	}
	CLAIM(l->word == 0);
	l->word = 1;
}

static void actor_main(void)
{
	running->body(running);
	running->done = true;
	swapcontext(&running->context, &explorer);
}

// Lets one of the actors that can go on do its next step; false when all are done.
static bool step_one(void)
{
	struct actor *able[ACTORS];
	int n = 0, at = order.depth;

	for (int i = 0; i < actor_count; i++)
		if (!actors[i].done && !(actors[i].waits_for && actors[i].waits_for->word))
			able[n++] = &actors[i];
	if (n == 0) {
		for (int i = 0; i < actor_count; i++)
			CLAIM(actors[i].done); // else a deadlock
		return false;
	}
	if (at >= STEPS_MAX)
		abort();
	order.of[at] = (unsigned char)n;
	order.depth++;
	running = able[order.choice[at]];
	swapcontext(&explorer, &running->context);
	running = NULL;
	return true;
}

// The next order, depth first; false after the last.
static bool next_order(void)
{
	int at = order.depth;

	while (at-- > 0) {
		if (order.choice[at] + 1 < order.of[at]) {
			order.choice[at]++;
			memset(order.choice + at + 1, 0, sizeof(order.choice) - (size_t)at - 1);
			return true;
		}
	}
	return false;
}

static NOINLINE void actor_prepare(int i, void (*body)(struct actor *), int home)
{
	struct actor *a = &actors[i];

	a->body = body;
	a->home = home;
	a->done = false;
	a->waits_for = NULL;
	getcontext(&a->context);
	a->context.uc_stack.ss_sp = stacks[i];
	a->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&a->context, actor_main, 0);
}

// What the other actors of a scenario look at, or change, besides the heaps under their locks and
// timer.index.
enum { SEES_EARLIEST = 1, GROWS = 2 };

struct scenario {
	const char *name;
	unsigned flags;
	void (*prepare)(void);
	void (*outcome)(void);
	struct {
		void (*body)(struct actor *);
		int home;
	} actors[ACTORS];
};

// A heap that has no room makes the orders many; most scenarios have it made before.
static void heap_make_room(struct timer_heap *h)
{
	h->slots = sys_pages_alloc(FIRST_CAPACITY * sizeof(*h->slots));
	h->capacity = FIRST_CAPACITY;
}

static void explore(const struct scenario *s)
{
	long orders = 0;

	memset(&order, 0, sizeof(order));
	do {
		order.depth = 0;
		memset(heaps, 0, sizeof(heaps));
		for (int i = 0; i < HEAPS; i++)
			timer_heap_init(&heaps[i]);
		for (int i = 0; i < HEAPS && !(s->flags & GROWS); i++)
			heap_make_room(&heaps[i]);
		flags = s->flags;
		s->prepare();
		for (actor_count = 0; actor_count < ACTORS && s->actors[actor_count].body;
			actor_count++)
			actor_prepare(actor_count, s->actors[actor_count].body,
				s->actors[actor_count].home);
		while (step_one())
			;
		orders++;
		s->outcome();
		for (int i = 0; i < HEAPS; i++)
			timer_heap_destroy(&heaps[i]);
		timer_heap_destroy(&kept);
		kept = (struct timer_heap){.earliest = INT64_MAX};
	} while (failures == 0 && next_order());
	printf("%s: %ld orders\n", s->name, orders);
}

static void model_step_at(const void *p)
{
	bool is_seen = flags & SEES_EARLIEST;

	if (p == &timer.heap || p == &timer.index)
		is_seen = !(flags & SEES_EARLIEST);
	if (is_seen)
		model_step();
}

// ---- what they ask of others ------------------------------------------------------------------

int64_t sys_clock_now(void) { return 0; }
void *sys_pages_alloc(size_t bytes) { return malloc(bytes); }

void sys_pages_free(void *base, size_t bytes)
{
	(void)bytes;
	free(base);
}

void goroutine_provide(void) {}

struct timer_heap *timer_heap_current(enum visit *visit)
{
	*visit = VISIT_NONE;
	return &heaps[running ? running->home : 0];
}

enum { NOBODY_SLEEPS = -1 };
static int64_t poll_until; // until when the sleeper of a scenario sleeps
static bool sleeper_woken;

void timer_became_earliest(int64_t when)
{
	if (flags & SEES_EARLIEST)
		model_step();
	if (poll_until != NOBODY_SLEEPS && when < poll_until)
		sleeper_woken = true;
}

// ---- the timer of a scenario ------------------------------------------------------------------

static int starts, fires, cancels;
static bool stopped; // the last that was done with it was timer_stop: it may have been freed

static struct goroutine *fire(struct timer *t, int64_t now)
{
	(void)now;
	model_step(); // it takes a while
	CLAIM(!stopped);
	CLAIM(t == &timer);
	fires++;
	return NULL;
}

static void forget_counts(void)
{
	starts = fires = cancels = 0;
	stopped = sleeper_woken = false;
	poll_until = NOBODY_SLEEPS;
	timer = (struct timer){.fire = fire, .outlives = true};
}

static void restart_at(int64_t when)
{
	int error;

	starts++;
	cancels += timer_restart(&timer, when, 0, NULL, &error);
	CLAIM(error == 0);
}

static void restart_soon(struct actor *a) { restart_at(10 + a->home); }
static void restart_late(struct actor *a) { restart_at(100 + a->home); }

static void stop(struct actor *a)
{
	(void)a;
	cancels += timer_stop(&timer);
}

static void stop_for_good(struct actor *a)
{
	stop(a);
	stopped = true;
}

static void run_heaps(struct actor *a)
{
	(void)a;
	for (int i = 0; i < HEAPS; i++)
		timer_heap_run(&heaps[i], 50);
}

static void run_first_heap(struct actor *a)
{
	(void)a;
	timer_heap_run(&heaps[0], 50);
}

static void check_heaps(void)
{
	uint32_t held = 0;

	for (int i = 0; i < HEAPS; i++) {
		struct timer_heap *h = &heaps[i];

		held += h->count;
		CLAIM(h->lock.word == 0);
		CLAIM(h->earliest == (h->count ? h->slots[0].when : INT64_MAX));
		for (uint32_t k = 0; k < h->count; k++)
			CLAIM(h->slots[k].timer == (uintptr_t)&timer && timer.heap == h &&
				timer.index == k + 1 && h->slots[k].when == timer.when);
	}
	CLAIM(kept.count == 0);
	CLAIM(held <= 1);
	CLAIM((timer.index != 0) == (held == 1));
	CLAIM(starts == fires + cancels + (int)held);
}

static void prepare_running(void)
{
	forget_counts();
	restart_at(20);
}

static void prepare_fired(void)
{
	prepare_running();
	timer_heap_run(&heaps[0], 20);
}

// The runtime ends, while plain threads may stop timers, and begins again.
static void end_and_begin(struct actor *a)
{
	(void)a;
	for (int i = 0; i < HEAPS; i++)
		timer_heap_end(&heaps[i]);
	timer_heap_begin(&heaps[0]);
}

static void prepare_in_second_heap(void)
{
	int error;

	forget_counts();
	timer.heap = &heaps[1];
	starts++;
	(void)timer_restart(&timer, 20, 0, NULL, &error);
}

static void prepare_new(void) { forget_counts(); }

// ---- going to sleep (timekeeper.c) ----------------------------------------------------------

static int64_t sleeps_until;

static int64_t earliest_of_all(void)
{
	int64_t earliest = INT64_MAX;

	for (int i = 0; i < HEAPS; i++) {
		int64_t when = load_acquire(&heaps[i].earliest);

		if (when < earliest)
			earliest = when;
	}
	return earliest;
}

static void go_to_sleep(struct actor *a)
{
	(void)a;
	store_seq_cst(&poll_until, 1000);
	sleeps_until = earliest_of_all();
	if (sleeps_until < 1000)
		store_seq_cst(&poll_until, sleeps_until);
	else
		sleeps_until = 1000;
}

static void check_sleeper(void)
{
	int64_t earliest = INT64_MAX;

	check_heaps();
	for (int i = 0; i < HEAPS; i++)
		if (heaps[i].count && heaps[i].slots[0].when < earliest)
			earliest = heaps[i].slots[0].when;
	CLAIM(sleeper_woken || sleeps_until <= earliest);
}

static const struct scenario scenarios[] = {
	{"start beside going to sleep", SEES_EARLIEST, prepare_new, check_sleeper,
		{{go_to_sleep, 0}, {restart_soon, 1}}},
	{"restart earlier beside going to sleep", SEES_EARLIEST, prepare_running, check_sleeper,
		{{go_to_sleep, 0}, {restart_soon, 1}}},
	{"two restarts beside going to sleep", SEES_EARLIEST, prepare_running, check_sleeper,
		{{go_to_sleep, 0}, {restart_soon, 1}, {restart_late, 2}}},
	{"stop beside fire", 0, prepare_running, check_heaps,
		{{stop_for_good, 0}, {run_first_heap, 0}}},
	{"stop beside fire on two machines", 0, prepare_running, check_heaps,
		{{stop_for_good, 0}, {run_first_heap, 0}, {run_first_heap, 1}}},
	{"restart beside fire", 0, prepare_running, check_heaps,
		{{restart_late, 1}, {run_heaps, 0}}},
	{"restart of a fired timer from another processor beside stop", 0, prepare_fired,
		check_heaps, {{restart_late, 1}, {stop, 0}}},
	{"two restarts of a fired timer from two processors", 0, prepare_fired, check_heaps,
		{{restart_soon, 1}, {restart_late, 2}}},
	{"two restarts of a fired timer beside a stop", 0, prepare_fired, check_heaps,
		{{restart_soon, 1}, {restart_late, 2}, {stop, 0}}},
	{"restart from another processor beside stop and fire", 0, prepare_running, check_heaps,
		{{restart_late, 1}, {stop, 2}, {run_first_heap, 0}}},
	{"two restarts that need room", GROWS, prepare_fired, check_heaps,
		{{restart_soon, 1}, {restart_late, 1}}},
	{"two first starts", 0, prepare_new, check_heaps, {{restart_soon, 1}, {restart_late, 2}}},
	{"stop beside the end of the runtime", 0, prepare_running, check_heaps,
		{{end_and_begin, 0}, {stop, 2}}},
	{"stop in another heap beside the end of the runtime", 0, prepare_in_second_heap,
		check_heaps, {{end_and_begin, 0}, {stop_for_good, 2}}},
	{"stop of a fired timer beside the end of the runtime", 0, prepare_fired, check_heaps,
		{{end_and_begin, 0}, {stop, 2}}},
};

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	for (size_t i = 0; i < COUNT_OF(scenarios); i++)
		explore(&scenarios[i]);
	return failures != 0;
}
