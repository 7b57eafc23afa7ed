// SPDX-License-Identifier: MIT
/*
 * Channels: sending, receiving, closing. (Making and releasing: memory.c.)
 *
 * One lock per channel, held for a copy and a few links. A send that finds a receiver waiting
 * copies straight to its variable (no barging: a value that was handed over cannot be taken by
 * somebody else). A receive from a full buffer takes the oldest value and moves the first waiting
 * sender's to the end, so the order is global.
 *
 * Last touch: the woken side does not look at the channel again, and the waker unlocks before it
 * makes ready.
 *
 * Rejected: lock-free rings (a select needs to undo), a wake-up through the buffer (one more copy,
 * and barging). Go: src/runtime/chan.go
 */
#include "chan/chan.h"

#include "base/fatal.h"
#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/upcalls.h"

#include <errno.h>
#include <stdlib.h>

EXPORT size_t tuza_chan_len(const tuza_chan *c)
{
	return !c || c->kind == CHAN_TIMER ? 0 : load_relaxed(&c->count); // a snapshot
}

EXPORT size_t tuza_chan_cap(const tuza_chan *c)
{
	if (!c || c->kind == CHAN_TIMER)
		return 0;
	return c->kind == CHAN_UNBOUNDED ? SIZE_MAX : c->capacity;
}

// ---- panics -------------------------------------------------------------------------------

void chan_panic_closed(void) { tuza_panic("send on closed channel"); }

void chan_panic_size(const char *verb, size_t bytes, const tuza_chan *c)
{
	tuza_panic("tuza: %s of %zu bytes on a channel of %u", verb, bytes, c->elem_bytes);
}

// ---- the operations, under the lock -------------------------------------------------------

/*
 * Takes the first waiter that is still to be had, or NULL. Losers of selects are passed by: each
 * unlinks itself, so that a channel is not freed while one has yet to come. Needs: the channel's
 * lock.
 */
static ALWAYS_INLINE struct chan_waiter *take_waiter(struct link *queue)
{
	for (struct link *l = queue->next; l != queue; l = l->next) {
		struct chan_waiter *w = CONTAINER_OF(l, struct chan_waiter, link);
		if (likely(w->select == NULL) || selection_win(w)) {
			list_remove(l);
			return w;
		}
	}
	return NULL;
}

static ALWAYS_INLINE void put(tuza_chan *c, const void *value)
{
	char *at = chan_slot(c, c->send_at);
	race_acquire(at); // the receive that emptied the slot
	chan_copy(at, value, c->elem_bytes);
	race_release(at);
	c->send_at = chan_after(c, c->send_at);
	store_relaxed(&c->count, c->count + 1); // under the lock; others read hints
}

static ALWAYS_INLINE void get(tuza_chan *c, void *value)
{
	char *at = chan_slot(c, c->recv_at);
	race_acquire(at); // the send that filled the slot
	if (value)
		chan_copy(value, at, c->elem_bytes);
	race_release(at);
	c->recv_at = chan_after(c, c->recv_at);
	store_relaxed(&c->count, c->count - 1); // under the lock; others read hints
}

// A value passes a channel with a buffer without touching it: the slot's turn is over all the same,
// for the race detector.
static ALWAYS_INLINE void skip_slot(tuza_chan *c)
{
	if (race_is_on() && c->capacity) {
		char *at = chan_slot(c, c->send_at);
		race_acquire(at);
		race_release(at);
		c->send_at = c->recv_at = chan_after(c, c->send_at);
	}
}

enum chan_result chan_send_locked(tuza_chan *c, const void *value, struct goroutine **wake)
{
	*wake = NULL;
	if (unlikely(c->closed))
		return CHAN_CLOSED;
	if (c->receivers.next != &c->receivers) {
		struct chan_waiter *w = take_waiter(&c->receivers);
		if (w) {
			race_acquire(w);
			skip_slot(c);
			if (w->value)
				chan_copy(w->value, value, c->elem_bytes);
			race_release(w);
			w->success = true;
			*wake = w->g;
			return CHAN_DONE;
		}
	}
	if (c->count < c->capacity) {
		put(c, value);
		return CHAN_DONE;
	}
	return CHAN_WOULD_BLOCK;
}

