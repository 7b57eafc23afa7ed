// SPDX-License-Identifier: MIT
/*
 * Noting events, and the chunks that they are in. See record.h.
 *
 * A chunk that is not full is its writer's. Full ones and free ones are in lists; only those are
 * unmapped or given to another, so whoever is late with an event after the end of a epoch still
 * has where to put it. Whoever reads (record_freeze) reads the events that a chunk's count says are
 * complete, of the writers' chunks as well; as long as somebody reads none is written over. There
 * are some more for that time; when they are full, events are lost, and the record begins anew.
 *
 * Lock: `lock`, taken with rt.lock or a channel's held; under it nothing but the machine's mapping
 * of memory.
 */
#include "trace/record.h"

#include "sched/machine.h"
#include "sched/stack.h"
#include "sched/upcalls.h"
#include "sys/clock.h"

#include <errno.h>

enum {
	FROZEN_MORE = 64, // chunks, beside twice those wanted, that are used while somebody reads
};

static struct {
	struct lock lock;
	// guarded by the lock
	uint32_t users; // enum trace_user; changed with it, read as a hint
	uint32_t frozen;
	size_t wanted, there; // chunks
	size_t writer_count;
	size_t wants[TRACE_FOR_ALL]; // by user: chunks
	struct trace_chunk *oldest, **newest;
	struct trace_chunk *free;
	struct link writers;
	uint64_t since; // ticks: the last one that was written over
	uint64_t ticks_at_begin;
	int64_t time_at_begin;
	// any thread, atomic
	uint32_t epoch;   // changed under the lock
	uint32_t is_full; // changed under the lock: until the record is thawed nothing is noted
	bool by_ticks;    // constant while anybody notes
} record = {.newest = &record.oldest, .writers = {&record.writers, &record.writers}};

uint64_t record_ticks(void) { return record.by_ticks ? arch_ticks() : (uint64_t)clock_now(); }

int64_t record_time(const struct record *r, uint64_t ticks)
{
	uint64_t span = r->ticks_now - r->ticks_at_begin;
	double rate = span > 0 ? (double)(r->time_now - r->time_at_begin) / (double)span : 1;

	return r->time_at_begin + (int64_t)((double)(int64_t)(ticks - r->ticks_at_begin) * rate);
}

// ---- chunks --------------------------------------------------------------------------------

// Needs: the lock
static void keep_full(struct trace_chunk *c)
{
	bool is_old = c->epoch != record.epoch || record.users == 0;

	if (is_old || c->count == 0) {
		c->next = record.free;
		record.free = c;
		return;
	}
	c->next = NULL;
	*record.newest = c;
	record.newest = &c->next;
}

// Needs: the lock. NULL: none that may be written over.
static struct trace_chunk *take_oldest(void)
{
	struct trace_chunk *c = record.oldest;

	if (!c || record.frozen)
		return NULL;
	record.oldest = c->next;
	if (!record.oldest)
		record.newest = &record.oldest;
	if (c->last > record.since)
		record.since = c->last;
	return c;
}

/*
 * So many chunks that those wanted count as a whole after the oldest is written over: what is older
 * than its last event does not. Each writer has one under its hands, which may be empty, and one
 * among the full that may be older for the most part.
 *
 * Needs: the lock
 */
static size_t enough(void) { return record.wanted + 2 * record.writer_count + 1; }

// Needs: the lock
static struct trace_chunk *take_chunk(void)
{
	struct trace_chunk *c = record.free;

	if (c) {
		record.free = c->next;
		return c;
	}
	if (record.there >= enough() && (c = take_oldest()) != NULL)
		return c;
	if (record.frozen && record.there > 2 * enough() + FROZEN_MORE)
		return NULL;
	c = sys_pages_alloc_touched(TRACE_CHUNK_BYTES);
	if (c)
		record.there++;
	return c;
}

