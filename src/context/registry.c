// SPDX-License-Identifier: MIT
/*
 * All contexts: for the leak check, which reports those that their makers have not freed, and for
 * the end of the runtime, which drops goroutines that wait with one.
 *
 * Spread over shards by processor, so that making contexts on all processors at once does not meet
 * in one lock.
 */
#include "context/context.h"

#include "base/leak_source.h"
#include "sched/park.h"
#include "sched/upcalls.h"

enum { SHARDS = 16 };

static struct shard {
	struct lock lock;
	// guarded by lock
	struct link contexts; // zeroed until the first use
	uint64_t made;
} CACHE_ALIGNED shards[SHARDS];

// ---- the leak check -----------------------------------------------------------------------

// Go's words; roots are not in the list.
static const char *const names[] = {
	[CONTEXT_VALUE] = "context.WithValue",
	[CONTEXT_WITHOUT_CANCEL] = "context.WithoutCancel",
	[CONTEXT_CANCEL] = "context.WithCancel",
	[CONTEXT_DEADLINE] = "context.WithDeadline",
};

static void show_owned(leak_found *found, void *arg)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];

		lock_acquire(&s->lock);
		for (struct link *l = s->contexts.next; l && l != &s->contexts; l = l->next) {
			const tuza_context *ctx = CONTAINER_OF(l, tuza_context, registered);
			if (load_relaxed(&ctx->owned)) // being freed or not: the next look tells
				found(&(struct leaked){.id = ctx->number,
					      .text = names[ctx->kind],
					      .creator_id = ctx->creator_id,
					      .creation_pc = ctx->created_at},
					arg);
		}
		lock_release(&s->lock);
	}
}

static void become_leak_source(void)
{
	static struct leak_source source = {
		.title = "found contexts that were not freed:", .each = show_owned};
	static uint32_t is_added; // atomic

	if (exchange_relaxed(&is_added, 1) == 0) // only one caller sees the 0
		leak_source_add(&source);
}

// ---- the list -----------------------------------------------------------------------------

void registry_add(tuza_context *ctx)
{
	uint32_t index = processor_index() % SHARDS;
	struct shard *s = &shards[index];

	lock_acquire(&s->lock);
	if (unlikely(!s->contexts.next)) {
		list_init(&s->contexts);
		become_leak_source();
	}
	ctx->number = s->made++ * SHARDS + index;
	list_push_back(&s->contexts, &ctx->registered);
	lock_release(&s->lock);
}

void registry_remove(tuza_context *ctx)
{
	struct shard *s = &shards[ctx->number % SHARDS];

	lock_acquire(&s->lock);
	list_remove(&ctx->registered);
	lock_release(&s->lock);
}

bool context_each_hidden(void (*fn)(const void *low, size_t bytes, void *arg), void *arg)
{
	for (size_t i = 0; i < SHARDS; i++)
		if (load_relaxed(&shards[i].lock.word) != 0) // nobody runs
			return false;
	fn(shards, sizeof(shards), arg);
	for (size_t i = 0; i < SHARDS; i++)
		for (struct link *l = shards[i].contexts.next; l && l != &shards[i].contexts;
			l = l->next)
			fn(l, sizeof(*l), arg);
	return true;
}

void context_forget_waits(void)
{
	struct canceller *expiring = NULL, *next;

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &shards[i];

		lock_acquire(&s->lock);
		for (struct link *l = s->contexts.next; l && l != &s->contexts; l = l->next) {
			tuza_context *ctx = CONTAINER_OF(l, tuza_context, registered);
			if (!context_is_canceller(ctx))
				continue;
			struct canceller *c = canceller_of(ctx);
			canceller_forget_waits(c);
			if (canceller_stop_expiring(c)) {
				c->next = expiring; // in no tree that ends: nobody runs
				expiring = c;
			}
		}
		lock_release(&s->lock);
	}
	for (; expiring; expiring = next) {
		next = expiring->next;
		canceller_expire_later(expiring);
		tuza_context_release(&expiring->context);
	}
}
