// SPDX-License-Identifier: MIT
/*
 * The order of locks (TUZA_DEBUG=lockorder), for programs compiled without optimisation or with
 * -DTUZA_WATCH_LOCKS: their lock calls come here by lock_watch.c.
 *
 * A lock gets a number at its first watched use; it keeps that in its own words while nobody
 * holds it (mutex: where the mark of the holder's stack is else), so memory that is used again
 * for another lock, zeroed as it must be, has none. Whoever takes lock B while it holds A adds
 * the edge A → B with both stacks. An edge that closes a cycle is an inversion: two goroutines
 * could meet in it, whether they have or not. It is reported once, before the lock is taken, for
 * that may be where it deadlocks. A cycle all of whose edges were made under one common lock is
 * none.
 *
 * A lock for reading counts as one for writing: a writer that waits keeps readers out. Taking one
 * for reading twice is reported for the same reason. try_lock adds no edge to what it takes, since
 * it does not wait, nor does a lock with a context that may end, since it need not wait for ever;
 * what is taken under them does.
 *
 * Everything is guarded by watch.lock, and lies in pages that are never given back: this is for
 * finding bugs. Linux's lockdep has classes instead of instances; here locks have no initialiser
 * that could tell a class.
 */
#include "debug/lock_order.h"

#include "base/atomic.h"
#include "debug/dump.h"
#include "debug/own_stack.h"
#include "sched/blocking.h"
#include "sched/lock.h"
#include "sched/upcalls.h"
#include "sys/sys.h"

#include <tuza/goroutine.h>
#include <tuza/sync.h>
#include <unistd.h>

enum {
	NUMBERS = 1 << 16, // of locks; below any mark of a stack (tuza/sync.h)
	GUARDS = 8,
	BUCKETS = 1024,
	CHUNK_BYTES = 256 << 10,
	CIRCLE_MAX = 8, // edges that are shown
};

struct edge {
	struct edge *next; // of the same `from`
	uint32_t from, to;
	const void *from_lock, *to_lock;
	bool from_is_rwmutex, to_is_rwmutex;
	uint64_t owner;
	uint32_t guards[GUARDS]; // what else was held
	uint32_t guard_count;
	struct lock_place from_place, to_place;
};

struct node {
	struct edge *edges;
	struct edge *way; // by which a search came here
	uint32_t seen_in; // number of the search
};

static struct {
	struct lock lock;
	// guarded by lock
	struct held *held[BUCKETS];
	struct held *free;
	struct node *nodes; // NUMBERS
	char *room, *room_end;
	uint32_t last_number;
	uint32_t searches;
} watch APART;

// ---- memory: under watch.lock ------------------------------------------------------------------

static void *get_room(size_t bytes)
{
	if ((size_t)(watch.room_end - watch.room) < bytes) {
		char *chunk = sys_pages_alloc(CHUNK_BYTES);

		if (!chunk)
			return NULL;
		watch.room = chunk;
		watch.room_end = chunk + CHUNK_BYTES;
	}
	void *room = watch.room;

	watch.room += align_up(bytes, 16);
	return room;
}

static struct held *new_held(void)
{
	struct held *h = watch.free;

	if (h)
		watch.free = h->next;
	else
		h = get_room(sizeof(*h));
	return h;
}

static struct node *node_of(uint32_t number)
{
	if (!watch.nodes)
		watch.nodes = sys_pages_alloc(NUMBERS * sizeof(struct node));
	return watch.nodes ? &watch.nodes[number] : NULL;
}

// ---- who holds what: under watch.lock ----------------------------------------------------------

static struct held **bucket_of(uint64_t owner) { return &watch.held[owner % BUCKETS]; }

static struct held **find_held(uint64_t owner, const void *lock)
{
	struct held **at = bucket_of(owner);

	while (*at && ((*at)->owner != owner || (*at)->lock != lock))
		at = &(*at)->next;
	return at;
}

static struct held *find_by_lock(const void *lock)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct held *h = watch.held[i]; h; h = h->next)
			if (h->lock == lock)
				return h;
	return NULL;
}

