// SPDX-License-Identifier: MIT
/*
 * Contexts: trees that are made and cancelled, deadlines that never come, a select that looks.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <tuza/tuza.h>

enum { tree_size = 10000 };

// Makes trees of `tree_size` below one parent each, or each below the one before, cancels and frees
// them.
static int64_t make_trees(int64_t n, bool chain)
{
	int64_t done = 0, ended = 0;
	tuza_context **all = allocate(tree_size, sizeof(all[0]));
	for (; done < n; done += tree_size) {
		tuza_context *root = tuza_context_with_cancel(tuza_context_background());
		for (int i = 0; i < tree_size; i++)
			all[i] = tuza_context_with_cancel(chain && i ? all[i - 1] : root);
		tuza_context_cancel(root);
		for (int i = 0; i < tree_size; i++) {
			ended += tuza_context_err(all[i]) == -ECANCELED;
			tuza_context_free(all[i]);
		}
		tuza_context_free(root);
	}
	free(all);
	check(ended == done, "%lld of %lld contexts had ended", (long long)ended, (long long)done);
	return done;
}

static int64_t context_tree(int64_t n) { return make_trees(n, false); }
static int64_t context_chain(int64_t n) { return make_trees(n, true); }

static int64_t context_timeout(int64_t n)
{
	int64_t ended = 0;
	for (int64_t i = 0; i < n; i++) {
		tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);
		ended += tuza_context_err(ctx) != 0;
		tuza_context_free(ctx);
	}
	check(ended == 0, "%lld contexts of an hour had ended", (long long)ended);
	return n;
}

static int64_t context_select(int64_t n)
{
	int64_t wrong = 0, value = 1;
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *c = tuza_chan_new(sizeof(int64_t), 1);
	for (int64_t i = 0; i < n; i++) {
		tuza_chan_send(c, &value);
		wrong += TUZA_SELECT(TUZA_RECV(c, &value), TUZA_DONE(ctx)) != 0;
	}
	tuza_chan_release(c);
	tuza_context_free(ctx);
	check(wrong == 0, "%lld selects took the context's case", (long long)wrong);
	return n;
}

const struct workload context_workloads[] = {
	{.name = "context-tree",
		.operation = "one of 10,000 below a parent: made, cancelled with it, freed",
		.run = context_tree,
		.memory = true},
	{.name = "context-chain",
		.operation = "one of 10,000, each below the one before: the same",
		.run = context_chain,
		.memory = true},
	{.name = "context-timeout",
		.operation = "a context of an hour made and freed",
		.run = context_timeout,
		.memory = true},
	{.name = "context-select",
		.operation = "a send into a buffer, and a select over it and a context",
		.run = context_select},
	{0},
};
