// SPDX-License-Identifier: MIT
/*
 * The nodes: roots, making and freeing, values, and looking upwards.
 *
 * A node holds its parent, so a chain may be freed from its far end: the last release walks up in a
 * loop, however long the chain is.
 *
 * Go: src/context/context.go
 */
#include "context/context.h"

#include "base/race_hooks.h"
#include "sched/current.h"
#include <tuza/panic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tuza_context roots[] = {
	{.kind = CONTEXT_BACKGROUND, .deadline = INT64_MAX},
	{.kind = CONTEXT_TODO, .deadline = INT64_MAX},
};

static bool is_root(const tuza_context *ctx) { return ctx->kind <= CONTEXT_TODO; }

NORETURN COLD void context_panic_nil(void) { tuza_panic("nil context"); }

EXPORT tuza_context *tuza_context_background(void) { return &roots[0]; }
EXPORT tuza_context *tuza_context_todo(void) { return &roots[1]; }

// ---- making and freeing -------------------------------------------------------------------

void *context_new(size_t bytes, enum context_kind kind, tuza_context *parent, uintptr_t created_at)
{
	if (unlikely(!parent))
		tuza_panic("cannot create context from nil parent");
	struct tuza_context *ctx = malloc(bytes);
	if (unlikely(!ctx))
		tuza_panic("tuza: out of memory");
	const struct goroutine *g = goroutine_current_or_null();
	*ctx = (struct tuza_context){
		.references = 1,
		.owned = 1,
		.kind = kind,
		.parent = tuza_context_retain(parent),
		.canceller = parent->canceller,
		.deadline = parent->deadline,
		.created_at = created_at,
		.creator_id = g ? g->id : 0,
	};
	return ctx;
}

EXPORT tuza_context *tuza_context_retain(tuza_context *ctx)
{
	context_check(ctx);
	if (!is_root(ctx))
		add_relaxed(&ctx->references, 1); // the caller has one: it cannot go away
	return ctx;
}

EXPORT void tuza_context_release(tuza_context *ctx)
{
	context_check(ctx);
	while (!is_root(ctx)) {
		race_release(&ctx->references);
		// (context-release) each pairs with the last one, which frees: what was done with
		// the context is done. (context-release)
		if (sub_acq_rel(&ctx->references, 1) != 1)
			return;
		race_acquire(&ctx->references);
		if (unlikely(load_relaxed(&ctx->owned))) { // nobody else is there
			add_relaxed(&ctx->references, 1);  // it stays its maker's
			tuza_panic("tuza: context released more often than retained");
		}
		tuza_context *parent = ctx->parent;
		if (context_is_canceller(ctx)) {
			canceller_destroy(canceller_of(ctx));
		} else if (ctx->kind == CONTEXT_VALUE) {
			struct value_context *v = CONTAINER_OF(ctx, struct value_context, context);
			if (v->free_value)
				v->free_value(v->value);
		}
		registry_remove(ctx);
		free(ctx);
		ctx = parent;
	}
}

EXPORT void tuza_context_free(tuza_context *ctx)
{
	context_check(ctx);
	if (is_root(ctx))
		return;
	if (unlikely(exchange_relaxed(&ctx->owned, 0) == 0)) // only one caller sees the 1
		tuza_panic("tuza: context freed twice");
	if (context_is_canceller(ctx))
		canceller_end(canceller_of(ctx), -ECANCELED, -ECANCELED);
	tuza_context_release(ctx);
}

// ---- values -------------------------------------------------------------------------------

// The key is only compared: said here as well, or gcc without optimisation warns of both callers.
static tuza_context *with_value(tuza_context *parent, const void *key, void *value,
	void (*free_value)(void *), uintptr_t created_at) TUZA_ADDRESS_ONLY_(2);

static tuza_context *with_value(tuza_context *parent, const void *key, void *value,
	void (*free_value)(void *), uintptr_t created_at)
{
	if (unlikely(parent && !key))
		tuza_panic("nil key");
	struct value_context *v = context_new(sizeof *v, CONTEXT_VALUE, parent, created_at);
	v->key = key;
	v->value = value;
	v->free_value = free_value;
	registry_add(&v->context);
	return &v->context;
}

EXPORT tuza_context *tuza_context_with_value(tuza_context *parent, const void *key, void *value)
{
	return with_value(parent, key, value, NULL, (uintptr_t)__builtin_return_address(0));
}

EXPORT tuza_context *tuza_context_with_value_free(
	tuza_context *parent, const void *key, void *value, void (*free_fn)(void *))
{
	return with_value(parent, key, value, free_fn, (uintptr_t)__builtin_return_address(0));
}

EXPORT tuza_context *tuza_context_without_cancel(tuza_context *parent)
{
	struct tuza_context *ctx = context_new(sizeof *ctx, CONTEXT_WITHOUT_CANCEL, parent,
		(uintptr_t)__builtin_return_address(0));
	ctx->canceller = NULL;
	ctx->deadline = INT64_MAX;
	registry_add(ctx);
	return ctx;
}

EXPORT void *tuza_context_value(tuza_context *ctx, const void *key)
{
	context_check(ctx);
	if (unlikely(!key))
		tuza_panic("nil key");
	for (; ctx; ctx = ctx->parent) {
		if (ctx->kind != CONTEXT_VALUE)
			continue;
		const struct value_context *v = CONTAINER_OF(ctx, struct value_context, context);
		if (v->key == key)
			return v->value;
	}
	return NULL;
}

// ---- looking at it ------------------------------------------------------------------------

EXPORT bool tuza_context_deadline(tuza_context *ctx, int64_t *deadline)
{
	context_check(ctx);
	if (ctx->deadline == INT64_MAX)
		return false;
	if (deadline)
		*deadline = ctx->deadline;
	return true;
}

static const char *const kind_names[] = {
	[CONTEXT_BACKGROUND] = "context.Background",
	[CONTEXT_TODO] = "context.TODO",
	[CONTEXT_VALUE] = ".WithValue",
	[CONTEXT_WITHOUT_CANCEL] = ".WithoutCancel",
	[CONTEXT_CANCEL] = ".WithCancel",
	[CONTEXT_DEADLINE] = ".WithDeadline",
};

// The piece that one node adds: a deadline tells how long it is away.
static int node_text(const tuza_context *ctx, int64_t now, char *text, size_t bytes)
{
	const char *name = kind_names[ctx->kind];
	if (ctx->kind != CONTEXT_DEADLINE)
		return snprintf(text, bytes, "%s", name);
	return snprintf(text, bytes, "%s(%+.3fs)", name, (double)(ctx->deadline - now) / 1e9);
}

EXPORT size_t tuza_context_string(tuza_context *ctx, char *text, size_t bytes)
{
	char node[64];
	size_t length = 0;
	int64_t now = clock_now();

	context_check(ctx);
	for (const tuza_context *c = ctx; c; c = c->parent)
		length += (size_t)node_text(c, now, node, sizeof node);
	if (bytes == 0)
		return length;
	// Written from the far end, which is where the walk begins.
	size_t end = length;
	for (const tuza_context *c = ctx; c; c = c->parent) {
		size_t n = (size_t)node_text(c, now, node, sizeof node);
		end -= n;
		if (end < bytes - 1)
			memcpy(text + end, node, n < bytes - 1 - end ? n : bytes - 1 - end);
	}
	text[length < bytes - 1 ? length : bytes - 1] = 0;
	return length;
}
