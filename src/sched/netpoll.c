// SPDX-License-Identifier: MIT
/*
 * Records of descriptors, and waiting on them.
 *
 * A waiter lies on the waiting goroutine's stack. It is in its record's list from before it parks
 * until somebody takes it out: an event, a close, the record's timer, a change of the deadline.
 * Whoever takes it out, under the record's lock, writes why and makes the goroutine ready after the
 * unlock; nobody else touches it.
 *
 * Locks: the record's; a timer heap's may be held before it. Lock-free: the words (poll_word.h).
 * Go: src/runtime/netpoll.go
 */
#include "sched/netpoll_waiter.h"

#include "base/race_hooks.h"
#include "sched/config.h"
#include "sched/idle.h"
#include "sched/look.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/poll_set.h"
#include "sched/poller.h"
#include "sched/visit.h"
#include "sys/poller.h"
#include "sys/sockets.h"
#include <tuza/error.h>

#include <errno.h>

_Static_assert((int)NETPOLL_READ == SYS_POLL_READ && (int)NETPOLL_WRITE == SYS_POLL_WRITE &&
		       (int)NETPOLL_ENDED == SYS_POLL_ENDED,
	"events are passed through");

// ---- waiters: all of these need the record's lock ---------------------------------------------

struct goroutine *netpoll_take(struct netpoll_waiter *w, int result)
{
	list_remove(&w->link);
	w->result = result;
	if (w->counted != 0) {
		if (w->g->flags & GOROUTINE_THREAD)
			sub_relaxed(&poller.thread_waiters, 1); // looked at when nothing runs
		// (poll-idle) and (asleep): all_are_idle
		sub_seq_cst(&poller.count[w->counted - 1].waiters, 1);
	}
	if (result == TUZA_EIOTIMEOUT)
		w->g->flags |= GOROUTINE_PATIENT;
	return w->g;
}

struct goroutine **netpoll_take_all(
	struct netpoll *n, uint32_t directions, int result, struct goroutine **end)
{
	struct link *next;
	netpoll_init_list(n);
	for (struct link *l = n->waiters.next; l != &n->waiters; l = next) {
		struct netpoll_waiter *w = CONTAINER_OF(l, struct netpoll_waiter, link);
		next = l->next;
		if (!(w->directions & directions))
			continue;
		*end = netpoll_take(w, result);
		end = &(*end)->next;
	}
	return end;
}

// ---- opening and closing ----------------------------------------------------------------------

// Ends the generation: takes everybody out. Needs: n->lock
static struct goroutine **renew(struct netpoll *n, struct goroutine **end)
{
	for (int i = 0; i < 2; i++) {
		(void)poll_word_renew(&n->word[i]);
		store_relaxed(&n->deadline[i], 0); // under the lock
	}
	return netpoll_take_all(n, NETPOLL_READ | NETPOLL_WRITE, TUZA_EFDCLOSED, end);
}

static uint64_t tag_of(int fd, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint32_t)fd;
}

static const struct sys_poller *kernel_of(const struct netpoll *n)
{
	return poll_set_kernel(n->home);
}

int netpoll_open(int fd, struct netpoll **result, uint32_t *generation)
{
	struct goroutine *woken = NULL, **end = &woken;
	struct netpoll *n = netpoll_of_fd(fd, true);
	if (!n)
		return -ENOMEM;
	int error = poller_open();
	if (error)
		return error;
	lock_acquire(&n->lock);
	end = renew(n, end); // there is nobody, unless its last user did not close it with us
	uint64_t tag = tag_of(fd, netpoll_generation(n));
	n->home = POLL_SET_COMMON;
	n->stays = false;
	n->fd = fd;
	n->waits = (int16_t)(POLL_SET_SETTLE - poll_set_first());
	n->asks = false;
	n->cpu = POLL_SET_CPU_UNKNOWN;
	error = sys_poller_add(kernel_of(n), fd, NETPOLL_READ | NETPOLL_WRITE, tag);
	if (error == -EEXIST)
		error = sys_poller_change(kernel_of(n), fd, NETPOLL_READ | NETPOLL_WRITE, tag);
	n->registered = n->outside = error == 0;
	n->always = error ? 0 : NETPOLL_READ | NETPOLL_WRITE;
	*generation = netpoll_generation(n);
	lock_release(&n->lock);
	*end = NULL;
	if (woken)
		ready_list(woken);
	*result = n;
	return error;
}