// Gives the writer a chunk with room. False: there is none.
static NOINLINE bool turn_page(struct trace_writer *w, uint64_t ticks)
{
	lock_acquire(&record.lock);
	struct trace_chunk *full = w->chunk;
	if (full) {
		full->last = ticks;
		keep_full(full);
	}
	struct trace_chunk *c = w->chunk = take_chunk();
	if (c) {
		c->epoch = record.epoch;
		c->thread = w->thread;
		c->base = ticks;
		c->last = UINT64_MAX;
		store_relaxed(&c->count, 0); // under the lock
	} else if (ticks > record.since) {
		record.since = ticks; // there is a gap: what is before does not count any more
		store_relaxed(&record.is_full, record.frozen != 0); // a hint
	}
	lock_release(&record.lock);
	return c != NULL;
}

static NOINLINE struct trace_writer *make_writer(struct machine *m)
{
	struct trace_writer *w = sys_pages_alloc(sizeof(*w));

	if (!w)
		return NULL;
	w->thread = (uint32_t)m->thread.id;
	lock_acquire(&record.lock);
	list_push_back(&record.writers, &w->all);
	record.writer_count++;
	lock_release(&record.lock);
	m->trace = w;
	return w;
}

void trace_machine_ends(struct machine *m)
{
	struct trace_writer *w = m->trace;

	if (!w)
		return;
	m->trace = NULL;
	lock_acquire(&record.lock);
	list_remove(&w->all);
	record.writer_count--;
	if (w->chunk) {
		w->chunk->last = record_ticks();
		keep_full(w->chunk);
	}
	lock_release(&record.lock);
	sys_pages_free(w, sizeof(*w));
}

// ---- noting --------------------------------------------------------------------------------

static ALWAYS_INLINE struct trace_writer *writer_of(struct machine *m)
{
	struct trace_writer *w = m->trace;

	return likely(w != NULL) ? w : make_writer(m);
}

// Room for n events; NULL: none. `may_turn`: false while a lock of the scheduler's is held.
static ALWAYS_INLINE struct trace_event *make_room(
	struct trace_writer *w, uint64_t ticks, uint32_t n, bool may_turn)
{
	struct trace_chunk *c = w->chunk;

	// Only writer, of the count; a late look at the epoch is an event too many.
	if (unlikely(!c || c->count + n > TRACE_CHUNK_EVENTS ||
		     (ticks - c->base) >> TRACE_TIME_BITS ||
		     c->epoch != load_relaxed(&record.epoch))) {
		if (!may_turn || load_relaxed(&record.is_full)) // a hint
			return NULL;
		if (!turn_page(w, ticks))
			return NULL;
		c = w->chunk;
	}
	return &c->events[c->count];
}

static ALWAYS_INLINE void publish(struct trace_writer *w, uint32_t n)
{
	w->left.ticks = 0;
	// (trace-count) pairs with record_freeze: the events are written.
	store_release(&w->chunk->count, w->chunk->count + n);
}

static ALWAYS_INLINE uint64_t when(const struct trace_writer *w, uint64_t ticks, uint32_t processor,
	uint32_t detail, enum trace_kind kind)
{
	return (ticks - w->chunk->base) << 24 | (uint64_t)processor << 13 | detail << 5 | kind;
}

static ALWAYS_INLINE uint32_t processor_of(const struct machine *m)
{
	return m->processor ? m->processor->index : TRACE_NO_PROCESSOR;
}

static ALWAYS_INLINE void note_at(struct machine *m, struct trace_writer *w, uint64_t ticks,
	enum trace_kind kind, uint32_t detail, uint64_t id, uint32_t stack)
{
	struct trace_event *e = make_room(w, ticks, 1, true);

	if (unlikely(!e))
		return;
	e->when = when(w, ticks, processor_of(m), detail, kind);
	e->what = trace_what(id, stack);
	publish(w, 1);
}

static ALWAYS_INLINE void note(struct machine *m, struct trace_writer *w, enum trace_kind kind,
	uint32_t detail, uint64_t id, uint32_t stack)
{
	note_at(m, w, record_ticks(), kind, detail, id, stack);
}

