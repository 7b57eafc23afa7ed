// SPDX-License-Identifier: MIT
/*
 * The buckets of waiters keyed by address.
 *
 *   bucket ── first ──▶ A1 ──▶ B1 ──▶ C1          one waiter per address, linked by `root`
 *                       │      │
 *                       A2     B2                 later waiters of that address, linked by `next`,
 *                       │                         back by root.prev
 *                       A3 ◀── A1.last
 *
 * Adding, taking the first and removing any waiter cost a search among the addresses of the bucket,
 * none among the waiters of one address: a million goroutines may wait for one waitgroup.
 * The table is never resized: 16,384 buckets keep the chains short for tens of thousands of
 * addresses at once, and a lookup takes no lock but the bucket's. Untouched buckets cost nothing.
 * What fork-join programs wait for by the hundred thousand, waitgroups and handles, keeps its first
 * waiter itself: A2 and A3 hang on A1 as above, but A1 is in no chain.
 */
#include "sched/waitqueue.h"

#include "base/hash.h"

// A power of two; a guess. The zeroed table costs memory only where it was used.
#define WAITQUEUE_BUCKETS 16384

static struct waitqueue buckets[WAITQUEUE_BUCKETS] APART;

const void *waitqueue_memory(size_t *bytes)
{
	*bytes = sizeof(buckets);
	return buckets;
}

static struct waitqueue *waitqueue_of(const void *address)
{
	// Fibonacci hashing of the 8-byte unit: its top bits depend on all of it.
	uint64_t unit = (uint64_t)(uintptr_t)address >> 3;
	return &buckets[(unit * HASH_FACTOR) >> 50];
}
_Static_assert(WAITQUEUE_BUCKETS == 1 << (64 - 50), "waitqueue_of takes as many bits");

struct waitqueue *waitqueue_lock(const void *address)
{
	struct waitqueue *q = waitqueue_of(address);

	lock_acquire(&q->lock);
	if (unlikely(q->first.next == NULL))
		list_init(&q->first);
	return q;
}

static ALWAYS_INLINE struct queued *queued_of(struct link *root)
{
	return CONTAINER_OF(root, struct queued, root);
}

struct queued *waitqueue_first(struct waitqueue *q, const void *address)
{
	for (struct link *root = q->first.next; root != &q->first; root = root->next)
		if (queued_of(root)->address == address)
			return queued_of(root);
	return NULL;
}

// `w` takes the place of `old` among the first waiters.
static void replace_root(struct queued *old, struct queued *w)
{
	link_insert_between(&w->root, old->root.prev, old->root.next);
	old->root.next = old->root.prev = NULL;
}

// Makes `w` a waiter, in no list yet.
static void become_waiter(struct queued *w, const void *address, struct queued **head)
{
	w->g = goroutine_current();
	w->g->waiting = w;
	w->address = address;
	w->counter = NULL;
	w->head = head;
	w->next = NULL;
	w->root.next = w->root.prev = NULL;
}

static void append(struct queued *first, struct queued *w)
{
	w->root.prev = &first->last->root;
	first->last->next = w;
	first->last = w;
}

void waitqueue_push(struct waitqueue *q, const void *address, struct queued *w, bool as_first)
{
	struct queued *first = waitqueue_first(q, address);

	become_waiter(w, address, NULL);
	if (!first) {
		w->last = w;
		list_push_front(&q->first, &w->root); // fork-join wakes the latest first
	} else if (as_first) {
		w->last = first->last;
		w->next = first;
		replace_root(first, w);
		first->root.prev = &w->root;
	} else {
		append(first, w);
	}
}

void waitqueue_push_at(struct queued **head, const void *address, struct queued *w)
{
	become_waiter(w, address, head);
	if (*head) {
		append(*head, w);
	} else {
		w->last = w;
		*head = w;
	}
}

struct queued *waitqueue_pop(struct waitqueue *q, const void *address)
{
	struct queued *first = waitqueue_first(q, address);

	if (first)
		waitqueue_remove(q, first);
	return first;
}

struct queued *waitqueue_pop_at(struct queued **head)
{
	struct queued *first = *head;

	if (first)
		waitqueue_remove(NULL, first);
	return first;
}

// The goroutines of `w` and those behind it, which are in no list any more.
static struct goroutine *take(struct queued *w)
{
	struct goroutine *list = NULL, **tail = &list;

	for (; w; w = w->next) {
		w->address = NULL;
		*tail = w->g;
		tail = &w->g->next;
	}
	*tail = NULL;
	return list;
}

struct goroutine *waitqueue_take_all(struct waitqueue *q, const void *address)
{
	struct queued *first = waitqueue_first(q, address);

	if (first)
		list_remove(&first->root);
	return take(first);
}

struct goroutine *waitqueue_take_all_at(struct queued **head)
{
	struct queued *first = *head;

	*head = NULL;
	return take(first);
}

void waitqueue_remove(struct waitqueue *q, struct queued *w)
{
	struct queued *next = w->next;

	if (w->head && !w->root.prev) { // the first of its object
		if (*w->head == w) // else the program freed the object, and drops this waiter now
			*w->head = next;
		if (next) {
			next->last = w->last;
			next->root.prev = NULL;
		}
	} else if (!link_is_linked(&w->root)) {
		struct queued *previous = queued_of(w->root.prev);

		previous->next = next;
		if (next)
			next->root.prev = &previous->root;
		else if (!w->head)
			waitqueue_first(q, w->address)->last = previous;
		else if (*w->head)
			(*w->head)->last = previous;
	} else if (next) {
		next->last = w->last;
		replace_root(w, next);
	} else {
		list_remove(&w->root);
	}
	w->root.next = w->root.prev = NULL;
	w->next = NULL;
	w->address = NULL;
	if (w->counter)
		sub_relaxed(w->counter, 1u);
}

bool waitqueue_unlink(void *waiting)
{
	struct queued *w = waiting;
	const void *address;

	// It may be taken out meanwhile, but not put anywhere: its goroutine does not run.
	while (w && (address = load_relaxed(&w->address)) != NULL) { // looked at again
		struct waitqueue *q = waitqueue_lock(address);
		bool waits = w->address == address;
		if (waits)
			waitqueue_remove(q, w);
		waitqueue_unlock(q);
		if (waits)
			return true;
	}
	return false;
}