static uint32_t new_number(void)
{
	return watch.last_number + 1 < NUMBERS ? ++watch.last_number : 0;
}

// A lock's number; 0: it cannot be told, for somebody holds it who is not watched.
static uint32_t number_of(const void *lock, bool is_rwmutex)
{
	const tuza_mutex *m = lock;
	const tuza_rwmutex *rw = lock;
	// Glimpses: whose lock it is may change meanwhile.
	uint32_t word = is_rwmutex ? load_relaxed(&rw->number) : load_relaxed(&m->holder);
	bool is_free = is_rwmutex || !(load_relaxed(&m->state) & TUZA_MUTEX_LOCKED_); // as above
	const struct held *h;

	if (word != 0 && word < NUMBERS)
		return word;
	h = find_by_lock(lock);
	if (h)
		return h->number;
	return word == 0 && is_free ? new_number() : 0;
}

// ---- the report --------------------------------------------------------------------------------

struct cycle {
	uint32_t count;
	struct edge edges[CIRCLE_MAX]; // copies
	bool is_again;                 // one edge: a lock for reading, taken twice
};

static void write_lock_name(struct writer *w, bool is_rwmutex, const void *lock)
{
	writer_text(w, is_rwmutex ? "rwmutex " : "mutex ");
	writer_hex(w, (uintptr_t)lock);
}

static void write_place(struct writer *w, uint64_t owner, const struct lock_place *p)
{
	struct inspected i = {.id = owner, .is_current = true};
	struct backtrace b = {.count = p->count};

	for (uint32_t k = 0; k < p->count; k++)
		b.frames[k] = p->frames[k];
	report_goroutine(w, &i, &b, 0);
}

static void write_cycle(const struct arch_saved *caller, void *cycle)
{
	const struct cycle *c = cycle;
	struct writer w;
	char bytes[512];

	(void)caller;
	writer_to_fd(&w, STDERR_FILENO, bytes, sizeof(bytes));
	writer_text(
		&w, c->is_again ? "found recursive read lock:\n" : "found lock order inversion:\n");
	for (uint32_t i = 0; i < c->count; i++) {
		const struct edge *e = &c->edges[i];

		if (i > 0)
			writer_text(&w, "\n");
		write_lock_name(&w, e->to_is_rwmutex, e->to_lock);
		writer_text(&w, " is locked here:\n");
		write_place(&w, e->owner, &e->to_place);
		writer_text(&w, "under ");
		write_lock_name(&w, e->from_is_rwmutex, e->from_lock);
		writer_text(&w, ", locked here:\n");
		write_place(&w, e->owner, &e->from_place);
	}
	writer_flush(&w);
}

static void report(struct cycle *c)
{
	bool is_section = blocking_section_begin();
	report_lock(0);
	own_stack_call(write_cycle, c);
	report_unlock();
	blocking_section_end(is_section);
}

// ---- edges: under watch.lock -------------------------------------------------------------------

static bool is_guard(const struct edge *e, uint32_t number)
{
	for (uint32_t i = 0; i < e->guard_count; i++)
		if (e->guards[i] == number)
			return true;
	return false;
}

// Whether all edges of the way to `last`, and `closing`, were made under one common lock.
static bool is_guarded(const struct edge *closing, const struct edge *way)
{
	for (uint32_t i = 0; i < closing->guard_count; i++) {
		const struct edge *e = way;

		while (e && is_guard(e, closing->guards[i]))
			e = e->from == closing->to ? NULL : node_of(e->from)->way;
		if (!e)
			return true;
	}
	return false;
}

// The last edge of a way from one lock to another; NULL: there is none.
static struct edge *find_way(uint32_t from, uint32_t to)
{
	uint32_t stack[64], depth = 0;

	watch.searches++;
	node_of(from)->seen_in = watch.searches;
	stack[depth++] = from;
	while (depth > 0)
		for (struct edge *e = node_of(stack[--depth])->edges; e; e = e->next) {
			struct node *n = node_of(e->to);

			if (n->seen_in == watch.searches)
				continue;
			n->seen_in = watch.searches;
			n->way = e;
			if (e->to == to)
				return e;
			if (depth < COUNT_OF(stack))
				stack[depth++] = e->to;
		}
	return NULL;
}

