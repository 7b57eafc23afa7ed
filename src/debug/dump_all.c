// SPDX-License-Identifier: MIT
/*
 * All goroutines as text, and the lock that keeps two reports apart.
 *
 * An ordinary dump first takes a snapshot (each goroutine is held for some microseconds), then
 * orders and writes it. All that in a blocking section: whoever reads the other end of a pipe may
 * be a goroutine. A fatal one writes each goroutine as it finds it, so that what was written stays
 * if the rest is in ruins.
 *
 * The snapshot lies in pages of its own: a dump must work in a program whose heap does not.
 *
 * Lock: report_word, taken after inspect_each's, never with a runtime lock held.
 */
#include "debug/dump.h"

#include "base/atomic.h"
#include "debug/own_stack.h"
#include "sched/current.h"
#include "sched/timer.h"
#include "sys/sys.h"

#include <errno.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>

// ---- the lock --------------------------------------------------------------------------------

// Two seconds: time for thousands of goroutines; longer means a reader that does not read. A guess.
static const int64_t FATAL_PATIENCE = 2 * INT64_C(1000000000);

static uint32_t report_word;     // 0 free, 1 held, 2 held and somebody may sleep
static const void *report_owner; // the holder's mark; any thread may compare it with its own
static unsigned report_depth;    // holder only
static char report_buffer[4096]; // holder only

// An address that only this thread has.
static NOINLINE const void *thread_mark(void)
{
	static __thread char mark;

	return &mark;
}

void report_lock(unsigned flags)
{
	int64_t deadline = flags & REPORT_FATAL ? clock_now() + FATAL_PATIENCE : INT64_MAX;
	uint32_t expected = 0;

	// Relaxed: only this thread ever stores its own mark.
	if (load_relaxed(&report_owner) == thread_mark()) {
		report_depth++;
		return;
	}
	// (report) pairs with report_unlock: the last holder is done with the buffer.
	if (!cas_acquire(&report_word, &expected, 1)) {
		// (report) as above. 2, because somebody else may sleep as well.
		while (exchange_acquire(&report_word, 2) != 0)
			if (sys_futex_wait(&report_word, 2, deadline) == -ETIMEDOUT)
				break; // taken from a holder that will find another mark
	}
	store_relaxed(&report_owner, thread_mark());
	report_depth = 1;
}

void report_unlock(void)
{
	if (load_relaxed(&report_owner) != thread_mark() || --report_depth > 0)
		return;
	store_relaxed(&report_owner, NULL); // ordered by the release below
	// (report) pairs with the acquires in report_lock.
	if (exchange_release(&report_word, 0) == 2)
		sys_futex_wake(&report_word, 1);
}

// ---- the snapshot ----------------------------------------------------------------------------

enum { CHUNK_BYTES = 256 << 10 };

struct record {
	struct record *next;
	struct inspected i; // name and labels are behind the frames
	bool has_stack;
	struct backtrace b; // only as many frames as it has are there
};

struct chunk {
	struct chunk *next;
	size_t bytes;
	size_t used;
};

struct snapshot {
	const struct arch_saved *caller; // the calling goroutine's context
	struct backtrace *here;          // its stack, when there is no such context
	struct record *records;
	struct chunk *chunks;
	size_t left_out; // for want of memory
};

// Room for `bytes` behind the last record, or NULL. Not zeroed.
static void *snapshot_room(struct snapshot *s, size_t bytes)
{
	struct chunk *c = s->chunks;

	if (!c || c->bytes - c->used < bytes) {
		size_t needed = align_up(sizeof(struct chunk) + bytes, CHUNK_BYTES);

		c = sys_pages_alloc(needed);
		if (!c)
			return NULL;
		*c = (struct chunk){
			.next = s->chunks, .bytes = needed, .used = sizeof(struct chunk)};
		s->chunks = c;
	}
	return (char *)c + c->used;
}

static void snapshot_free(struct snapshot *s)
{
	for (struct chunk *c = s->chunks, *next; c; c = next) {
		next = c->next;
		sys_pages_free(c, c->bytes);
	}
}

/*
 * A held goroutine's texts are read by atomics, byte by byte: ThreadSanitizer sees the calls of
 * strlen and memcpy, not the hold, and would report a race.
 */
static size_t foreign_bytes(const char *text)
{
	size_t n = 0;

	while (load_relaxed(&text[n]) != 0) // held
		n++;
	return n + 1;
}

static char *foreign_copy(char *to, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = load_relaxed(&text[i]); // held
	return to + bytes;
}

// inspect_each's: the goroutine is held.
static void snapshot_add(const struct inspected *i, void *arg)
{
	struct snapshot *s = arg;
	const char *name = i->name ? i->name : "", *labels = i->labels ? i->labels : "";
	size_t name_bytes = foreign_bytes(name), labels_bytes = foreign_bytes(labels);
	struct record *r = snapshot_room(
		s, sizeof(struct record) + name_bytes + labels_bytes + sizeof(void *));

	if (!r) {
		s->left_out++;
		return;
	}
	r->i = *i;
	r->has_stack = true;
	if (i->is_current && s->here)
		r->b = *s->here;
	else if (i->is_current)
		backtrace_context(&r->b, s->caller);
	else if (i->context)
		backtrace_context(&r->b, i->context);
	else
		r->has_stack = false;
	char *end = (char *)&r->b.frames[r->has_stack ? r->b.count : 0];
	r->i.name = end;
	end = foreign_copy(end, name, name_bytes);
	r->i.labels = end;
	end = foreign_copy(end, labels, labels_bytes);
	s->chunks->used = align_up((size_t)(end - (char *)s->chunks), _Alignof(struct record));
	r->next = s->records;
	s->records = r;
}

