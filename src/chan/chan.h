// SPDX-License-Identifier: MIT
/*
 * The channel, as this folder, time/ and pattern/ see it.
 *
 * Invariants, under c->lock:
 *   - at least one of senders and receivers is empty, except for a single goroutine that selects on
 *     sending and receiving on the same unbuffered channel;
 *   - count > 0 implies no live receiver waits; count < capacity implies no live sender waits;
 *   - a waiter in a queue is owned by the queue: who takes it out hands it its value, unlocks, and
 *     makes it ready.
 *
 * Go: src/runtime/chan.go, hchan
 */
#ifndef TUZA_CHAN_CHAN_H
#define TUZA_CHAN_CHAN_H

#include "base/atomic.h"
#include "base/list.h"
#include "sched/lock.h"
#include "sched/park.h"
#include <tuza/chan.h>

#include <string.h>

struct goroutine;
struct selection;

enum chan_kind {
	CHAN_PLAIN,
	CHAN_UNBOUNDED, // the buffer grows; capacity is what it holds now
	CHAN_TIMER,     // one int64_t, which a timer puts in and takes back; len and cap say 0
	CHAN_CONTEXT,   // closed by the runtime alone: a context's
};

struct tuza_chan {
	struct lock lock;
	// constant
	uint32_t elem_bytes;
	uint64_t number; // in order of creation: the order in which a select locks
	uint32_t kind;   // enum chan_kind

	// guarded by lock; read without it as hints
	uint32_t closed;
	bool left; // one reference belongs to whoever closes it (chan_leave)
	size_t count;
	size_t capacity;
	size_t send_at; // the slot of the next send
	size_t recv_at; // the slot of the next receive
	char *buffer;
	struct link receivers; // struct chan_waiter
	struct link senders;

	uint32_t references;           // any thread, atomic
	void (*drop)(void *elem);      // set before the channel is shared
	void (*on_free)(tuza_chan *c); // called before the memory goes; NULL: nothing
};

static ALWAYS_INLINE char *chan_slot(const tuza_chan *c, size_t i)
{
	return c->buffer + i * c->elem_bytes;
}
// The slot behind the i-th.
static ALWAYS_INLINE size_t chan_after(const tuza_chan *c, size_t i)
{
	return i + 1 == c->capacity ? 0 : i + 1;
}

// A goroutine that waits on one channel; on its stack. All fields guarded by the channel's lock
// while linked.
struct chan_waiter {
	struct link link;
	struct goroutine *g;
	void *value;              // where the value goes to or comes from; NULL: none
	struct selection *select; // the select it is a case of; NULL: a plain send or receive
	uint32_t index;           // of the case
	uint32_t elem_bytes;      // the channel's: it may be gone when the goroutine is woken
	tuza_chan *chan; // of a plain send or receive, for one that is dropped while it waits
	bool success;    // a value changed hands; false: the channel was closed
};

enum chan_result {
	CHAN_DONE,
	CHAN_CLOSED, // receive: closed and drained, *value zeroed. Send: closed, nothing done
	CHAN_WOULD_BLOCK,
};

/*
 * One operation under c->lock. *wake gets the goroutine that the caller must make ready after
 * unlocking, or NULL.
 */
enum chan_result chan_send_locked(tuza_chan *c, const void *value, struct goroutine **wake);
enum chan_result chan_recv_locked(tuza_chan *c, void *value, struct goroutine **wake);

/*
 * Before a send on an unbounded channel, whose full buffer grows. c->lock is held before and after,
 * dropped in between, so no other channel's may be held. Panics, with no lock held, when out of
 * memory.
 */
void chan_make_room(tuza_chan *c);

/*
 * May the operation go on at once? Without the lock a hint, in which losers of selects count as
 * waiters. "No" is exact: at the instant of the first look the channel was empty (full) and, since
 * closing is for good, open.
 */
