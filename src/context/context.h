// SPDX-License-Identifier: MIT
/*
 * Contexts, as the files of this folder see them.
 *
 * Two kinds of nodes. A plain one (a root, a value, one without cancel) only has a parent to look
 * things up in. A canceller can end: it has the lock, the error and the list of those who watch it.
 * Every node knows the nearest canceller from itself upwards, so that asking whether a value has
 * ended costs no walk, and values take no part in cancelling.
 *
 * Who watches a canceller is linked into it: child cancellers, calls at the end, and the waits of
 * goroutines (on their stacks). Adding and removing one costs the same whatever their number.
 *
 * Locks: a canceller's `lock` comes before those of wait queue buckets, channels and timer heaps,
 * which may be taken inside it, and after a shard of the registry. No two of them are held
 * together. `ending` is taken inside it, and waited for with no lock held.
 */
#ifndef TUZA_CONTEXT_CONTEXT_H
#define TUZA_CONTEXT_CONTEXT_H

#include "base/atomic.h"
#include "base/list.h"
#include "sched/goroutine.h"
#include "sched/lock.h"
#include "sched/timer.h"
#include <tuza/context.h>

#include <errno.h>

enum context_kind {
	CONTEXT_BACKGROUND,
	CONTEXT_TODO,
	CONTEXT_VALUE,
	CONTEXT_WITHOUT_CANCEL,
	CONTEXT_CANCEL, // from here on cancellers
	CONTEXT_DEADLINE,
};

struct tuza_context {
	// any thread, atomic
	uint32_t references;
	uint32_t owned; // 1 until tuza_context_free

	// constant
	uint32_t kind;               // enum context_kind
	struct tuza_context *parent; // one reference; NULL: a root
	struct canceller *canceller; // itself or the nearest upwards; NULL: never ends
	int64_t deadline;            // of itself or from above; INT64_MAX: none
	uintptr_t created_at;        // where in the program, for reports
	uint64_t creator_id;         // the goroutine that made it; 0: a plain thread

	uint64_t number; // constant, of no other context ever; registry.c
	// guarded by the shard's lock
	struct link registered;
};

struct ended;

// canceller.error while the done channel is being closed: neither open nor ended.
enum { CONTEXT_ENDING = 1 };

// Told of the end of a canceller. Lies in a child, a tuza_context_after, or on a stack.
struct watcher {
	struct link link; // guarded by the watched canceller's lock
	/*
	 * Called once, under that lock, when the watcher has been taken out of the list. Returns
	 * the goroutines to make ready, linked for ready_list. NULL: the watcher is a child.
	 */
	struct goroutine *(*fire)(struct watcher *w, struct ended *ended);
};

struct canceller {
	struct tuza_context context;
	struct watcher as_child; // in the list of the parent's canceller

	struct lock lock;
	int32_t error;        // atomic: 0, CONTEXT_ENDING, then the code; written under lock
	int32_t cause;        // written under lock, before error
	tuza_chan *done;      // atomic: made on demand, by whoever comes first
	struct link watchers; // guarded by lock

	/*
	 * Held from the end of this one until all below it have ended, by whoever does that.
	 * Nothing but other ends waits for it, each for one that goes on further down the tree, so
	 * they cannot wait for each other.
	 */
	struct lock ending;
	struct canceller *next; // guarded by whoever took it out of its parent's list
};

struct deadline_context {
	struct canceller canceller;
	int32_t timeout_cause; // constant
	// any thread, atomic: 1 while a goroutine that will end it is on its way, with a reference
	uint32_t expiring;
	struct timer timer;
};

struct value_context {
	struct tuza_context context;
	// constant
	const void *key;
	void *value;
	void (*free_value)(void *value);
};

// What the end of a tree leaves to be done without locks. Each canceller comes with a reference.
struct ended {
	struct canceller *children;       // to end next, linked by next
	struct canceller *over;           // that have ended, linked by next
	struct canceller *elsewhere;      // that somebody else has ended or is ending, by next
	struct tuza_context_after *calls; // to start, linked by next
	struct goroutine *ready, **ready_tail;
};

// ---- context.c ----

NORETURN COLD void context_panic_nil(void);
static ALWAYS_INLINE void context_check(const tuza_context *ctx)
{
	if (unlikely(!ctx))
		context_panic_nil();
}

// Makes the node's common part, with a reference to `parent`. `created_at`: the constructor's
// caller. Panics without memory. The caller registers it when the rest of it is made.
void *context_new(size_t bytes, enum context_kind kind, tuza_context *parent, uintptr_t created_at);

// ---- cancel.c ----

static ALWAYS_INLINE bool context_is_canceller(const tuza_context *ctx)
{
	return ctx->kind >= CONTEXT_CANCEL;
}
static ALWAYS_INLINE struct canceller *canceller_of(tuza_context *ctx)
{
	return CONTAINER_OF(ctx, struct canceller, context);
}

// tuza_context_with_cancel, made at `created_at`.
tuza_context *context_with_cancel(tuza_context *parent, uintptr_t created_at);

// The last reference is gone: it has left its parent, and its timer is stopped, when it ended.
void canceller_destroy(struct canceller *c);

// Takes over the reference of the goroutine that was on its way to end the context at its deadline,
// if there is one. Needs: no goroutine runs any more.
bool canceller_stop_expiring(struct canceller *c);
// Its deadline is past, and the goroutine that would have ended it was dropped: the next run does.
void canceller_expire_later(struct canceller *c);

// Ends `c` and all below, or waits until whoever is doing so has. error: a code.
void canceller_end(struct canceller *c, int error, int cause);

// The code, 0 while it goes on. Waits for an end that is under way.
int canceller_error(struct canceller *c);

/*
 * Adds a watcher, or, if `c` has ended, calls fire at once (not under the lock; what it returns is
 * made ready).
 */
void canceller_watch(struct canceller *c, struct watcher *w);

// Removes it. Returns false when it has been fired, which is over then.
bool canceller_unwatch(struct canceller *c, struct watcher *w);

// ---- wait.c ----

// Unlinks the waits of goroutines, not those of plain threads. Needs: no goroutine runs any more.
void canceller_forget_waits(struct canceller *c);

// ---- after.c ----

struct tuza_context_after {
	struct watcher watcher;
	struct tuza_context_after *next; // owned by whoever ends the context
	uint32_t references;             // atomic: the owner's, and the registration's
	// constant
	struct canceller *canceller; // NULL: the context cannot end
	tuza_context *context;       // one reference
	void (*fn)(void *);
	void *arg;
};

// Starts the calls and drops their registrations. Needs: no lock.
void after_start(struct tuza_context_after *calls);

// ---- registry.c ----

// Every context is there from when it is made, whole, to its last release.

void registry_add(tuza_context *ctx);
void registry_remove(tuza_context *ctx);

#endif
