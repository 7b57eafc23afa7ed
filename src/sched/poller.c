// SPDX-License-Identifier: MIT
/*
 * Asking the kernel for events.
 *
 * The poller's descriptors are opened when somebody first waits and stay until the process ends:
 * descriptors of the program may be watched in one tuza_run and used in the next.
 *
 * There is a set of descriptors for all, and one for each processor that had use for it
 * (poll_set.c). At most one machine waits, for all sets (poller.machine, chosen under rt.lock), at
 * most one other thread looks at a set. Nobody looks while one waits: it would take events from
 * somebody who is being woken for them. But if all processors are busy, the one that waits could
 * run nothing, and the kernel may be slow to let it: then they look themselves.
 * Go: src/runtime/netpoll.go, netpoll_epoll.go; proc.go, findRunnable, pollWork.
 */
#include "sched/poller.h"

#include "sched/idle.h"
#include "sched/netpoll.h"
#include "sched/poll_set.h"
#include "sched/visit.h"
#include "sys/clock.h"
#include "sys/poller.h"
#include "sys/valgrind.h"
#include <tuza/error.h>

enum {
	LOOKS_AGAIN_NS = 10000,  // half of what a looker spends: a guess
	ROUNDS_MOST = 64,        // of a look that finds little but ends: some ms
	COMMON_EVERY_NS = 50000, // a busy processor asks for new connections, too: a guess
	ELSEWHERE_NS = 100000,   // without work, at others' sets: by then most owners have looked
	AT_ONCE = 1,             // a deadline that is over, of somebody who has waited
};

struct poller poller;

// Guards opening, which is a few system calls, once.
static struct lock open_lock;

NOINLINE static int open_now(void)
{
	int error = 0;
	refuse_after_fork();
	lock_acquire(&open_lock);
	struct poll_set *common = &poll_sets[POLL_SET_COMMON];
	if (!load_relaxed(&common->is_open)) { // guarded by the lock
		error = sys_poller_open(&common->kernel);
		if (!error)
			store_release(&common->is_open, 1); // (poll-set) poll_set_is_open
	}
	lock_release(&open_lock);
	return error;
}

int poller_open(void) { return likely(poll_set_is_open(POLL_SET_COMMON)) ? 0 : open_now(); }

/*
 * Passes events on, appends who waited for them at *end; returns the new end.
 *
 *   urgent  grows by those that cannot wait (patient.c).
 */
static struct goroutine **deliver(
	const struct sys_poll_event *events, int count, struct goroutine **end, int *urgent)
{
	// Nobody who waits would ever be woken: the program has closed what is not its own, or a
	// filter of system calls forbids this one.
	if (unlikely(count < 0))
		fatal_all("tuza: cannot wait for descriptors: %s", tuza_strerror(count));
	for (int i = 0; i < count; i++) {
		// The tag: generation and number, as netpoll.c made it.
		struct netpoll *n = netpoll_of_fd((int)(uint32_t)events[i].tag, false);
		struct goroutine **before = end;
		end = netpoll_event(n, (uint32_t)(events[i].tag >> 32), events[i].events, end);
		*urgent += end != before && !(events[i].events & NETPOLL_ENDED);
	}
	return end;
}

// Valgrind takes a large frame for a switch of stacks when what it knows of the machine's stack is
// out of date, and then does not know that the frame is there.
static void is_here(void *frame, size_t bytes)
{
	(void)bytes; // without valgrind's headers
	(void)VALGRIND_MAKE_MEM_UNDEFINED(frame, bytes);
}

// Nobody can run what is found, or a machine that waits in the kernel is being woken for it. Hints,
// all of them: who misses an event by them looks again, or another does.
static bool is_in_vain(const struct processor *p)
{
	return !poller_is_awaited(p ? p->index : 0) ||
	       (load_relaxed(&poller.machine) && load_relaxed(&rt.idle_processor_count) != 0);
}

// Looks at a set: appends who must be made ready at **end, and moves *end on. False: another one
// does.
static bool look_at(uint32_t i, struct goroutine ***end, uint32_t *found)
{
	struct poll_set *set = &poll_sets[i];
	if (load_relaxed(&set->looking) || exchange_relaxed(&set->looking, 1) != 0) // hints
		return false;
	struct sys_poll_event events[SYS_POLL_BATCH];
	is_here(events, sizeof events);
	int count, urgent = 0, rounds = 0;
	*found = 0;
	// The kernel has a queue as well: behind a thousand ends there may be a request.
	do {
		count = sys_poller_wait(&set->kernel, events, 0);
		*end = deliver(events, count, *end, &urgent);
		*found += (uint32_t)count;
	} while (count == SYS_POLL_BATCH && urgent < SYS_POLL_BATCH / 2 && ++rounds < ROUNDS_MOST);
	store_relaxed(&set->looked_at, sys_clock_now()); // a hint
	store_relaxed(&set->looking, 0);                 // nothing is ordered by it
	return true;
}