static bool has_edge(uint32_t from, uint32_t to)
{
	for (const struct edge *e = node_of(from)->edges; e; e = e->next)
		if (e->to == to)
			return true;
	return false;
}

// The cycle that the edge closes, if it closes one that counts.
static void describe(struct cycle *c, const struct edge *closing)
{
	struct edge *way = find_way(closing->to, closing->from);

	if (!way || is_guarded(closing, way))
		return;
	c->edges[c->count++] = *closing;
	for (struct edge *e = way; e && c->count < CIRCLE_MAX;
		e = e->from == closing->to ? NULL : node_of(e->from)->way)
		c->edges[c->count++] = *e;
}

static void add_guards(struct edge *e, const struct held *first)
{
	for (const struct held *h = first; h && e->guard_count < GUARDS; h = h->next)
		if (h->owner == e->owner && h->number != e->from && h->number != e->to)
			e->guards[e->guard_count++] = h->number;
}

static void add_edge(struct cycle *c, const struct held *from, const struct held *to)
{
	struct edge *e;

	if (!node_of(0) || has_edge(from->number, to->number))
		return;
	e = get_room(sizeof(*e));
	if (!e)
		return;
	*e = (struct edge){.from = from->number,
		.to = to->number,
		.from_lock = from->lock,
		.to_lock = to->lock,
		.from_is_rwmutex = from->is_rwmutex,
		.to_is_rwmutex = to->is_rwmutex,
		.owner = to->owner,
		.from_place = from->place,
		.to_place = to->place};
	add_guards(e, *bucket_of(to->owner));
	if (c->count == 0 && e->from != e->to)
		describe(c, e);
	if (e->from == e->to && e->to_is_rwmutex) {
		c->edges[c->count++] = *e;
		c->is_again = true;
	}
	e->next = node_of(e->from)->edges;
	node_of(e->from)->edges = e;
}

// ---- what the watched functions do -------------------------------------------------------------

static void take_place(struct lock_place *p)
{
	struct backtrace b;

	backtrace_here(&b);
	for (p->count = 0; p->count < LOCK_ORDER_FRAMES && p->count < b.count; p->count++)
		p->frames[p->count] = b.frames[p->count];
}

void lock_order_before(struct held *h, const void *lock, bool is_rwmutex, bool waits)
{
	struct cycle c = {.count = 0};

	*h = (struct held){.owner = tuza_id(), .lock = lock, .is_rwmutex = is_rwmutex};
	take_place(&h->place);
	lock_acquire(&watch.lock);
	h->number = number_of(lock, is_rwmutex);
	for (const struct held *by = *bucket_of(h->owner); by && waits && h->number; by = by->next)
		if (by->owner == h->owner && by->number != 0)
			add_edge(&c, by, h);
	lock_release(&watch.lock);
	if (c.count > 0)
		report(&c);
}

void lock_order_after(const struct held *h)
{
	struct held *kept;

	lock_acquire(&watch.lock);
	kept = new_held();
	if (kept) {
		*kept = *h;
		kept->next = *bucket_of(h->owner);
		*bucket_of(h->owner) = kept;
	}
	lock_release(&watch.lock);
}

uint32_t lock_order_forget(const void *lock)
{
	uint32_t number = 0;
	uint64_t owner = tuza_id();
	struct held **at, *h;

	lock_acquire(&watch.lock);
	at = find_held(owner, lock);
	if (!*at) {
		h = find_by_lock(lock);
		if (h)
			at = find_held(h->owner, lock);
	}
	h = *at;
	if (h) {
		number = h->number;
		*at = h->next;
		h->next = watch.free;
		watch.free = h;
	}
	lock_release(&watch.lock);
	return number;
}

bool lock_order_is_held(uint64_t by, const void *lock)
{
	lock_acquire(&watch.lock);
	bool is_held = *find_held(by, lock) != NULL;
	lock_release(&watch.lock);
	return is_held;
}