bool record_note(enum trace_kind kind, uint32_t detail, const uint64_t *whats, uint32_t count)
{
	struct machine *m = machine_here();
	struct trace_writer *w = writer_of(m);
	uint64_t ticks = record_ticks();
	struct trace_event *e = w ? make_room(w, ticks, count, true) : NULL;

	if (!e)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		e[i].when = when(w, ticks, processor_of(m), detail, i == 0 ? kind : TRACE_MORE);
		e[i].what = whats[i];
	}
	publish(w, count);
	return true;
}

// The calling goroutine's; 0 on a plain thread and on the scheduler's stack.
static ALWAYS_INLINE uint32_t stack_here(
	struct trace_writer *w, const struct goroutine *g, enum trace_kind kind, uint32_t detail)
{
	if (!g || !g->stack)
		return 0;
	// Goroutines of one kind stop for the same reason where they always do.
	uintptr_t hint = g->creation_pc << 16 ^ kind << 8 ^ detail;
	return stack_number_here(&w->walker, stack_bounds(g->stack, g->stack_class).top, hint);
}

uint32_t record_stack_here(void)
{
	struct machine *m = machine_here();
	struct trace_writer *w = writer_of(m);

	return w ? stack_here(w, m->current, TRACE_LOG, 0) : 0;
}

// ---- hooks (events.c) ------------------------------------------------------------------------

void trace_spawned(struct machine *m, const struct goroutine *g, bool by_current)
{
	struct trace_writer *w = writer_of(m);

	if (unlikely(!w))
		return;
	uint32_t stack = by_current ? stack_here(w, m->current, TRACE_CREATED, 0) : 0;
	if (stack == 0)
		stack = stack_number_of_pc(&w->walker, g->creation_pc, true);
	// As function_of in inspect.c: of a handle's goroutine what was asked for.
	uintptr_t entry = g->handle ? (uintptr_t)g->capture.gpr[1] : (uintptr_t)g->capture.fn;
	uint64_t ticks = record_ticks();
	struct trace_event *e = make_room(w, ticks, 2, true);
	if (unlikely(!e))
		return;
	e[0].when = when(w, ticks, processor_of(m), 0, TRACE_CREATED);
	e[0].what = trace_what(g->id, stack);
	e[1].when = when(w, ticks, processor_of(m), 0, TRACE_ENTRY);
	e[1].what = trace_what(g->id, stack_number_of_pc(&w->walker, entry, false));
	publish(w, 2);
}

void trace_readied(struct machine *m, const struct goroutine *g, uint32_t cause)
{
	struct trace_writer *w = writer_of(m);

	// Of a timer's or a descriptor's waker the stack is the scheduler's.
	bool by_current = cause == EVENT_BY_GOROUTINE;

	if (likely(w != NULL))
		note(m, w, TRACE_READY, cause, g->id,
			by_current ? stack_here(w, m->current, TRACE_READY, 0) : 0);
}

/*
 * Between a park and the run of the next goroutine lie some ns when that one was next in turn, and
 * nobody looked for it: the clock, which takes as long as all else here, is not read again.
 */
static ALWAYS_INLINE uint64_t ticks_of_entry(
	const struct trace_writer *w, const struct processor *p, bool first)
{
	const struct trace_left *left = &w->left;

	// Only writer, of the tick.
	if (likely(left->ticks != 0 && left->processor == p && !first &&
		    p->runs - left->runs <= 1 && load_relaxed(&p->tick) == left->tick))
		return left->ticks;
	return record_ticks();
}

void trace_entering(struct machine *m, const struct goroutine *g, bool first)
{
	struct trace_writer *w = writer_of(m);

	if (unlikely(!w))
		return;
	note_at(m, w, ticks_of_entry(w, m->processor, first), TRACE_RUN, 0, g->id, 0);
}

