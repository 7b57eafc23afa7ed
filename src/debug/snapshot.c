// SPDX-License-Identifier: MIT
/*
 * The picture: records in chunks of pages, each as long as its stack is deep, then sorted.
 */
#include "debug/snapshot.h"

#include "base/atomic.h"
#include "debug/ask.h"
#include "debug/own_stack.h"
#include "sys/sys.h"

enum { CHUNK_BYTES = 256 << 10 };

struct snapshot_chunk {
	struct snapshot_chunk *next;
	size_t bytes;
	size_t used; // a multiple of a record's alignment
};

void *snapshot_room(struct snapshot *s, size_t bytes)
{
	struct snapshot_chunk *c = s->chunks;

	if (!c || c->bytes - c->used < bytes) {
		size_t needed = align_up(sizeof(struct snapshot_chunk) + bytes, CHUNK_BYTES);

		c = sys_pages_alloc(needed);
		if (!c)
			return NULL;
		*c = (struct snapshot_chunk){
			.next = s->chunks, .bytes = needed, .used = sizeof(struct snapshot_chunk)};
		s->chunks = c;
	}
	return (char *)c + c->used;
}

void snapshot_keep(struct snapshot *s, const char *end)
{
	size_t used = (size_t)(end - (const char *)s->chunks);

	s->chunks->used = align_up(used, _Alignof(struct snapshot_record));
}

void snapshot_free(struct snapshot *s)
{
	for (struct snapshot_chunk *c = s->chunks, *next; c; c = next) {
		next = c->next;
		sys_pages_free(c, c->bytes);
	}
}

struct taking {
	struct ask_patience patience;
	struct snapshot *snapshot;
	snapshot_wants *wants;
	void *arg;
	const struct arch_saved *caller; // the calling goroutine's context
	struct backtrace *here;          // its stack, when there is no such context
};

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
static void add(const struct inspected *i, void *arg)
{
	struct taking *t = arg;
	struct snapshot *s = t->snapshot;
	struct asked asked;

	if (t->wants && !t->wants(i, t->arg))
		return;
	bool is_asked = inspect_runs(i) && ask_running(i, &t->patience, &asked, 0);
	const char *name = i->name ? i->name : "", *labels = is_asked    ? asked.labels
							     : i->labels ? i->labels
									 : "";
	size_t name_bytes = foreign_bytes(name), labels_bytes = foreign_bytes(labels);
	struct snapshot_record *r = snapshot_room(s, sizeof(*r) + name_bytes + labels_bytes);

	if (!r) {
		s->left_out++;
		return;
	}
	r->i = *i;
	r->has_stack = true;
	if (i->is_current && t->here)
		r->b = *t->here;
	else if (i->is_current)
		backtrace_context(&r->b, t->caller);
	else if (i->context)
		backtrace_context(&r->b, i->context);
	else if (is_asked)
		r->b = asked.b;
	else
		r->has_stack = false;
	char *end = (char *)&r->b.frames[r->has_stack ? r->b.count : 0];
	r->i.name = end;
	end = foreign_copy(end, name, name_bytes);
	r->i.labels = end;
	snapshot_keep(s, foreign_copy(end, labels, labels_bytes));
	r->next = s->records;
	s->records = r;
}

// The caller first, then by number.
static bool record_is_before(const struct snapshot_record *a, const struct snapshot_record *b)
{
	if (a->i.is_current != b->i.is_current)
		return a->i.is_current;
	return a->i.id < b->i.id;
}

static struct snapshot_record *merge(struct snapshot_record *a, struct snapshot_record *b)
{
	struct snapshot_record *merged, **last = &merged;

	while (a && b) {
		struct snapshot_record **first = record_is_before(a, b) ? &a : &b;

		*last = *first;
		last = &(*first)->next;
		*first = *last;
	}
	*last = a ? a : b;
	return merged;
}

// A merge sort: sorted[n] is empty or a sorted list of 2^n records.
static struct snapshot_record *sort_records(struct snapshot_record *list)
{
	struct snapshot_record *sorted[48] = {NULL}, *all = NULL;

	while (list) {
		struct snapshot_record *run = list;
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

static void take(const struct arch_saved *caller, void *arg)
{
	struct taking *t = arg;
	struct backtrace here;

	t->caller = caller;
	if (!caller) {
		backtrace_here(&here);
		t->here = &here;
	}
	inspect_each(add, t);
	t->here = NULL;
	t->snapshot->records = sort_records(t->snapshot->records);
}

void snapshot_take(struct snapshot *s, snapshot_wants *wants, void *arg)
{
	struct taking t = {.snapshot = s, .wants = wants, .arg = arg};

	*s = (struct snapshot){0};
	own_stack_call(take, &t);
}