void netpoll_share(struct netpoll *n)
{
	lock_acquire(&n->lock);
	n->stays = true;
	lock_release(&n->lock);
}

void netpoll_close(struct netpoll *n, int fd)
{
	struct goroutine *woken = NULL, **end = &woken;
	race_release(n); // pairs with netpoll_begin and netpoll_wait, which give TUZA_EFDCLOSED
	lock_acquire(&n->lock);
	end = renew(n, end);
	// Before close: other processes, or a copy of the descriptor, may keep the file open, and
	// the kernel would go on reporting it.
	if (n->registered)
		poll_set_remove(n->home, fd);
	n->registered = false;
	n->always = 0;
	n->closing++;
	lock_release(&n->lock);
	netpoll_disarm(n);
	*end = NULL;
	if (woken)
		ready_list(woken);
}

void netpoll_closed(struct netpoll *n)
{
	lock_acquire(&n->lock);
	n->closing--;
	lock_release(&n->lock);
}

uint32_t netpoll_open_memory(struct netpoll *n)
{
	lock_acquire(&n->lock);
	for (int i = 0; i < 2; i++)
		(void)poll_word_renew(&n->word[i]);
	n->closing = 0;
	uint32_t generation = netpoll_generation(n);
	lock_release(&n->lock);
	return generation;
}

void netpoll_destroy_memory(struct netpoll *n)
{
	(void)timer_stop(&n->timer); // somebody may have armed it while it was being closed
}

// ---- events -----------------------------------------------------------------------------------

struct goroutine **netpoll_event(
	struct netpoll *n, uint32_t generation, uint32_t events, struct goroutine **end)
{
	uint32_t waited = 0;
	for (int i = 0; i < 2; i++)
		if (events & 1u << i && poll_word_signal(&n->word[i], generation,
						events & NETPOLL_ENDED) == POLL_WAITED)
			waited |= 1u << i;
	if (!waited)
		return end;
	struct goroutine **first = end;
	lock_acquire(&n->lock);
	if (unlikely(n->asks) && waited & NETPOLL_READ) {
		n->asks = false;
		n->cpu = sys_receiving_cpu(n->fd);
	}
	// A new generation's waiters are woken for nothing only if the old one ended just now.
	if (netpoll_generation(n) == generation)
		end = netpoll_take_all(n, waited, 0, end);
	lock_release(&n->lock);
	// Whoever still writes has not ended, although each of its events tells of the other
	// side's.
	for (; events & NETPOLL_ENDED && first != end; first = &(*first)->next) {
		const struct netpoll_waiter *w = (*first)->waiting;
		if (w->directions == NETPOLL_READ)
			(*first)->flags |= GOROUTINE_PATIENT;
	}
	return end;
}

void netpoll_signal(struct netpoll *n, uint32_t generation, uint32_t directions)
{
	struct goroutine *woken = NULL, **end = netpoll_event(n, generation, directions, &woken);
	*end = NULL;
	if (woken)
		ready_list(woken);
}

// ---- waiting ----------------------------------------------------------------------------------

// Most deadlines are seconds ahead, which is known without the exact time.
static ALWAYS_INLINE bool is_over(int64_t deadline)
{
	return deadline < clock_coarse() + TUZA_SECOND && deadline <= clock_now();
}

int netpoll_begin(struct netpoll *n, uint32_t generation, uint32_t direction, uint64_t *seen)
{
	uint32_t i = direction >> 1;
	*seen = poll_word_see(&n->word[i]);
	if (poll_word_generation(*seen) != generation) {
		race_acquire(n);
		return TUZA_EFDCLOSED;
	}
	int64_t deadline = load_relaxed(&n->deadline[i]); // as if just before it was changed
	if (unlikely(deadline != 0 && is_over(deadline)))
		return TUZA_EIOTIMEOUT;
	return 0;
}

