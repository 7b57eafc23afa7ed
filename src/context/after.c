// SPDX-License-Identifier: MIT
/*
 * Calls at the end of a context.
 *
 * Two hold a tuza_context_after: its owner, until the stop, and the registration, until it is
 * stopped or the call was started. Starting is done without locks, by whoever ended the context,
 * so a stop may come in between: it finds the watcher gone and only gives up its own reference.
 *
 * Go: src/context/context.go, AfterFunc
 */
#include "context/context.h"

#include "base/fatal.h"
#include "base/race_hooks.h"
#include <tuza/goroutine.h>
#include <tuza/panic.h>

#include <stdlib.h>

static void after_release(struct tuza_context_after *after, uint32_t n)
{
	// (after-release) pairs with the other release: whoever is last frees. (after-release)
	if (sub_acq_rel(&after->references, n) != n)
		return;
	tuza_context_release(after->context);
	free(after);
}

static struct goroutine *after_fire(struct watcher *w, struct ended *ended)
{
	struct tuza_context_after *after = CONTAINER_OF(w, struct tuza_context_after, watcher);

	after->next = ended->calls;
	ended->calls = after;
	return NULL;
}

void after_start(struct tuza_context_after *calls)
{
	struct tuza_context_after *in_order = NULL, *next;

	for (; calls; calls = next) { // collected last first
		next = calls->next;
		calls->next = in_order;
		in_order = calls;
	}
	for (calls = in_order; calls; calls = calls->next) {
		race_acquire(calls);
		race_acquire(calls->canceller);
		if (unlikely(tuza_go(calls->fn, calls->arg) != 0))
			calls->fn(calls->arg);
	}
	for (; in_order; in_order = next) { // the last reference runs the program's code
		next = in_order->next;
		after_release(in_order, 1);
	}
}

EXPORT tuza_context_after *tuza_context_after_func(tuza_context *ctx, void (*fn)(void *), void *arg)
{
	context_check(ctx);
	if (unlikely(!fn))
		fatal("go of nil func value");
	struct tuza_context_after *after = malloc(sizeof *after);
	if (unlikely(!after))
		tuza_panic("tuza: out of memory");
	*after = (struct tuza_context_after){
		.watcher = {.fire = after_fire},
		.references = ctx->canceller ? 2 : 1,
		.canceller = ctx->canceller,
		.context = tuza_context_retain(ctx),
		.fn = fn,
		.arg = arg,
	};
	race_release(after);
	if (after->canceller)
		canceller_watch(after->canceller, &after->watcher);
	return after;
}

EXPORT bool tuza_context_after_stop(tuza_context_after *after)
{
	if (unlikely(!after))
		tuza_panic("tuza: stop of a NULL tuza_context_after");
	bool prevented = !after->canceller || canceller_unwatch(after->canceller, &after->watcher);
	after_release(after, prevented && after->canceller ? 2 : 1);
	return prevented;
}
