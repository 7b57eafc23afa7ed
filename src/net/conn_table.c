// SPDX-License-Identifier: MIT
/*
 * The slots of connections, and the life of one: free, new, open, closed, free.
 *
 * A handle is (generation << 24 | slot). A slot is used again at once, the last one freed first;
 * its generation grows with each use and comes round after 2^40 of them.
 *
 * Locks: the table's, for the free list; nothing else is taken under it. A closer waits in the wait
 * queue of the slot's address.
 */
#include "net/conn.h"

#include "base/race_hooks.h"
#include "net/conn_word.h"
#include "net/lookups.h"
#include "sched/blocking.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include "sys/sys.h"
#include <tuza/error.h>
#include <tuza/panic.h>

#include <errno.h>

enum {
	SLOT_BITS = 24,
	CHUNK = 256,
	CHUNKS = (1 << SLOT_BITS) / CHUNK,
};

static struct {
	struct lock lock;
	// guarded by lock
	struct conn *free;
	uint32_t chunk_count;
	// any thread, atomic; constant once set
	struct conn *chunks[CHUNKS];
} table;

static struct conn *slot_of(const void *handle)
{
	uint32_t i = (uint32_t)((uintptr_t)handle & ((1u << SLOT_BITS) - 1));
	// (conn-chunk) pairs with add_chunk.
	struct conn *chunk = load_acquire(&table.chunks[i / CHUNK]);
	return chunk ? &chunk[i % CHUNK] : NULL;
}

static uint64_t generation_of(const void *handle) { return (uintptr_t)handle >> SLOT_BITS; }

// ---- slots ------------------------------------------------------------------------------------

// More free slots. False: no memory.
static bool add_chunk(void)
{
	struct conn *chunk = sys_pages_alloc(CHUNK * sizeof *chunk);
	if (!chunk)
		return false;
	lock_acquire(&table.lock);
	uint32_t n = table.chunk_count;
	if (n == CHUNKS) {
		lock_release(&table.lock);
		sys_pages_free(chunk, CHUNK * sizeof *chunk);
		return false;
	}
	for (uint32_t i = CHUNK; i-- > 0;) {
		chunk[i].slot = n * CHUNK + i;
		conn_word_free(&chunk[i].word); // generation 1
		chunk[i].next_free = table.free;
		table.free = &chunk[i];
	}
	store_release(&table.chunks[n], chunk); // (conn-chunk) pairs with slot_of.
	table.chunk_count = n + 1;
	lock_release(&table.lock);
	return true;
}

struct conn *conn_new(const struct conn_kind *kind)
{
	for (;;) {
		lock_acquire(&table.lock);
		struct conn *c = table.free;
		if (c)
			table.free = c->next_free;
		lock_release(&table.lock);
		if (c) {
			c->goroutine_operations = 0;
			c->kind = kind;
			c->poll = NULL;
			c->fd = -1;
			c->path = NULL;
			c->in_a_row = 0;
			c->pipe = NULL;
			c->layer = NULL;
			c->accepts.open = NULL;
			c->accepts.free = NULL;
			store_relaxed(&c->is_plain_tcp, false); // nobody else knows it
			c->drained = NETPOLL_NONE;
			for (int turn = TURN_READ; turn <= TURN_WRITE; turn++) {
				c->turn[turn] = (tuza_mutex){0};
				c->turn_of_goroutine[turn] = false;
			}
			return c;
		}
		if (!add_chunk())
			return NULL;
	}
}

void conn_discard(struct conn *c)
{
	lock_acquire(&table.lock);
	c->next_free = table.free;
	table.free = c;
	lock_release(&table.lock);
}

void *conn_open(struct conn *c)
{
	race_release(c);
	uint64_t generation = conn_word_open(&c->word);
	return (void *)(uintptr_t)(generation << SLOT_BITS | c->slot);
}

// ---- operations -------------------------------------------------------------------------------