enum chan_result chan_recv_locked(tuza_chan *c, void *value, struct goroutine **wake)
{
	*wake = NULL;
	if (c->count != 0) {
		get(c, value);
		if (c->senders.next != &c->senders) {
			// There is room now for the first of those who wait.
			struct chan_waiter *w = take_waiter(&c->senders);
			if (w) {
				race_acquire(w);
				put(c, w->value);
				race_release(w);
				w->success = true;
				*wake = w->g;
			}
		}
		return CHAN_DONE;
	}
	if (c->senders.next != &c->senders) {
		struct chan_waiter *w = take_waiter(&c->senders);
		if (w) {
			race_acquire(w);
			if (value)
				chan_copy(value, w->value, c->elem_bytes);
			race_release(w);
			w->success = true;
			*wake = w->g;
			return CHAN_DONE;
		}
	}
	if (c->closed) {
		race_acquire(c);
		if (value)
			memset(value, 0, c->elem_bytes);
		return CHAN_CLOSED;
	}
	return CHAN_WOULD_BLOCK;
}

// ---- waiting ------------------------------------------------------------------------------

bool chan_send_woken(struct chan_waiter *w)
{
	race_acquire(w);
	return w->success;
}

bool chan_recv_woken(struct chan_waiter *w)
{
	race_acquire(w);
	race_write(w->value, w->elem_bytes);
	if (likely(w->success))
		return true;
	if (w->value)
		memset(w->value, 0, w->elem_bytes);
	return false;
}

static NOINLINE void send_waiting(tuza_chan *c, const void *value)
{
	struct chan_waiter w = {
		.g = goroutine_current(), .value = (void *)(uintptr_t)value, .chan = c};
	w.g->waiting = &w;
	race_release(&w);
	list_push_back(&c->senders, &w.link);
	park_unlocking(&c->lock, WAIT_CHAN_SEND, c);
	if (unlikely(!chan_send_woken(&w)))
		chan_panic_closed();
}

static NOINLINE bool recv_waiting(tuza_chan *c, void *value)
{
	struct chan_waiter w = {
		.g = goroutine_current(), .value = value, .elem_bytes = c->elem_bytes, .chan = c};
	w.g->waiting = &w;
	race_release(&w);
	list_push_back(&c->receivers, &w.link);
	park_unlocking(&c->lock, WAIT_CHAN_RECV, c);
	return chan_recv_woken(&w);
}

bool chan_unlink_waiter(void *waiting)
{
	struct chan_waiter *w = waiting;
	/*
	 * In no list: for good, and the channel may be gone. Else it stays until the runtime has
	 * ended: its last release waits for that, or came before the end began.
	 */
	if (!load_relaxed(&w->link.next))
		return false;
	lock_acquire(&w->chan->lock);
	bool waits = link_is_linked(&w->link);
	if (waits)
		list_remove(&w->link);
	lock_release(&w->chan->lock);
	return waits;
}

void chan_withdraw(void *waiting) { list_remove(&((struct chan_waiter *)waiting)->link); }

bool chan_each_awaited(const void *waiting, void (*fn)(const void *channel, void *arg), void *arg)
{
	const struct chan_waiter *w = waiting;

	if (!w || !link_is_linked(&w->link))
		return false;
	fn(w->chan, arg);
	return true;
}

EXPORT void tuza_chan_send(tuza_chan *c, const void *v)
{
	if (unlikely(!c))
		park_for_ever(WAIT_CHAN_SEND_NIL);
	chaos_point();
	race_read(v, c->elem_bytes);
	bool checked = false;
	for (;;) {
		struct goroutine *wake;
		lock_acquire(&c->lock);
		if (unlikely(c->kind == CHAN_UNBOUNDED))
			chan_make_room(c);
		enum chan_result r = chan_send_locked(c, v, &wake);
		if (likely(r == CHAN_DONE)) {
			lock_release(&c->lock);
			if (wake)
				ready(wake);
			chaos_point();
			return;
		}
		if (unlikely(r == CHAN_CLOSED)) {
			lock_release(&c->lock);
			chan_panic_closed();
		}
		if (likely(checked || park_is_allowed())) {
			send_waiting(c, v);
			return;
		}
		// May panic, so not with the lock; if not, the caller is a plain thread.
		lock_release(&c->lock);
		park_check(WAIT_CHAN_SEND);
		checked = true;
	}
}

EXPORT bool tuza_chan_recv(tuza_chan *c, void *v)
{
	if (unlikely(!c))
		park_for_ever(WAIT_CHAN_RECV_NIL);
	chaos_point();
	bool checked = false;
	for (;;) {
		struct goroutine *wake;
		lock_acquire(&c->lock);
		enum chan_result r = chan_recv_locked(c, v, &wake);
		if (likely(r != CHAN_WOULD_BLOCK)) {
			if (race_is_on())
				race_write(v, c->elem_bytes);
			lock_release(&c->lock);
			if (wake)
				ready(wake);
			chaos_point();
			return r == CHAN_DONE;
		}
		if (likely(checked || park_is_allowed()))
			return recv_waiting(c, v);
		lock_release(&c->lock);
		park_check(WAIT_CHAN_RECV);
		checked = true;
	}
}