/*
 * The commit of the park. A machine that parks a goroutine looks for work next and asks the kernel
 * when it finds none; a plain thread asks nobody, and the runtime may have ended under it.
 *
 * (poll-idle)  a plain thread begins to wait        a machine goes to sleep
 *                1. count itself      (seq_cst)       1. spinning--             (seq_cst)
 *                2. look at spinning, and wake        2. look at the count when it decides
 *                   a looker if none  (seq_cst)          whether to poll        (seq_cst)
 * Not both may miss: if the thread saw a looker, that looker's later look sees the thread.
 */
static bool waits_now(struct goroutine *g, void *lock)
{
	bool is_thread = g->flags & GOROUTINE_THREAD;
	lock_release(lock);
	// g may be running again
	if (is_thread) {
		enum visit visit = visit_begin();
		if (!load_relaxed(&poller.machine) && // who clears it looks at the count again
			load_seq_cst(&rt.idle_processor_count) != 0) // (poll-idle)
			idle_wake();
		visit_end(visit);
	}
	return true;
}

// Adds the waiter and parks. Needs: n->lock, which it drops. The words announce it already.
static void enlist_and_park(struct netpoll_waiter *w)
{
	struct netpoll *n = w->n;
	list_push_back(&n->waiters, &w->link);
	w->g->waiting = w;
	if (n->outside) { // which may change while it waits
		uint32_t here = processor_index() % POLLER_COUNTS;
		w->counted = (uint16_t)(here + 1);
		if (w->g->flags & GOROUTINE_THREAD)
			add_relaxed(&poller.thread_waiters, 1); // looked at when nothing runs
		add_seq_cst(&poller.count[here].waiters, 1);    // (poll-idle)
	}
	park(waits_now, &n->lock, WAIT_IO, NULL);
}

/*
 * Announces a waiter for a descriptor that is not ours, and has the kernel report what is ready
 * now, and what will be, of all that is waited for. A number that is new, or stands for another
 * file than before (its last one was closed without tuza_close), begins a new generation.
 * Needs: n->lock
 *
 * Returns  0; RECKON_ANEW after an event; an error.
 */
static int announce_on_fd(struct netpoll *n, int fd, uint32_t directions, struct goroutine ***end)
{
	uint64_t seen[2] = {poll_word_see(&n->word[0]), poll_word_see(&n->word[1])};
	struct goroutine **end_before = *end;
	int error = -ENOENT;
	if (n->registered) {
		uint32_t all = directions | n->always;
		for (struct link *l = n->waiters.next; l != &n->waiters; l = l->next)
			all |= CONTAINER_OF(l, struct netpoll_waiter, link)->directions;
		error = sys_poller_change(kernel_of(n), fd, all, tag_of(fd, netpoll_generation(n)));
	}
	if (error == -ENOENT) {
		*end = renew(n, *end);
		for (int i = 0; i < 2; i++)
			seen[i] = poll_word_see(&n->word[i]);
		uint64_t tag = tag_of(fd, netpoll_generation(n));
		n->home = POLL_SET_COMMON;
		error = sys_poller_add(kernel_of(n), fd, directions, tag);
		if (error == -EEXIST)
			error = sys_poller_change(kernel_of(n), fd, directions, tag);
	}
	n->registered = n->outside = error == 0;
	for (uint32_t i = 0; i < 2 && !error; i++)
		if (directions & 1u << i && !poll_word_wait(&n->word[i], seen[i]))
			error = RECKON_ANEW;
	if (*end != end_before && !error)
		error = RECKON_ANEW; // others must be woken first
	return error;
}

// Before a wait for a descriptor of ours.
static void settle(struct netpoll *n)
{
	int next = POLL_SET_SETTLE, cpu = n->cpu;
	n->cpu = POLL_SET_CPU_UNKNOWN;
	if (n->registered && n->always && !n->stays)
		n->home = (uint16_t)poll_set_settle(n->home, n->fd, n->always,
			tag_of(n->fd, netpoll_generation(n)), cpu, &next);
	n->asks = next == POLL_SET_ASKS;
	n->waits = (int16_t)(POLL_SET_SETTLE - next);
}

