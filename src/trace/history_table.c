// SPDX-License-Identifier: MIT
/*
 * The tables of a replay, and the merge of the threads' events into one order.
 */
#include "trace/history_table.h"

#include "base/hash.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>

// ---- goroutines ------------------------------------------------------------------------------

static size_t slot_of(const struct history_private *p, uint64_t id)
{
	size_t at = (size_t)((id * HASH_FACTOR) >> 20) & (p->capacity - 1);

	while (p->goroutines[at].id != 0 && p->goroutines[at].id != id)
		at = (at + 1) & (p->capacity - 1);
	return at;
}

static bool grow(struct history_private *p)
{
	struct told_goroutine *old = p->goroutines;
	size_t capacity = p->capacity, bytes = capacity * sizeof(*old);
	size_t more = capacity ? capacity * 4 : 1024;
	struct told_goroutine *new = sys_pages_alloc(more * sizeof(*new));

	if (!new)
		return false;
	p->goroutines = new;
	p->capacity = more;
	for (size_t i = 0; i < capacity; i++)
		if (old[i].id != 0)
			new[slot_of(p, old[i].id)] = old[i];
	if (old)
		sys_pages_free(old, bytes);
	return true;
}

struct told_goroutine *history_find(struct history_private *p, uint64_t id)
{
	struct told_goroutine *g = p->capacity ? &p->goroutines[slot_of(p, id)] : NULL;

	return g && g->id != 0 ? g : NULL;
}

struct told_goroutine *history_goroutine(struct history_private *p, uint64_t id, bool *is_new)
{
	struct told_goroutine *g = history_find(p, id);

	*is_new = false;
	if (g || id == 0)
		return g;
	if (p->count * 2 >= p->capacity && !grow(p))
		return NULL;
	p->count++;
	*is_new = true;
	g = &p->goroutines[slot_of(p, id)];
	*g = (struct told_goroutine){.id = id, .thread = NOBODY};
	return g;
}

// ---- threads ---------------------------------------------------------------------------------

static bool add_thread(struct history *h, uint32_t id)
{
	struct history_private *p = h->p;

	if (h->thread_count == p->thread_capacity) {
		uint32_t old = p->thread_capacity, more = old ? old * 2 : 64;
		struct told_thread *threads = sys_pages_alloc(more * sizeof(*threads));
		uint32_t *ids = sys_pages_alloc(more * sizeof(*ids));

		if (threads && ids && old) {
			memcpy(threads, p->threads, old * sizeof(*threads));
			memcpy(ids, h->threads, old * sizeof(*ids));
			sys_pages_free(p->threads, old * sizeof(*threads));
			sys_pages_free(h->threads, old * sizeof(*ids));
		}
		if (!threads || !ids) {
			if (threads)
				sys_pages_free(threads, more * sizeof(*threads));
			if (ids)
				sys_pages_free(ids, more * sizeof(*ids));
			return false;
		}
		p->threads = threads;
		h->threads = ids;
		p->thread_capacity = more;
	}
	h->threads[h->thread_count] = id;
	p->threads[h->thread_count++] = (struct told_thread){
		.first_part = NOBODY,
		.processor = TRACE_NO_PROCESSOR,
		.first_processor = TRACE_NO_PROCESSOR,
	};
	return true;
}

// The index of the thread with this id, made if there is none; NOBODY: out of memory.
static uint32_t thread_of(struct history *h, uint32_t id)
{
	for (uint32_t i = h->thread_count; i-- > 0;)
		if (h->threads[i] == id)
			return i;
	return add_thread(h, id) ? h->thread_count - 1 : NOBODY;
}

// Links the parts of each thread. They are in order already.
static bool link_parts(struct history *h)
{
	struct history_private *p = h->p;
	const struct record *r = &h->record;

	p->part_bytes = align_up((r->count + 1) * sizeof(*p->next_parts), 4096);
	p->next_parts = sys_pages_alloc(p->part_bytes);
	if (!p->next_parts)
		return false;
	for (size_t i = r->count; i-- > 0;) {
		uint32_t t = thread_of(h, r->parts[i].thread);

		if (t == NOBODY)
			return false;
		p->next_parts[i] = p->threads[t].first_part;
		p->threads[t].first_part = (uint32_t)i;
	}
	p->heap = sys_pages_alloc((h->thread_count + 1) * sizeof(*p->heap));
	return p->heap != NULL;
}

// ---- regions ---------------------------------------------------------------------------------

bool region_begins(struct history_private *p, struct told_region r)
{
	if (!p->regions)
		p->regions = sys_pages_alloc(REGIONS_MAX * sizeof(*p->regions));
	if (!p->regions || p->region_count == REGIONS_MAX)
		return false;
	p->regions[p->region_count++] = r;
	return true;
}

