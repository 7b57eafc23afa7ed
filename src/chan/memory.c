// SPDX-License-Identifier: MIT
/*
 * A channel's memory: making it, growing an unbounded one's buffer, counting references, freeing.
 *
 * The last release takes the lock once more, so that it is behind the unlock of whoever woke the
 * releaser; nobody touches the channel after its own release.
 */
#include "chan/chan.h"

#include "base/fatal.h"
#include "base/race_hooks.h"
#include "sched/park.h"
#include "sched/visit.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t chan_count; // atomic: the last creation number

#define CHAN_ELEM_LIMIT ((size_t)65536)    // Go: element size must be below 64 KiB
#define CHAN_BYTES_LIMIT ((size_t)1 << 47) // all addresses there are

// ---- making --------------------------------------------------------------------------------

// NULL when out of memory. Needs: the size is checked.
static tuza_chan *make(size_t elem_bytes, size_t capacity, enum chan_kind kind, size_t tail_bytes)
{
	tuza_chan *c = malloc(sizeof *c + elem_bytes * capacity + tail_bytes);
	if (!c)
		return NULL;
	c->lock.word = 0;
	c->elem_bytes = (uint32_t)elem_bytes;
	c->number = add_relaxed(&chan_count, 1); // unique is all that is wanted
	c->kind = kind;
	c->closed = 0;
	c->left = false;
	c->count = 0;
	c->capacity = capacity;
	c->send_at = c->recv_at = 0;
	c->buffer = (char *)(c + 1);
	list_init(&c->receivers);
	list_init(&c->senders);
	c->references = 1;
	c->drop = NULL;
	c->on_free = NULL;
	return c;
}

static void check_size(size_t elem_bytes, size_t capacity)
{
	if (elem_bytes >= CHAN_ELEM_LIMIT ||
		capacity > CHAN_BYTES_LIMIT / (elem_bytes ? elem_bytes : 1))
		tuza_panic("makechan: size out of range");
}

EXPORT tuza_chan *tuza_chan_new(size_t elem_bytes, size_t capacity)
{
	check_size(elem_bytes, capacity);
	tuza_chan *c = make(elem_bytes, capacity, CHAN_PLAIN, 0);
	if (!c)
		tuza_panic("tuza: out of memory");
	return c;
}

EXPORT int tuza_chan_try_new(size_t elem_bytes, size_t capacity, tuza_chan **out)
{
	check_size(elem_bytes, capacity);
	*out = make(elem_bytes, capacity, CHAN_PLAIN, 0);
	return *out ? 0 : -ENOMEM;
}

EXPORT tuza_chan *tuza_chan_new_unbounded(size_t elem_bytes)
{
	check_size(elem_bytes, 0);
	tuza_chan *c = make(elem_bytes, 0, CHAN_UNBOUNDED, 0);
	if (!c)
		tuza_panic("tuza: out of memory");
	c->buffer = NULL;
	return c;
}

tuza_chan *chan_new_with_tail(
	size_t elem_bytes, size_t capacity, size_t tail_bytes, void (*on_free)(tuza_chan *c))
{
	check_size(elem_bytes, capacity);
	tuza_chan *c = make(elem_bytes, capacity, CHAN_PLAIN, tail_bytes + sizeof(void *));
	if (c)
		c->on_free = on_free;
	return c;
}

tuza_chan *chan_new_timer(size_t tail_bytes, void (*on_free)(tuza_chan *c))
{
	tuza_chan *c = make(sizeof(int64_t), 1, CHAN_TIMER, tail_bytes);
	if (!c)
		tuza_panic("tuza: out of memory");
	c->on_free = on_free;
	return c;
}

tuza_chan *chan_new_done(void)
{
	tuza_chan *c = make(0, 0, CHAN_CONTEXT, 0);
	if (!c)
		tuza_panic("tuza: out of memory");
	return c;
}

EXPORT void tuza_chan_on_drop(tuza_chan *c, void (*drop)(void *elem)) { c->drop = drop; }

// ---- growing -------------------------------------------------------------------------------

