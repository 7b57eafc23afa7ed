// SPDX-License-Identifier: MIT
/*
 * All contexts: for the leak check, which reports those that their makers have not freed, and for
 * the end of the runtime, which drops goroutines that wait with one.
 *
 * Spread over shards by processor, so that making contexts on all processors at once does not meet
 * in one lock.
 */
#include "context/context.h"

#include "sched/park.h"
#include "sched/upcalls.h"

enum { SHARDS = 16 };

static struct shard {
	struct lock lock;
	struct link contexts; // guarded by lock; zeroed until the first use
} CACHE_ALIGNED shards[SHARDS];

void registry_add(tuza_context *ctx)
{
	struct shard *s = &shards[ctx->shard = processor_index() % SHARDS];

	lock_acquire(&s->lock);
	if (unlikely(!s->contexts.next))
		list_init(&s->contexts);
	list_push_back(&s->contexts, &ctx->registered);
	lock_release(&s->lock);
}

void registry_remove(tuza_context *ctx)
{
	struct shard *s = &shards[ctx->shard];

	lock_acquire(&s->lock);
	list_remove(&ctx->registered);
	lock_release(&s->lock);
}

void context_forget_waits(void)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];

		lock_acquire(&s->lock);
		for (struct link *l = s->contexts.next; l && l != &s->contexts; l = l->next) {
			tuza_context *ctx = CONTAINER_OF(l, tuza_context, registered);
			if (context_is_canceller(ctx))
				canceller_forget_waits(canceller_of(ctx));
		}
		lock_release(&s->lock);
	}
}