static NOINLINE void snapshot_take(const struct arch_saved *caller, void *arg)
{
	struct snapshot *s = arg;
	struct backtrace here;

	s->caller = caller;
	if (!caller) {
		backtrace_here(&here);
		s->here = &here;
	}
	inspect_each(snapshot_add, s);
	s->here = NULL;
}

// The caller first, then by number.
static bool record_is_before(const struct record *a, const struct record *b)
{
	if (a->i.is_current != b->i.is_current)
		return a->i.is_current;
	return a->i.id < b->i.id;
}

static struct record *merge(struct record *a, struct record *b)
{
	struct record *merged, **last = &merged;

	while (a && b) {
		struct record **first = record_is_before(a, b) ? &a : &b;

		*last = *first;
		last = &(*first)->next;
		*first = *last;
	}
	*last = a ? a : b;
	return merged;
}

// A merge sort: sorted[n] is empty or a sorted list of 2^n records.
static struct record *sort_records(struct record *list)
{
	struct record *sorted[48] = {NULL}, *all = NULL;

	while (list) {
		struct record *run = list;
		size_t n = 0;

		list = list->next;
		run->next = NULL;
		for (; sorted[n]; n++) {
			run = merge(sorted[n], run);
			sorted[n] = NULL;
		}
		sorted[n] = run;
	}
	for (size_t n = 0; n < COUNT_OF(sorted); n++)
		all = merge(sorted[n], all);
	return all;
}

// ---- writing ---------------------------------------------------------------------------------

struct report {
	int fd;
	unsigned flags;
	uint64_t skip_id;
	struct snapshot snapshot;
	// while it is written
	struct writer w;
	bool has_predecessor; // a goroutine stands above: a blank line separates
};

static void separate(struct report *r)
{
	if (r->has_predecessor)
		writer_text(&r->w, "\n");
	r->has_predecessor = true;
}

static void write_snapshot(const struct arch_saved *caller, void *arg)
{
	struct report *r = arg;

	(void)caller;
	for (struct record *g = sort_records(r->snapshot.records); g; g = g->next) {
		if (g->i.id == r->skip_id)
			continue;
		separate(r);
		report_goroutine(&r->w, &g->i, g->has_stack ? &g->b : NULL, r->flags);
	}
	if (r->snapshot.left_out > 0) {
		separate(r);
		writer_text(&r->w, "...");
		writer_number(&r->w, r->snapshot.left_out);
		writer_text(&r->w, " goroutines left out: out of memory...\n");
	}
	writer_flush(&r->w);
}

static void write_fatal_one(const struct inspected *i, void *arg)
{
	struct report *r = arg;
	struct backtrace b;

	if (i->is_current || i->id == r->skip_id)
		return;
	separate(r);
	if (i->context)
		backtrace_context(&b, i->context);
	report_goroutine(&r->w, i, i->context ? &b : NULL, r->flags);
	writer_flush(&r->w);
}

static void write_fatal(const struct arch_saved *caller, void *arg)
{
	(void)caller;
	inspect_each_unlocked(write_fatal_one, arg);
}

static void report_start(struct report *r)
{
	report_lock(r->flags);
	writer_to_fd(&r->w, r->fd, report_buffer, sizeof(report_buffer));
	r->has_predecessor = r->skip_id != 0;
}

static void report_all_fatal(struct report *r)
{
	struct goroutine *me = goroutine_current_or_null();

	report_start(r);
	if (me && me->id != r->skip_id) {
		separate(r);
		report_current(&r->w, r->flags);
		writer_flush(&r->w);
	}
	if (r->flags & REPORT_INTERRUPTED)
		write_fatal(NULL, r);
	else
		own_stack_call(write_fatal, r);
	report_unlock();
}

static void report_all_ordinary(struct report *r)
{
	struct goroutine *me = goroutine_current_or_null();
	bool is_goroutine = me && !(me->flags & GOROUTINE_THREAD);

	// Neither call returns at the end of tuza_run: what lies between leaves nothing behind.
	if (is_goroutine)
		tuza_blocking_begin();
	own_stack_call(snapshot_take, &r->snapshot);
	report_start(r);
	own_stack_call(write_snapshot, r);
	report_unlock();
	snapshot_free(&r->snapshot);
	if (is_goroutine)
		tuza_blocking_end();
}

void report_all(int fd, unsigned flags, uint64_t skip_id)
{
	struct report r = {.fd = fd, .flags = flags, .skip_id = skip_id};

	if (flags & REPORT_FATAL)
		report_all_fatal(&r);
	else
		report_all_ordinary(&r);
}

EXPORT void tuza_dump(int fd) { report_all(fd, 0, 0); }

EXPORT size_t tuza_stack(char *buffer, size_t n)
{
	return n > 0 ? report_stack_text(buffer, n, 0) : 0;
}