void trace_parking(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);
	const struct processor *p = m->processor;

	if (unlikely(!w))
		return;
	uint32_t stack = stack_here(w, g, TRACE_PARK, g->wait_reason);
	uint64_t ticks = record_ticks();

	note_at(m, w, ticks, TRACE_PARK, g->wait_reason, g->id, stack);
	w->left = (struct trace_left){ticks, p, p->runs, load_relaxed(&p->tick)}; // only writer
}

void trace_yielding(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);
	// A hint: it is cleared when the processor attends to it, after this.
	bool told = load_relaxed(&m->processor->attention) & ATTENTION_ASKED;

	if (likely(w != NULL))
		note(m, w, TRACE_YIELD, told, g->id, stack_here(w, g, TRACE_YIELD, 0));
}

void trace_ended(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);

	if (likely(w != NULL))
		note(m, w, TRACE_END, 0, g->id, 0);
}

void trace_blocking_began(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);

	if (likely(w != NULL))
		note(m, w, TRACE_BLOCK, 0, g->id, stack_here(w, g, TRACE_BLOCK, 0));
}

void trace_blocking_ended(struct machine *m, const struct goroutine *g)
{
	struct trace_writer *w = writer_of(m);

	if (likely(w != NULL))
		note(m, w, m->processor ? TRACE_UNBLOCK : TRACE_UNBLOCK_NO, 0, g->id, 0);
}

// With rt.lock held: only into a chunk that has room.
void trace_processor_idles(const struct processor *p)
{
	struct machine *m = machine_current();
	struct trace_writer *w = m ? m->trace : NULL;
	uint64_t ticks = record_ticks();
	struct trace_event *e = w ? make_room(w, ticks, 1, false) : NULL;

	if (!e)
		return;
	e->when = when(w, ticks, p->index, 0, TRACE_IDLE);
	e->what = 0;
	publish(w, 1);
}

// ---- beginning and ending --------------------------------------------------------------------

int record_begin(enum trace_user user, size_t bytes)
{
	size_t chunks = bytes / TRACE_CHUNK_BYTES + 1;
	bool is_first = record.users == 0;

	if (record.users & user)
		return -EBUSY;
	if (is_first && stacks_begin() != 0)
		return -ENOMEM;
	if (is_first)
		record.by_ticks = sys_ticks_are_steady(); // nobody notes
	lock_acquire(&record.lock);
	record.users |= user;
	if (is_first) {
		store_relaxed(&record.epoch, record.epoch + 1); // under the lock
		record.since = 0;
		record.ticks_at_begin = record_ticks();
		record.time_at_begin = clock_now();
	}
	record.wants[user] = chunks;
	if (chunks > record.wanted)
		record.wanted = chunks;
	lock_release(&record.lock);
	if (is_first)
		events_begin(EVENTS_FOR_TRACE);
	return 0;
}

// Forgets all that was noted. Needs: the lock. Returns chunks to be unmapped.
static struct trace_chunk *end_epoch(void)
{
	store_relaxed(&record.epoch, record.epoch + 1); // under the lock
	*record.newest = record.free;
	struct trace_chunk *chunks = record.oldest;
	record.oldest = record.free = NULL;
	record.newest = &record.oldest;
	record.wanted = 0;
	for (struct trace_chunk *c = chunks; c; c = c->next)
		record.there--;
	return chunks;
}

static void unmap_chunks(struct trace_chunk *chunks)
{
	for (struct trace_chunk *next; chunks; chunks = next) {
		next = chunks->next;
		sys_pages_free(chunks, TRACE_CHUNK_BYTES);
	}
}

// There are more than are wanted by who is left, or by now. Needs: the lock. Returns chunks to be
// unmapped.
static struct trace_chunk *want_less(void)
{
	struct trace_chunk *chunks = NULL, *c;

	record.wanted = 0;
	for (size_t i = 0; i < COUNT_OF(record.wants); i++)
		if (record.wants[i] > record.wanted)
			record.wanted = record.wants[i];
	while (record.there > enough() && (c = take_oldest()) != NULL) {
		c->next = chunks;
		chunks = c;
		record.there--;
	}
	return chunks;
}

