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
#include "orders.h"

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

// ---- actors and their orders ----------------------------------------------------------------

enum { HEAPS = 3 };

struct actor {
	struct coroutine coroutine;
	int home; // its processor's heap
	struct lock *waits_for;
};

static struct actor actors[ACTORS];
static int actor_count;

static struct timer_heap heaps[HEAPS];
static struct timer timer; // all scenarios are about one
static unsigned flags;     // of the scenario

// The one that runs.
static struct actor *self(void) { return CONTAINER_OF(running, struct actor, coroutine); }

static void lock_acquire(struct lock *l)
{
	if (running) {
		self()->waits_for = l; // not stepped until it is free
		model_step();
		self()->waits_for = NULL;
	}
	CLAIM(l->word == 0);
	l->word = 1;
}

// Lets one of the actors that can go on do its next step; false when all are done.
static bool step_one(void)
{
	struct actor *able[ACTORS];
	int n = 0;

	for (int i = 0; i < actor_count; i++) {
		struct actor *a = &actors[i];
		if (!a->coroutine.done && !(a->waits_for && a->waits_for->word))
			able[n++] = a;
	}
	if (n == 0) {
		for (int i = 0; i < actor_count; i++)
			CLAIM(actors[i].coroutine.done); // else a deadlock
		return false;
	}
	coroutine_step(&able[order_choose(n)]->coroutine);
	return true;
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
		void (*body)(void);
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
			actor_count++) {
			struct actor *a = &actors[actor_count];
			a->home = s->actors[actor_count].home;
			a->waits_for = NULL;
			coroutine_prepare(&a->coroutine, s->actors[actor_count].body);
		}
		while (step_one())
			;
		orders++;
		s->outcome();
		for (int i = 0; i < HEAPS; i++)
			timer_heap_destroy(&heaps[i]);
		timer_heap_destroy(&kept);
		kept = (struct timer_heap){.earliest = INT64_MAX};
	} while (failures == 0 && order_next());
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

int64_t simulated_now;
uint32_t simulation_fires(void) { return 1; }
int64_t sys_clock_now(void) { return 0; }
int64_t sys_clock_coarse(void) { return 0; }
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
	return &heaps[running ? self()->home : 0];
}

// No heap dies here.
struct timer_heap *timer_heap_of_others(enum visit *visit) { return timer_heap_current(visit); }

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

static void restart_soon(void) { restart_at(10 + self()->home); }
static void restart_late(void) { restart_at(100 + self()->home); }
static void stop(void) { cancels += timer_stop(&timer); }

static void stop_for_good(void)
{
	stop();
	stopped = true;
}

static void run_heaps(void)
{
	for (int i = 0; i < HEAPS; i++)
		timer_heap_run(&heaps[i], 50);
}

static void run_first_heap(void) { timer_heap_run(&heaps[0], 50); }

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
static void end_and_begin(void)
{
	for (int i = 0; i < HEAPS; i++)
		timer_heap_end(&heaps[i], false);
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

static void go_to_sleep(void)
{
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