static ALWAYS_INLINE bool chan_may_recv(const tuza_chan *c)
{
	// (chan-look) acquire: `closed` is looked at last. Pairs with lock_release: (lock).
	return load_acquire(&c->count) != 0 || load_acquire(&c->senders.next) != &c->senders ||
	       load_relaxed(&c->closed);
}
static ALWAYS_INLINE bool chan_may_send(const tuza_chan *c)
{
	// (chan-look) as above
	return load_acquire(&c->count) <
		       load_relaxed(&c->capacity) || // hint for unbounded ones only
	       load_acquire(&c->receivers.next) != &c->receivers ||
	       load_relaxed(&c->closed) || c->kind == CHAN_UNBOUNDED;
}

// Closes the channel and returns the goroutines to make ready, linked for ready_list; NULL if none.
// Panics, with no lock held, if it is closed.
struct goroutine *chan_close(tuza_chan *c);

// What a goroutine that was woken as a waiter does last. False: the channel was closed.
bool chan_send_woken(struct chan_waiter *w);
bool chan_recv_woken(struct chan_waiter *w);

NORETURN COLD void chan_panic_closed(void);
// "tuza: send of 4 bytes on a channel of 8"
NORETURN COLD void chan_panic_size(const char *verb, size_t bytes, const tuza_chan *c);

// select_wait.c: takes the waiter of a select for its channel; false: another channel or the timer
// was first. Needs: the channel's lock.
bool selection_win(struct chan_waiter *w);
// select_wait.c: whether the select of the waiter is still undecided. Needs: the channel's lock.
bool selection_waits(const struct chan_waiter *w);

/*
 * Sends and receives copy elements; most are of a register's size, and a call of memcpy costs as
 * much as the rest. Under ThreadSanitizer memcpy would be intercepted: what it tells there is what
 * race_read and race_write tell.
 */
static ALWAYS_INLINE void chan_copy(void *to, const void *from, size_t bytes)
{
	if (likely(bytes == 8))
		__builtin_memcpy(to, from, 8);
	else if (bytes == 4)
		__builtin_memcpy(to, from, 4);
	else if (bytes == 16)
		__builtin_memcpy(to, from, 16);
	else if (bytes == 1)
		*(char *)to = *(const char *)from;
	else if (bytes != 0)
		memcpy(to, from, bytes);
}

// ---- for pattern/ -------------------------------------------------------------------------

/*
 * A channel with one reference and `tail_bytes` for its maker behind the buffer, which chan_tail
 * finds, aligned as a pointer. on_free is called in the last release, when what was in the buffer
 * has been dropped and before the memory goes. NULL when out of memory; panics as tuza_chan_new for
 * a size out of range.
 */
tuza_chan *chan_new_with_tail(
	size_t elem_bytes, size_t capacity, size_t tail_bytes, void (*on_free)(tuza_chan *c));
static ALWAYS_INLINE void *chan_tail(tuza_chan *c)
{
	return c->buffer + align_up(c->elem_bytes * c->capacity, sizeof(void *));
}

/*
 * tuza_chan_release for a receiver that may go before the channel is closed. If it is the last who
 * holds an open channel, its reference becomes the sender's, who does not count itself but has yet
 * to close the channel: the close gives it up.
 */
void chan_leave(tuza_chan *c);

// ---- for time/ ----------------------------------------------------------------------------

// A context's done channel: it carries nothing, and a close by the program panics. Panics when out
// of memory.
tuza_chan *chan_new_done(void);

/*
 * A channel of int64_t for a timer, with one reference and `tail_bytes` for the timer behind the
 * buffer, which chan_timer_tail finds. on_free is called, without a lock, before that memory goes;
 * may be NULL. Panics when out of memory.
 */
tuza_chan *chan_new_timer(size_t tail_bytes, void (*on_free)(tuza_chan *c));
static ALWAYS_INLINE void *chan_timer_tail(tuza_chan *c)
{
	return (char *)(c + 1) + sizeof(int64_t);
}
/*
 * A timer fires: the value goes to the first receiver, which is returned to be made ready; or into
 * the buffer, or nowhere if the last one is still there. Takes c->lock. Needs: the timer heap's
 * lock may be held.
 */
struct goroutine *chan_timer_fire(tuza_chan *c, int64_t value);
// Takes back a value that nobody received; true if there was one. Takes c->lock. Needs: the timer
// cannot fire.
bool chan_timer_drain(tuza_chan *c);

#endif