void record_pause(enum trace_user user)
{
	if (record.users == user)
		events_end(EVENTS_FOR_TRACE);
}

void record_end(enum trace_user user)
{
	struct trace_chunk *chunks = NULL;
	bool is_last = record.users == user;

	if (is_last)
		events_end(EVENTS_FOR_TRACE);
	lock_acquire(&record.lock);
	record.users &= ~(uint32_t)user;
	record.wants[user] = 0;
	if (is_last)
		chunks = end_epoch();
	else
		chunks = want_less();
	lock_release(&record.lock);
	unmap_chunks(chunks);
	if (is_last)
		stacks_forget();
}

bool record_is_on(enum trace_user user)
{
	return load_relaxed(&record.users) & user; // as if just before it was changed
}

// ---- taking it out -----------------------------------------------------------------------------

// When the process ends whoever holds the lock may never run again, or be the caller.
static bool lock_for(bool is_fatal)
{
	if (!is_fatal) {
		lock_acquire(&record.lock);
		return true;
	}
	for (int64_t until = clock_now() + 100000000; clock_now() < until; sys_yield())
		if (lock_try(&record.lock))
			return true;
	return false;
}

// Needs: the lock
static size_t count_parts(void)
{
	size_t n = 0;

	for (struct trace_chunk *c = record.oldest; c; c = c->next)
		n++;
	for (struct link *l = record.writers.next; l != &record.writers; l = l->next)
		n++;
	return n;
}

static void add_part(struct record *r, const struct trace_chunk *c, uint32_t epoch)
{
	// (trace-count) pairs with publish
	uint32_t count = load_acquire(&c->count);

	if (count > 0 && c->epoch == epoch && (r->count + 1) * sizeof(*r->parts) <= r->bytes)
		r->parts[r->count++] = (struct record_part){c, count, c->thread};
}

// Needs: the lock
static void add_parts(struct record *r)
{
	for (struct trace_chunk *c = record.oldest; c; c = c->next)
		add_part(r, c, record.epoch);
	for (struct link *l = record.writers.next; l != &record.writers; l = l->next) {
		const struct trace_writer *w = CONTAINER_OF(l, struct trace_writer, all);

		if (w->chunk)
			add_part(r, w->chunk, record.epoch);
	}
}

int record_freeze(struct record *r, bool is_fatal)
{
	bool is_locked = lock_for(is_fatal);
	bool fits = false;

	record.frozen++;
	do {
		size_t wanted = count_parts() + 64;

		if (is_locked)
			lock_release(&record.lock);
		*r = (struct record){.bytes = align_up(wanted * sizeof(*r->parts), 4096)};
		r->parts = sys_pages_alloc(r->bytes);
		is_locked = lock_for(is_fatal);
		if (!r->parts) {
			record.frozen--;
			break;
		}
		fits = count_parts() * sizeof(*r->parts) <= r->bytes;
		if (fits)
			add_parts(r);
		else
			sys_pages_free(r->parts, r->bytes);
	} while (!fits);
	r->since = record.since;
	r->ticks_at_begin = record.ticks_at_begin;
	r->time_at_begin = record.time_at_begin;
	r->ticks_now = record_ticks();
	r->time_now = clock_now();
	if (is_locked)
		lock_release(&record.lock);
	return r->parts ? 0 : -ENOMEM;
}

void record_thaw(struct record *r)
{
	sys_pages_free(r->parts, r->bytes);
	lock_acquire(&record.lock);
	record.frozen--;
	if (load_relaxed(&record.is_full)) // changed under the lock
		record.since = record_ticks();
	store_relaxed(&record.is_full, 0); // a hint
	struct trace_chunk *chunks = record.users ? want_less() : NULL;
	lock_release(&record.lock);
	unmap_chunks(chunks);
}