static void look_at_common(const struct processor *p, struct goroutine ***end)
{
	uint32_t found;
	if (look_at(POLL_SET_COMMON, end, &found) && p)
		store_relaxed(&poller.looked_by, p->index); // a hint
}

static void look_at_own(const struct processor *p, struct goroutine ***end)
{
	uint32_t own = poll_set_of(p), found;
	if (own != POLL_SET_COMMON && poll_set_is_open(own) && look_at(own, end, &found))
		poll_set_note(p, found);
}

// For whoever has nothing else to do.
static bool is_unwatched(uint32_t i, int64_t now)
{
	return now - load_relaxed(&poll_sets[i].looked_at) >= ELSEWHERE_NS; // a hint
}

// At those of other processors that `which` picks.
static void look_at_others(const struct processor *p, int64_t now,
	bool (*which)(uint32_t i, int64_t now), struct goroutine ***end)
{
	uint32_t count = load_relaxed(&poll_set_count), own = poll_set_of(p), found; // a hint
	for (uint32_t i = POLL_SET_COMMON + 1; i < count; i++)
		if (i != own && which(i, now) && poll_set_is_open(i))
			(void)look_at(i, end, &found);
}

static int64_t common_looked_at(void)
{
	return load_relaxed(&poll_sets[POLL_SET_COMMON].looked_at); // a hint
}

struct goroutine *poller_look(const struct processor *p)
{
	struct goroutine *first = NULL, **end = &first;
	if (is_in_vain(p))
		return NULL;
	if (likely(load_relaxed(&poll_set_count) == 0)) { // a hint
		look_at_common(p, &end);
	} else {
		look_at_own(p, &end);
		int64_t now = sys_clock_now();
		if (end == &first || now - common_looked_at() >= COMMON_EVERY_NS) {
			look_at_common(p, &end);
			look_at_others(p, now, p ? poll_set_is_neglected : is_unwatched, &end);
		}
	}
	*end = NULL;
	return first;
}

struct goroutine *poller_look_idle(const struct processor *p, int64_t now, bool common)
{
	struct goroutine *first = NULL, **end = &first;
	if ((!common && load_relaxed(&poll_set_count) == 0) || is_in_vain(p)) // a hint
		return NULL;
	look_at_own(p, &end);
	if (common && end == &first)
		look_at_common(p, &end);
	if (end == &first)
		look_at_others(p, now, is_unwatched, &end);
	*end = NULL;
	return first;
}

// Waits for events of any set, and takes those of processors'.
static void wait_for_any(struct machine *m, int64_t until, struct goroutine ***end)
{
	const struct sys_poller *kernels[POLL_SETS];
	uint32_t sets[POLL_SETS], count = 0, found;
	bool ready[POLL_SETS];
	// (poll-set) what was opened before this wait was decided on, under rt.lock, is seen; what
	// is opened later interrupts it: make_own
	uint32_t all = load_acquire(&poll_set_count);
	for (uint32_t i = 0; i < all; i++) {
		if (!poll_set_is_open(i))
			continue;
		sets[count] = i;
		kernels[count++] = poll_set_kernel(i);
	}
	sys_poller_wait_for_any(kernels, ready, (int)count, until);
	idle_carries(m, true); // before the first waits no more
	for (uint32_t i = 1; i < count; i++)
		if (ready[i])
			(void)look_at(sets[i], end, &found);
}

struct goroutine *poller_wait(struct machine *m, int64_t until)
{
	struct sys_poll_event events[SYS_POLL_BATCH];
	is_here(events, sizeof events);
	struct goroutine *first = NULL, **end = &first;
	if (load_relaxed(&poll_set_count) != 0) { // as in wait_for_any
		wait_for_any(m, until, &end);
		until = AT_ONCE;
	}
	int urgent = 0, count = sys_poller_wait(poll_set_kernel(POLL_SET_COMMON), events, until);
	store_relaxed(&poll_sets[POLL_SET_COMMON].looked_at, sys_clock_now()); // a hint
	idle_carries(m, true);
	*deliver(events, count, end, &urgent) = NULL;
	return first;
}

void poller_interrupt(void) { sys_poller_interrupt(poll_set_kernel(POLL_SET_COMMON)); }

bool poller_is_looked_after(const struct processor *but, int64_t now)
{
	// Hints, all of them.
	if (now - common_looked_at() >= LOOKS_AGAIN_NS)
		return false;
	const struct processor *p = processor_at(load_relaxed(&poller.looked_by));
	return p && p != but && load_relaxed(&p->status) == PROCESSOR_RUNNING;
}

bool poller_is_neglected(int64_t now, int64_t ns)
{
	return now - common_looked_at() >= ns && !load_relaxed(&poller.machine) && // hints, all
	       poller_is_awaited(0);
}