// One attempt: 0, an error, or RECKON_ANEW. `seen`: NULL for a descriptor that is not ours, of
// number fd.
static int wait_once(struct netpoll *n, uint32_t generation, uint32_t directions,
	const uint64_t *seen, int fd, int64_t own_deadline)
{
	struct netpoll_waiter w = {.n = n,
		.g = goroutine_current(),
		.directions = directions,
		.result = WAIT_GOES_ON,
		.until = netpoll_earliest(n, directions, own_deadline)};
	struct goroutine *woken = NULL, **end = &woken;
	int error = netpoll_fires_by(n, w.until) ? 0 : netpoll_arm(n, w.until);
	if (error)
		return error;
	lock_acquire(&n->lock);
	netpoll_init_list(n);
	if (seen && netpoll_generation(n) != generation)
		error = TUZA_EFDCLOSED;
	else if (netpoll_earliest(n, directions, own_deadline) != w.until ||
		 !netpoll_fires_by(n, w.until))
		error = RECKON_ANEW;
	else if (!seen && n->closing != 0)
		error = IS_CLOSING;
	else if (!seen)
		error = announce_on_fd(n, fd, directions, &end);
	else if (!poll_word_wait(&n->word[directions >> 1], *seen))
		w.result = 0; // there was an event
	if (error == 0 && w.result == WAIT_GOES_ON) {
		if (seen && unlikely(++n->waits >= POLL_SET_SETTLE))
			settle(n);
		enlist_and_park(&w);
		error = w.result;
		if (w.g->flags & GOROUTINE_PATIENT)
			w.g->flags &= ~(uint32_t)GOROUTINE_PATIENT;
	} else {
		lock_release(&n->lock);
		*end = NULL;
		if (woken)
			ready_list(woken);
	}
	if (error == TUZA_EFDCLOSED)
		race_acquire(n);
	return error;
}

int netpoll_wait(struct netpoll *n, uint32_t generation, uint32_t direction, uint64_t seen)
{
	int result;
	park_check(WAIT_IO);
	do
		result = wait_once(n, generation, direction, &seen, -1, 0);
	while (result == RECKON_ANEW);
	return result;
}

int netpoll_pause(struct netpoll *n, uint32_t generation, uint32_t direction, int64_t until)
{
	park_check(WAIT_IO);
	while (clock_now() < until) {
		uint64_t seen;
		int result = netpoll_begin(n, generation, direction, &seen);
		if (!result)
			result = wait_once(n, generation, direction, &seen, -1, until);
		if (result < 0 && !(result == TUZA_EIOTIMEOUT && clock_now() >= until))
			return result;
	}
	return 0;
}

int netpoll_wait_fd(int fd, uint32_t directions, int64_t deadline)
{
	struct netpoll *n = fd < 0 ? NULL : netpoll_of_fd(fd, true);
	if (!n) {
		int result = fd < 0 ? -EBADF : sys_poll_now(fd, directions);
		return result ? result : -ENOMEM; // for a number that is no descriptor: that
	}
	park_check(WAIT_IO);
	for (;;) {
		int result = sys_poll_now(fd, directions);
		if (result != 0) // regular files are always ready: they need no poller
			return result;
		result = poller_open();
		if (result)
			return result;
		result = wait_once(n, 0, directions, NULL, fd, deadline);
		if (result < 0)
			return result;
		if (result == IS_CLOSING)
			yield_to_others(); // until the number stands for nothing, or for another
	}
}

void netpoll_give_way(void)
{
	struct machine *m = machine_current();
	struct processor *p = m ? m->processor : NULL;
	if (!p || load_relaxed(&rt.idle_processor_count) != 0) // hint: the others are run there
		return;
	if (runq_length(&p->runq) < GLOBAL_QUEUE_TICK) // as in schedule()
		(void)look_outside(p);
	yield_to_others();
}

bool netpoll_gathers(void) { return config.gathers; }
bool netpoll_always_gathers(void) { return config.always_gathers; }

// ---- the end of the runtime -------------------------------------------------------------------

bool netpoll_unlink(void *waiting)
{
	struct netpoll_waiter *w = waiting;
	struct netpoll *n = w->n;
	lock_acquire(&n->lock);
	bool waits = link_is_linked(&w->link);
	if (waits)
		(void)netpoll_take(w, 0);
	lock_release(&n->lock);
	return waits;
}