// Makes an unbounded channel's buffer larger. c->lock is held before and after, dropped in between.
static void grow(tuza_chan *c)
{
	size_t capacity = c->capacity ? c->capacity * 2 : 16;
	lock_release(&c->lock);
	char *buffer = capacity <= CHAN_BYTES_LIMIT / (c->elem_bytes ? c->elem_bytes : 1)
			       ? malloc(capacity * c->elem_bytes + 1)
			       : NULL;
	if (!buffer)
		tuza_panic("tuza: out of memory");
	lock_acquire(&c->lock);
	char *old = buffer;
	if (c->capacity < capacity) { // nobody else did it meanwhile
		old = c->buffer;
		size_t first =
			c->count < c->capacity - c->recv_at ? c->count : c->capacity - c->recv_at;
		// Receivers may have emptied it meanwhile; what they read is freed below.
		for (size_t i = 0; i < c->capacity; i++)
			race_acquire(chan_slot(c, i));
		if (c->count) {
			memcpy(buffer, chan_slot(c, c->recv_at), first * c->elem_bytes);
			memcpy(buffer + first * c->elem_bytes, c->buffer,
				(c->count - first) * c->elem_bytes);
		}
		c->buffer = buffer;
		c->capacity = capacity;
		c->recv_at = 0;
		c->send_at = c->count;
		for (size_t i = 0; i < c->count; i++)
			race_release(chan_slot(c, i));
	}
	lock_release(&c->lock);
	free(old);
	lock_acquire(&c->lock);
}

NOINLINE void chan_make_room(tuza_chan *c)
{
	while (c->count == c->capacity && !c->closed)
		grow(c);
}

// ---- references ----------------------------------------------------------------------------

EXPORT tuza_chan *tuza_chan_retain(tuza_chan *c)
{
	if (c)
		add_relaxed(&c->references, 1); // the caller has one: it cannot go away
	return c;
}

// Whether somebody waits who could still be served. *losers: others are on the way to unlink
// themselves.
static bool somebody_waits(const struct link *queue, bool *losers)
{
	for (const struct link *l = queue->next; l != queue; l = l->next) {
		const struct chan_waiter *w = CONTAINER_OF(l, const struct chan_waiter, link);
		if (w->select == NULL || selection_waits(w))
			return true;
		*losers = true;
	}
	return false;
}

EXPORT void tuza_chan_release(tuza_chan *c)
{
	if (!c)
		return;
	race_release(&c->references);
	// (chan-release) each release pairs with the last one, which frees: what was done with the
	// channel is done. (chan-release) The retains need no order: who retains has a reference.
	if (sub_acq_rel(&c->references, 1) != 1)
		return;
	race_acquire(&c->references);
	bool waited_on, losers;
	enum visit visit = visit_between_ends(); // an end looks at channels: chan_unlink_waiter
	for (;;) {
		losers = false;
		lock_acquire(&c->lock); // behind the last unlock of whoever made us the last one
		waited_on = somebody_waits(&c->receivers, &losers) ||
			    somebody_waits(&c->senders, &losers);
		lock_release(&c->lock);
		if (waited_on || !losers)
			break;
		yield_to_others(); // their selects have ended: they come at their next turn
	}
	visit_end(visit);
	if (waited_on) {
		add_relaxed(&c->references, 1); // it stays: those who wait on it may be looked at
		tuza_panic("tuza: release of a channel that a goroutine waits on");
	}
	if (c->drop)
		for (size_t left = c->count, i = c->recv_at; left > 0;
			left--, i = chan_after(c, i)) {
			race_acquire(chan_slot(c, i)); // the send that filled it, by whoever
			c->drop(chan_slot(c, i));
		}
	if (c->kind == CHAN_UNBOUNDED)
		free(c->buffer);
	if (c->on_free)
		c->on_free(c);
	free(c);
}

void chan_leave(tuza_chan *c)
{
	// (chan-release) as in tuza_chan_release, but never the last one.
	uint32_t n = load_relaxed(&c->references);
	race_release(&c->references);
	while (n > 1)
		if (cas_acq_rel(&c->references, &n, n - 1)) // (chan-release)
			return;
	// The only one that is counted. A sender may know the channel all the same.
	lock_acquire(&c->lock);
	bool leaves = !c->closed && (c->kind == CHAN_PLAIN || c->kind == CHAN_UNBOUNDED);
	c->left = leaves;
	lock_release(&c->lock);
	if (!leaves)
		tuza_chan_release(c);
}
