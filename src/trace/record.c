// SPDX-License-Identifier: MIT
/*
 * The record: the chunks that events are noted into, who wants them, and taking them out. See
 * record.h.
 *
 * A chunk that is not full is its writer's. Full ones and free ones are in lists; only those are
 * unmapped or given to another, so whoever is late with an event after the end of an epoch still
 * has where to put it. Whoever reads (record_freeze) reads the events that a chunk's count says are
 * complete, of the writers' chunks as well; as long as somebody reads none is written over. There
 * are some more for that time; when they are full, events are lost, and the record begins anew.
 *
 * Lock: `lock`, taken with rt.lock or a channel's held; under it nothing but the machine's mapping
 * of memory.
 */
#include "trace/noting.h"

#include "sched/machine.h"
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
} record = {.newest = &record.oldest, .writers = {&record.writers, &record.writers}};

struct record_now record_now;

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
	bool is_old = c->epoch != record_now.epoch || record.users == 0;

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

bool record_turn_page(struct trace_writer *w, uint64_t ticks)
{
	lock_acquire(&record.lock);
	struct trace_chunk *full = w->chunk;
	if (full) {
		full->last = ticks;
		keep_full(full);
	}
	struct trace_chunk *c = w->chunk = take_chunk();
	if (c) {
		c->epoch = record_now.epoch;
		c->thread = w->thread;
		c->base = ticks;
		c->last = UINT64_MAX;
		store_relaxed(&c->count, 0); // under the lock
	} else if (ticks > record.since) {
		record.since = ticks; // there is a gap: what is before does not count any more
		store_relaxed(&record_now.is_full, record.frozen != 0); // a hint
	}
	lock_release(&record.lock);
	return c != NULL;
}

// ---- writers -------------------------------------------------------------------------------

struct trace_writer *record_make_writer(struct machine *m)
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
		record_now.by_ticks = sys_ticks_are_steady(); // nobody notes
	lock_acquire(&record.lock);
	record.users |= user;
	if (is_first) {
		store_relaxed(&record_now.epoch, record_now.epoch + 1); // under the lock
		record.since = 0;
		record.ticks_at_begin = record_ticks();
		record.time_at_begin = sys_clock_now();
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
	store_relaxed(&record_now.epoch, record_now.epoch + 1); // under the lock
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

// There are more than are wanted by whoever is left, or by now. Needs: the lock. Returns chunks to
// be unmapped.
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
	for (int64_t until = sys_clock_now() + 100 * TUZA_MILLISECOND; sys_clock_now() < until;
		sys_yield())
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
		add_part(r, c, record_now.epoch);
	for (struct link *l = record.writers.next; l != &record.writers; l = l->next) {
		const struct trace_writer *w = CONTAINER_OF(l, struct trace_writer, all);

		if (w->chunk)
			add_part(r, w->chunk, record_now.epoch);
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
	r->time_now = sys_clock_now();
	if (is_locked)
		lock_release(&record.lock);
	return r->parts ? 0 : -ENOMEM;
}

void record_thaw(struct record *r)
{
	sys_pages_free(r->parts, r->bytes);
	lock_acquire(&record.lock);
	record.frozen--;
	if (load_relaxed(&record_now.is_full)) // changed under the lock
		record.since = record_ticks();
	store_relaxed(&record_now.is_full, 0); // a hint
	struct trace_chunk *chunks = record.users ? want_less() : NULL;
	lock_release(&record.lock);
	unmap_chunks(chunks);
}
