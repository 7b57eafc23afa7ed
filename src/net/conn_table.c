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

#include "base/fatal.h"
#include "base/race_hooks.h"
#include "net/conn_word.h"
#include "sched/blocking.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include "sys/sys.h"
#include <tuza/error.h>
#include <tuza/panic.h>

#include <errno.h>
#include <stdlib.h>

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
} table APART;

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
			for (int turn = TURN_READ; turn <= TURN_WRITE; turn++)
				c->turn[turn] = (tuza_mutex){0};
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

/*
 * What a goroutine notes of an operation: the slot, and the turns that it has. The first ones are
 * in its descriptor; more at a time than that are as good as never.
 */
struct operation {
	struct operation *next;
	const struct goroutine *g;
	uint32_t note;
};
static struct lock more_lock;  // as the table's
static struct operation *more; // guarded by it; a note is its goroutine's

static bool is_note_of(uint32_t note, const struct conn *c) { return note >> TURNS == c->slot; }

static NOINLINE void note_more(const struct goroutine *g, uint32_t note)
{
	struct operation *o = malloc(sizeof *o);
	if (!o)
		fatal("tuza: out of memory for an operation on a connection");
	o->g = g;
	o->note = note;
	lock_acquire(&more_lock);
	o->next = more;
	more = o;
	lock_release(&more_lock);
}

// The latest of g's on c, or on any. NULL: there is none.
static NOINLINE struct operation *find_more(
	const struct goroutine *g, const struct conn *c, bool take)
{
	lock_acquire(&more_lock);
	struct operation **at = &more, *o;
	while ((o = *at) != NULL && (o->g != g || (c && !is_note_of(o->note, c))))
		at = &o->next;
	if (o && take)
		*at = o->next;
	lock_release(&more_lock);
	return o;
}

static ALWAYS_INLINE void note_begin(struct goroutine *g, const struct conn *c)
{
	uint32_t note = c->slot << TURNS, n = g->operation_count++;
	if (likely(n < GOROUTINE_OPERATIONS))
		g->operations[n] = note;
	else
		note_more(g, note);
}

static NOINLINE bool end_one_of_more(struct goroutine *g, const struct conn *c)
{
	struct operation *o = find_more(g, c, true);
	free(o);
	return o != NULL;
}

static uint32_t noted_here(const struct goroutine *g)
{
	return g->operation_count < GOROUTINE_OPERATIONS ? g->operation_count
							 : GOROUTINE_OPERATIONS;
}

static NOINLINE void note_end_slow(struct goroutine *g, const struct conn *c)
{
	uint32_t n = noted_here(g), i = n;
	if (unlikely(g->operation_count > n) && end_one_of_more(g, c)) {
		g->operation_count--;
		return;
	}
	while (i > 0 && !is_note_of(g->operations[i - 1], c))
		i--;
	if (unlikely(i == 0))
		return; // begun by another: against the rules
	for (; i < n; i++)
		g->operations[i - 1] = g->operations[i];
	g->operation_count--;
	if (unlikely(g->operation_count >= GOROUTINE_OPERATIONS)) {
		struct operation *o = find_more(g, NULL, true);
		g->operations[n - 1] = o->note;
		free(o);
	}
}

// The latest note, if it is here and of c. NULL: it has to be looked for.
static ALWAYS_INLINE uint32_t *latest_note(struct goroutine *g, const struct conn *c)
{
	uint32_t last = g->operation_count - 1;
	bool is_it = last < GOROUTINE_OPERATIONS && is_note_of(g->operations[last], c);
	return likely(is_it) ? &g->operations[last] : NULL;
}

static ALWAYS_INLINE void note_end(struct goroutine *g, const struct conn *c)
{
	if (likely(latest_note(g, c) != NULL))
		g->operation_count--;
	else
		note_end_slow(g, c);
}

static NOINLINE uint32_t *find_note(struct goroutine *g, const struct conn *c)
{
	uint32_t i = noted_here(g);
	if (g->operation_count > i) {
		struct operation *o = find_more(g, c, false);
		if (o)
			return &o->note;
	}
	while (i > 0 && !is_note_of(g->operations[i - 1], c))
		i--;
	return i > 0 ? &g->operations[i - 1] : NULL;
}

void conn_note_turn(const struct conn *c, int turn, bool has)
{
	struct goroutine *g = goroutine_current_or_null();
	if (!g || g->flags & GOROUTINE_THREAD)
		return;
	uint32_t *note = latest_note(g, c);
	if (unlikely(!note) && !(note = find_note(g, c)))
		return; // begun by another: against the rules
	*note = (*note & ~(1u << turn)) | (uint32_t)has << turn;
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
	struct goroutine *g = goroutine_current_or_null();
	if (g && !(g->flags & GOROUTINE_THREAD))
		note_begin(g, c);
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
	struct goroutine *g = goroutine_current_or_null();
	if (g && !(g->flags & GOROUTINE_THREAD))
		note_end(g, c);
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
	conn_note_turn(c, turn, true);
}

bool conn_try_turn(struct conn *c, int turn)
{
	if (!tuza_mutex_try_lock(&c->turn[turn]))
		return false;
	conn_note_turn(c, turn, true);
	return true;
}

void conn_pass_turn(struct conn *c, int turn)
{
	conn_note_turn(c, turn, false);
	tuza_mutex_unlock(&c->turn[turn]);
}

// ---- dropped goroutines -----------------------------------------------------------------------

static struct conn *dropped; // of some whose operations are to be forgotten

static void drop_operation(uint32_t note)
{
	uint32_t slot = note >> TURNS;
	struct conn *c = &table.chunks[slot / CHUNK][slot % CHUNK];
	if (c->dropped++ == 0) {
		c->next_dropped = dropped;
		dropped = c;
	}
	c->dropped_turns |= note % (1u << TURNS);
}

void net_drop_operations(struct goroutine *g)
{
	uint32_t n = noted_here(g);
	for (uint32_t i = 0; i < n; i++)
		drop_operation(g->operations[i]);
	for (; n < g->operation_count; n++) {
		struct operation *o = find_more(g, NULL, true);
		drop_operation(o->note);
		free(o);
	}
	g->operation_count = 0;
}

// Their operations end, and so do their turns. Others go on.
static void forget(struct conn *c, uint32_t operations, uint32_t turns)
{
	if (c->kind->forget)
		c->kind->forget(c, turns);
	for (int turn = TURN_READ; turn <= TURN_WRITE; turn++)
		if (turns & 1u << turn)
			tuza_mutex_unlock(&c->turn[turn]);
	if (conn_word_drop(&c->word, operations))
		finish(c);
}

void net_forget_operations(void)
{
	for (struct conn *c; (c = dropped) != NULL;) {
		uint32_t operations = c->dropped, turns = c->dropped_turns;
		dropped = c->next_dropped;
		c->dropped = c->dropped_turns = 0;
		forget(c, operations, turns);
	}
}