bool conn_is_goroutine(void)
{
	const struct goroutine *g = goroutine_current_or_null();
	return g && !(g->flags & GOROUTINE_THREAD);
}

static struct conn *begin(const void *handle, bool closing)
{
	struct conn *c = slot_of(handle);
	if (!c)
		return NULL;
	switch (conn_word_begin(&c->word, generation_of(handle), closing)) {
	case CONN_BEGUN:
		break;
	case CONN_IS_CLOSED:
		race_acquire(c);
		return NULL;
	case CONN_TOO_MANY:
		tuza_panic("too many concurrent operations on a single file or socket "
			   "(max 1048575)");
	}
	if (conn_is_goroutine())
		add_relaxed(&c->goroutine_operations, 1); // read when no goroutine runs
	race_acquire(c);
	return c;
}

struct conn *conn_begin(const void *handle) { return begin(handle, false); }

// Takes apart what everybody has left, and wakes the closer that waits for it.
static void finish(struct conn *c)
{
	race_acquire(c);
	c->kind->destroy(c);
	struct waitqueue *q = waitqueue_lock(c);
	conn_word_free(&c->word);
	struct goroutine *closers = waitqueue_take_all(q, c);
	waitqueue_unlock(q);
	conn_discard(c);
	if (closers)
		ready_list(closers);
}

void conn_end(struct conn *c)
{
	race_release(c); // pairs with finish
	if (conn_is_goroutine())
		sub_relaxed(&c->goroutine_operations, 1); // as in begin
	if (conn_word_end(&c->word))
		finish(c);
}

int conn_close(const void *handle)
{
	if (!blocking_is_inside())
		park_check(WAIT_CLOSE);
	struct conn *c = begin(handle, true);
	if (!c)
		return TUZA_ECONNCLOSED;
	race_release(c); // pairs with the begin that finds it closed
	c->kind->close(c);
	conn_end(c);
	if (blocking_is_inside())
		return 0; // the last one that leaves closes the descriptor
	struct waitqueue *q = waitqueue_lock(c);
	// The slot becomes free under this lock; then its generation is another.
	if (conn_word_generation(load_relaxed(&c->word)) == generation_of(handle)) {
		struct queued w = {.granted = false};
		waitqueue_push(q, c, &w, false);
		park_unlocking(&q->lock, WAIT_CLOSE, NULL);
	} else {
		waitqueue_unlock(q);
	}
	return 0;
}

// ---- turns ------------------------------------------------------------------------------------

void conn_take_turn(struct conn *c, int turn)
{
	tuza_mutex_lock(&c->turn[turn]);
	c->turn_of_goroutine[turn] = conn_is_goroutine();
}

bool conn_try_turn(struct conn *c, int turn)
{
	if (!tuza_mutex_try_lock(&c->turn[turn]))
		return false;
	c->turn_of_goroutine[turn] = conn_is_goroutine();
	return true;
}

void conn_pass_turn(struct conn *c, int turn)
{
	c->turn_of_goroutine[turn] = false;
	tuza_mutex_unlock(&c->turn[turn]);
}

// ---- the end of the runtime -------------------------------------------------------------------

// Operations of dropped goroutines end, and so do their turns. Plain threads may go on.
static void forget_goroutines(struct conn *c)
{
	uint32_t count = exchange_relaxed(&c->goroutine_operations, 0); // no goroutine runs
	if (count == 0)
		return;
	if (c->kind->forget)
		c->kind->forget(c);
	for (int turn = TURN_READ; turn <= TURN_WRITE; turn++)
		if (c->turn_of_goroutine[turn])
			conn_pass_turn(c, turn);
	if (conn_word_drop(&c->word, count))
		finish(c);
}

void net_forget_goroutines(void)
{
	lookups_forget();
	for (uint32_t n = 0; n < table.chunk_count; n++)
		for (uint32_t i = 0; i < CHUNK; i++)
			forget_goroutines(&table.chunks[n][i]);
}