bool region_ends(struct history_private *p, struct told_region r)
{
	for (uint32_t i = p->region_count; i-- > 0;) {
		if (p->regions[i].goroutine != r.goroutine)
			continue;
		if (p->regions[i].task != r.task || p->regions[i].name != r.name)
			return false; // another one is the innermost
		p->region_count--;
		memmove(&p->regions[i], &p->regions[i + 1],
			(p->region_count - i) * sizeof(*p->regions));
		return true;
	}
	return true; // it began before the beginning
}

void regions_forget(struct history_private *p, uint64_t goroutine)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->region_count; i++)
		if (p->regions[i].goroutine != goroutine)
			p->regions[kept++] = p->regions[i];
	p->region_count = kept;
}

// ---- merging ---------------------------------------------------------------------------------

static const struct trace_event *event_of(const struct history *h, const struct told_thread *t)
{
	return &h->record.parts[t->part].chunk->events[t->event];
}

static uint64_t ticks_of(const struct history *h, const struct told_thread *t)
{
	return h->record.parts[t->part].chunk->base + (event_of(h, t)->when >> 24);
}

// Goes on to the thread's next event.
static void advance(const struct history *h, struct told_thread *t)
{
	if (++t->event < h->record.parts[t->part].count)
		return;
	t->part = h->p->next_parts[t->part];
	t->event = 0;
}

static bool comes_before(const struct history *h, uint32_t a, uint32_t b)
{
	return ticks_of(h, &h->p->threads[a]) < ticks_of(h, &h->p->threads[b]);
}

static void sift_down(struct history *h, uint32_t i)
{
	struct history_private *p = h->p;
	uint32_t *heap = p->heap;

	for (uint32_t child; (child = 2 * i + 1) < p->heap_count; i = child) {
		if (child + 1 < p->heap_count && comes_before(h, heap[child + 1], heap[child]))
			child++;
		if (!comes_before(h, heap[child], heap[i]))
			return;
		uint32_t moved = heap[i];
		heap[i] = heap[child];
		heap[child] = moved;
	}
}

void merge_begin(struct history *h)
{
	struct history_private *p = h->p;

	p->heap_count = 0;
	p->is_taken = false;
	for (uint32_t i = 0; i < h->thread_count; i++) {
		struct told_thread *t = &p->threads[i];

		t->part = t->first_part;
		t->event = 0;
		while (t->part != NOBODY && ticks_of(h, t) <= p->since)
			advance(h, t);
		if (t->part != NOBODY)
			p->heap[p->heap_count++] = i;
	}
	for (uint32_t i = p->heap_count / 2; i-- > 0;)
		sift_down(h, i);
}

const struct trace_event *merge_next(struct history *h, uint32_t *thread, uint64_t *ticks)
{
	struct history_private *p = h->p;

	if (p->is_taken) {
		struct told_thread *t = &p->threads[p->heap[0]];

		advance(h, t);
		if (t->part == NOBODY)
			p->heap[0] = p->heap[--p->heap_count];
		sift_down(h, 0);
	}
	p->is_taken = p->heap_count > 0;
	if (!p->is_taken)
		return NULL;
	*thread = p->heap[0];
	*ticks = ticks_of(h, &p->threads[*thread]);
	return event_of(h, &p->threads[*thread]);
}

const struct trace_event *merge_more(struct history *h, enum trace_kind kind)
{
	struct told_thread *t = &h->p->threads[h->p->heap[0]];

	// What belongs together is in one chunk.
	if (t->event + 1 >= h->record.parts[t->part].count ||
		trace_kind_of(event_of(h, t) + 1) != kind)
		return NULL;
	t->event++;
	return event_of(h, t);
}

// ---- making and freeing ------------------------------------------------------------------------

int history_table_make(struct history *h)
{
	h->p = sys_pages_alloc(sizeof(*h->p));
	if (!h->p || !grow(h->p))
		return -ENOMEM;
	return 0;
}

int history_table_link(struct history *h) { return link_parts(h) ? 0 : -ENOMEM; }

void history_table_free(struct history *h)
{
	struct history_private *p = h->p;

	if (!p)
		return;
	if (p->goroutines)
		sys_pages_free(p->goroutines, p->capacity * sizeof(*p->goroutines));
	if (p->regions)
		sys_pages_free(p->regions, REGIONS_MAX * sizeof(*p->regions));
	if (p->heap)
		sys_pages_free(p->heap, (h->thread_count + 1) * sizeof(*p->heap));
	if (p->threads)
		sys_pages_free(p->threads, p->thread_capacity * sizeof(*p->threads));
	if (h->threads)
		sys_pages_free(h->threads, p->thread_capacity * sizeof(*h->threads));
	if (p->next_parts)
		sys_pages_free(p->next_parts, p->part_bytes);
	sys_pages_free(p, sizeof(*p));
	h->p = NULL;
}
