// SPDX-License-Identifier: MIT
/*
 * Asking the kernel for events.
 *
 * The poller's descriptors are opened when somebody first waits and stay until the process ends:
 * descriptors of the program may be watched in one tuza_run and used in the next.
 *
 * At most one machine waits (poller.machine, chosen under rt.lock), at most one other thread looks.
 * Nobody looks while one waits: it would take events from somebody who is being woken for them. But
 * if all processors are busy, the one that waits could run nothing, and the kernel may be slow to
 * let it: then they look themselves.
 * Go: src/runtime/netpoll.go, netpoll_epoll.go; proc.go, findRunnable, pollWork.
 */
#include "sched/poller.h"

#include "sched/netpoll.h"
#include "sched/visit.h"
#include "sys/poller.h"
#include "sys/valgrind.h"
#include <tuza/error.h>

enum {
	LOOKS_AGAIN_NS = 10000, // half of what a looker spends: a guess
	ROUNDS_MOST = 64,       // of a look that finds little but ends: some ms
};

struct poller poller;

// Guards opening, which is a few system calls, once.
static struct lock open_lock;

NOINLINE static int open_now(void)
{
	int error = 0;
	refuse_after_fork();
	lock_acquire(&open_lock);
	if (!load_relaxed(&poller.is_open)) { // guarded by the lock
		error = sys_poller_open(&poller.kernel);
		if (!error)
			store_release(&poller.is_open, 1); // (poller-open) pairs with poller_open
	}
	lock_release(&open_lock);
	return error;
}

int poller_open(void)
{
	// (poller-open) pairs with open_now: the descriptors are seen.
	return likely(load_acquire(&poller.is_open)) ? 0 : open_now();
}

void poller_leave_to_parent(void)
{
	poller.kernel = (struct sys_poller){-1, -1};
	store_relaxed(&poller.is_open, 0); // one thread
}

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

static void note_look(const struct processor *p)
{
	store_relaxed(&poller.looked_at, clock_now()); // hints, both
	if (p)
		store_relaxed(&poller.looked_by, p->index);
}

struct goroutine *poller_look(const struct processor *p)
{
	// Hints, all of them: who misses an event by them looks again, or another does.
	if (load_relaxed(&poller.waiters) == 0 || load_relaxed(&poller.looking) ||
		(load_relaxed(&poller.machine) && load_relaxed(&rt.idle_processor_count) != 0) ||
		exchange_relaxed(&poller.looking, 1) != 0)
		return NULL;
	struct goroutine *first = NULL, **end = &first;
	struct sys_poll_event events[SYS_POLL_BATCH];
	is_here(events, sizeof events);
	int count, urgent = 0, rounds = 0;
	// The kernel has a queue as well: behind a thousand ends there may be a request.
	do {
		count = sys_poller_wait(&poller.kernel, events, 0);
		end = deliver(events, count, end, &urgent);
	} while (count == SYS_POLL_BATCH && urgent < SYS_POLL_BATCH / 2 && ++rounds < ROUNDS_MOST);
	*end = NULL;
	note_look(p);
	store_relaxed(&poller.looking, 0); // nothing is ordered by it
	return first;
}

struct goroutine *poller_wait(int64_t until)
{
	struct sys_poll_event events[SYS_POLL_BATCH];
	is_here(events, sizeof events);
	struct goroutine *first = NULL;
	int urgent = 0, count = sys_poller_wait(&poller.kernel, events, until);
	store_relaxed(&poller.looked_at, clock_now()); // a hint
	*deliver(events, count, &first, &urgent) = NULL;
	return first;
}

void poller_interrupt(void) { sys_poller_interrupt(&poller.kernel); }

bool poller_is_looked_after(const struct processor *but, int64_t now)
{
	// Hints, all of them.
	if (now - load_relaxed(&poller.looked_at) >= LOOKS_AGAIN_NS)
		return false;
	const struct processor *p = processor_at(load_relaxed(&poller.looked_by));
	return p && p != but && load_relaxed(&p->status) == PROCESSOR_RUNNING;
}

bool poller_is_neglected(int64_t now, int64_t ns)
{
	return load_relaxed(&poller.waiters) != 0 && !load_relaxed(&poller.machine) && // hints
	       now - load_relaxed(&poller.looked_at) >= ns;
}
