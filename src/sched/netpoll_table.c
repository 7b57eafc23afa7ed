// SPDX-License-Identifier: MIT
/*
 * The table of descriptors' records: one for each number, made when somebody first waits for it.
 *
 * Lock: the record's. Lock-free: chunks are added by a compare-and-swap, and stay.
 */
#include "sched/netpoll_waiter.h"

#include "sched/park.h"
#include "sched/poller.h"

enum {
	CHUNK = 4096,   // records: half a MiB of addresses, of which pages in use are memory
	CHUNKS = 16384, // 64 million descriptors; a Linux process has a million unless it asks
};

struct record {
	CACHE_ALIGNED struct netpoll n;
};

static struct record *chunks[CHUNKS] APART; // any thread, atomic; a chunk stays once it is there

static NOINLINE struct record *make_chunk(struct record **at)
{
	struct record *none = NULL, *chunk = sys_pages_alloc(CHUNK * sizeof *chunk);
	if (!chunk)
		return NULL;
	// (poll-chunk) pairs with netpoll_of_fd.
	if (cas_acq_rel(at, &none, chunk))
		return chunk;
	sys_pages_free(chunk, CHUNK * sizeof *chunk);
	return none; // another thread's
}

struct netpoll *netpoll_of_fd(int fd, bool make)
{
	if ((unsigned)fd >= (unsigned)CHUNK * CHUNKS)
		return NULL;
	struct record **at = &chunks[(unsigned)fd / CHUNK];
	// (poll-chunk) pairs with make_chunk: its zeros are seen.
	struct record *chunk = load_acquire(at);
	if (!chunk && make)
		chunk = make_chunk(at);
	return chunk ? &chunk[(unsigned)fd % CHUNK].n : NULL;
}

static struct goroutine **take_threads(struct netpoll *n, struct goroutine **end)
{
	struct link *next;
	lock_acquire(&n->lock);
	netpoll_init_list(n);
	for (struct link *l = n->waiters.next; l != &n->waiters; l = next) {
		struct netpoll_waiter *w = CONTAINER_OF(l, struct netpoll_waiter, link);
		next = l->next;
		if (w->g->flags & GOROUTINE_THREAD) {
			*end = netpoll_take(w, RECKON_ANEW);
			end = &(*end)->next;
		}
	}
	lock_release(&n->lock);
	return end;
}

void netpoll_rouse_threads(void)
{
	struct goroutine *woken = NULL, **end = &woken;
	if (load_relaxed(&poller.thread_waiters) == 0) // who comes later sees that nothing runs
		return;
	for (int c = 0; c < CHUNKS; c++) {
		// (poll-chunk) pairs with make_chunk.
		struct record *chunk = load_acquire(&chunks[c]);
		for (int i = 0; chunk && i < CHUNK; i++)
			end = take_threads(&chunk[i].n, end);
	}
	*end = NULL;
	if (woken)
		ready_list(woken);
}