EXPORT void tuza_chan_send_sized(tuza_chan *c, const void *v, size_t bytes)
{
	if (c && unlikely(bytes != c->elem_bytes))
		chan_panic_size("send", bytes, c);
	tuza_chan_send(c, v);
}

EXPORT bool tuza_chan_recv_sized(tuza_chan *c, void *v, size_t bytes)
{
	if (c && v && unlikely(bytes != c->elem_bytes))
		chan_panic_size("receive", bytes, c);
	return tuza_chan_recv(c, v);
}

// ---- without waiting ----------------------------------------------------------------------

EXPORT int tuza_chan_try_send(tuza_chan *c, const void *v)
{
	if (!c || !chan_may_send(c)) {
		preempt_check(); // polled, perhaps
		return -EAGAIN;
	}
	struct goroutine *wake;
	chaos_point();
	race_read(v, c->elem_bytes);
	lock_acquire(&c->lock);
	if (unlikely(c->kind == CHAN_UNBOUNDED))
		chan_make_room(c);
	enum chan_result r = chan_send_locked(c, v, &wake);
	lock_release(&c->lock);
	if (r == CHAN_CLOSED)
		chan_panic_closed();
	if (wake)
		ready(wake);
	return r == CHAN_DONE ? 0 : -EAGAIN;
}

EXPORT int tuza_chan_try_recv(tuza_chan *c, void *v)
{
	if (!c || !chan_may_recv(c)) {
		preempt_check(); // polled, perhaps
		return -EAGAIN;
	}
	struct goroutine *wake;
	chaos_point();
	lock_acquire(&c->lock);
	enum chan_result r = chan_recv_locked(c, v, &wake);
	if (r != CHAN_WOULD_BLOCK)
		race_write(v, c->elem_bytes);
	lock_release(&c->lock);
	if (r == CHAN_WOULD_BLOCK)
		return -EAGAIN;
	if (wake)
		ready(wake);
	return r == CHAN_DONE ? 0 : TUZA_ECLOSED;
}

// ---- closing ------------------------------------------------------------------------------

// *left: whether the caller has a reference to give up now.
static struct goroutine *close_it(tuza_chan *c, bool *left)
{
	lock_acquire(&c->lock);
	if (unlikely(c->closed)) {
		lock_release(&c->lock);
		tuza_panic("close of closed channel");
	}
	store_relaxed(&c->closed, 1); // under the lock; others read a hint
	race_release(c);
	// Receivers first, then senders, linked through their descriptors.
	struct goroutine *first = NULL;
	struct goroutine **last = &first;
	struct link *const queues[] = {&c->receivers, &c->senders};
	for (size_t i = 0; i < COUNT_OF(queues); i++) {
		struct chan_waiter *w;
		while ((w = take_waiter(queues[i])) != NULL) {
			w->success = false;
			race_release(w);
			*last = w->g;
			last = &w->g->next;
		}
	}
	*last = NULL;
	*left = c->left;
	lock_release(&c->lock);
	return first;
}

struct goroutine *chan_close(tuza_chan *c)
{
	bool left; // false: nobody leaves the channels that the library closes itself

	return close_it(c, &left);
}

EXPORT void tuza_chan_close(tuza_chan *c)
{
	if (unlikely(!c))
		tuza_panic("close of nil channel");
	if (unlikely(c->kind == CHAN_CONTEXT))
		tuza_panic("tuza: close of a context's channel");
	bool left;
	chaos_point();
	ready_list(close_it(c, &left));
	if (unlikely(left))
		tuza_chan_release(c);
	chaos_point();
}

// ---- timers -------------------------------------------------------------------------------

struct goroutine *chan_timer_fire(tuza_chan *c, int64_t value)
{
	struct goroutine *wake;
	lock_acquire(&c->lock);
	chan_send_locked(c, &value,
		&wake); // would block: the last value is still there, this one is dropped
	lock_release(&c->lock);
	return wake;
}

bool chan_timer_drain(tuza_chan *c)
{
	// The timer heap's lock is held: nobody can put a value in, only take one out.
	if (load_relaxed(&c->count) == 0)
		return false;
	lock_acquire(&c->lock);
	bool had = c->count != 0;
	if (had) {
		c->send_at = c->recv_at = 0;
		store_relaxed(&c->count, 0); // under the lock; others read hints
	}
	lock_release(&c->lock);
	return had;
}
