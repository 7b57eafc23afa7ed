// SPDX-License-Identifier: MIT
/*
 * Large trees of contexts, and trees that end while they change. After Go's x_test.go.
 */
#include "../test.h"
#include <tuza/context.h>
#include <tuza/debug.h>
#include <tuza/sync.h>

enum { LARGE = 100000 };

static const char key;

static tuza_context *new_context(void)
{
	return tuza_context_with_cancel(tuza_context_background());
}

static void shuffle(tuza_context **all, int n)
{
	uint32_t random = 12345;

	for (int i = n - 1; i > 0; i--) {
		int k = (int)((random = random * 1664525 + 1013904223) >> 8) % (i + 1);
		tuza_context *swap = all[i];
		all[i] = all[k];
		all[k] = swap;
	}
}

// T6.5: of values, cancels and deadlines in turn. Neither its end nor its free recurses.
static tuza_context *derive(tuza_context *parent, int i)
{
	switch (i % 3) {
	case 0:
		return tuza_context_with_cancel(parent);
	case 1:
		return tuza_context_with_value(parent, &key, (void *)(uintptr_t)i);
	default:
		return tuza_context_with_timeout(parent, TUZA_HOUR - i);
	}
}

static void free_in_order(tuza_context **all, int n, int order)
{
	if (order == 2)
		shuffle(all, n);
	for (int i = 0; i < n; i++)
		tuza_context_free(all[order == 1 ? n - 1 - i : i]);
}

TEST(chain_of_100000_ends_and_is_freed_in_any_order)
{
	tuza_context **all = calloc(LARGE, sizeof(all[0]));

	for (int order = 0; order < 3; order++) {
		for (int i = 0; i < LARGE; i++)
			all[i] = derive(i ? all[i - 1] : tuza_context_background(), i);
		CHECK_EQ(tuza_context_err(all[LARGE - 1]), 0);
		CHECK_EQ((uintptr_t)tuza_context_value(all[LARGE - 1], &key), LARGE - 3);
		if (order < 2) {
			tuza_context_cancel_cause(all[0], -EPIPE);
			for (int i = 0; i < LARGE; i++)
				if (!CHECK_EQ(tuza_context_cause(all[i]), -EPIPE))
					break;
		}
		free_in_order(all, LARGE, order);
	}
	free(all);
}

TEST(parent_of_100000_ends_them_and_they_are_freed_in_any_order)
{
	tuza_context **all = calloc(LARGE, sizeof(all[0]));

	for (int order = 0; order < 3; order++) {
		all[0] = new_context();
		for (int i = 1; i < LARGE; i++)
			all[i] = derive(all[0], i);
		if (order < 2) {
			tuza_context_cancel(all[0]);
			for (int i = 0; i < LARGE; i++)
				if (!CHECK_EQ(tuza_context_err(all[i]), -ECANCELED))
					break;
		}
		free_in_order(all, LARGE, order);
	}
	free(all);
}

struct shared {
	tuza_context *parent;
	atomic_int stop, children, cancelled;
	tuza_waitgroup workers;
};

static void come_and_go(struct shared *s)
{
	while (!atomic_load(&s->stop)) {
		tuza_context *child = derive(s->parent, atomic_fetch_add(&s->children, 1));
		tuza_context *grandchild = tuza_context_with_cancel(child);

		if (atomic_load(&s->cancelled))
			CHECK_EQ(tuza_context_err(grandchild), -ECANCELED);
		tuza_context_free(child);
		tuza_context_free(grandchild);
	}
	tuza_waitgroup_done(&s->workers);
}

static void hold_children(struct shared *s)
{
	tuza_context *mine[50];

	for (int i = 0; i < 50; i++) {
		mine[i] = derive(s->parent, i);
		if (i % 8 == 0)
			tuza_yield();
	}
	atomic_fetch_add(&s->children, 1);
	for (int i = 0; i < 50; i++) {
		tuza_context *grandchild = tuza_context_with_cancel(mine[i]);
		(void)tuza_recv(tuza_context_done(grandchild), NULL);
		CHECK_EQ(tuza_context_err(grandchild), -ECANCELED);
		CHECK_EQ(tuza_context_cause(grandchild), -EPIPE);
		tuza_context_free(grandchild);
	}
	shuffle(mine, 50);
	for (int i = 0; i < 50; i++)
		tuza_context_free(mine[i]);
	tuza_waitgroup_done(&s->workers);
}

// T6.5: on all processors at once.
TEST(cancel_meets_children_that_come_and_go)
{
	int rounds = test_is_on_valgrind() ? 5 : 20; // there it is one thread at a time

	for (int round = 0; round < rounds; round++) {
		tuza_context *parent = new_context();
		struct shared s = {.parent = parent};

		for (int i = 0; i < 4; i++) {
			tuza_waitgroup_add(&s.workers, 2);
			TUZA_GO(come_and_go, &s);
			TUZA_GO(hold_children, &s);
		}
		WAIT_UNTIL(s.children > 200);
		tuza_context_cancel_cause(parent, -EPIPE);
		atomic_store(&s.cancelled, 1);
		tuza_sleep(200 * TUZA_MICROSECOND);
		atomic_store(&s.stop, 1);
		tuza_waitgroup_wait(&s.workers);
		tuza_context_free(parent);
	}
}

static void cancel_and_count(tuza_context *ctx, tuza_waitgroup *wg)
{
	tuza_context_cancel(ctx);
	CHECK(tuza_context_err(ctx) != 0);
	tuza_waitgroup_done(wg);
}

// T6.5: Go: TestSimultaneousCancels.
TEST(all_of_a_tree_are_cancelled_at_once)
{
	enum { N = 100 };
	tuza_context *all[N], *shuffled[N];
	tuza_waitgroup wg = {0};

	all[0] = new_context();
	for (int i = 1; i < N; i++)
		all[i] = tuza_context_with_cancel(all[(i - 1) / 2]);
	memcpy(shuffled, all, sizeof(all));
	shuffle(shuffled, N);
	for (int i = 0; i < N; i++) {
		tuza_waitgroup_add(&wg, 1);
		TUZA_GO(cancel_and_count, shuffled[i], &wg);
	}
	for (int i = 0; i < N; i++)
		(void)tuza_recv(tuza_context_done(all[i]), NULL);
	tuza_waitgroup_wait(&wg);
	free_in_order(shuffled, N, 0);
}

struct pair {
	tuza_context *parent, *child, *leaves[200];
	atomic_int turn; // both begin when it is 2
};

static void cancel_child(struct pair *p, bool whole)
{
	atomic_fetch_add(&p->turn, 1);
	while (atomic_load(&p->turn) < 2)
		tuza_yield();
	tuza_context_cancel(whole ? p->parent : p->child);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(tuza_context_err(p->leaves[i]), -ECANCELED);
	atomic_fetch_add(&p->turn, 1);
}

// X5: who cancels the parent finds everything ended on return, also what somebody else is ending.
TEST(cancel_of_the_parent_waits_for_a_cancel_further_down)
{
	for (int round = 0; round < 300; round++) {
		struct pair p = {.parent = new_context()};

		p.child = tuza_context_with_cancel(p.parent);
		for (int i = 0; i < 200; i++) // two to each of the level above
			p.leaves[i] =
				tuza_context_with_cancel(i < 2 ? p.child : p.leaves[i / 2 - 1]);
		TUZA_GO(cancel_child, &p, false);
		TUZA_GO(cancel_child, &p, true);
		WAIT_UNTIL(p.turn == 4);
		tuza_context_free(p.parent);
		tuza_context_free(p.child);
		free_in_order(p.leaves, 200, round % 3);
	}
}

static void cancel_when_done(tuza_context *parent, tuza_context *child, tuza_waitgroup *wg)
{
	(void)tuza_recv(tuza_context_done(parent), NULL);
	tuza_context_cancel(child);
	CHECK_EQ(tuza_context_err(child), -ECANCELED);
	tuza_waitgroup_done(wg);
}

// T6.5: Go: TestInterlockedCancels.
TEST(child_is_cancelled_by_who_sees_the_parents_end)
{
	for (int i = 0; i < 100; i++) {
		tuza_context *parent = new_context();
		tuza_context *child = tuza_context_with_cancel(parent);
		tuza_waitgroup wg = {0};

		tuza_waitgroup_add(&wg, 1);
		TUZA_GO(cancel_when_done, parent, child, &wg);
		tuza_context_cancel(parent);
		CHECK_EQ(tuza_context_err(child), -ECANCELED);
		tuza_waitgroup_wait(&wg);
		tuza_context_free(child);
		tuza_context_free(parent);
	}
}

static void count_free(void *counter) { atomic_fetch_add((atomic_int *)counter, 1); }

static uint64_t timers(void)
{
	tuza_statistics s;

	tuza_stats(&s);
	return s.timers;
}

// T6.2: Go: TestCancelRemoves: whoever has ended is gone, its timer at once and its memory with the
// last reference, though its parent goes on.
TEST(parent_forgets_children_that_have_ended)
{
	enum { N = 100 };
	uint64_t before = timers();
	tuza_context *parent = new_context(), *children[N];
	atomic_int freed = 0;

	for (int i = 0; i < N; i++) {
		tuza_context *value =
			tuza_context_with_value_free(parent, &key, &freed, count_free);
		children[i] = tuza_context_with_timeout(value, i % 3 ? TUZA_HOUR : 0);
		tuza_context_free(value);
	}
	CHECK_EQ(timers() - before, N - (N + 2) / 3); // no time is left for every third
	for (int i = 0; i < N; i++)
		if (i % 3 == 1)
			tuza_context_cancel(children[i]);
	CHECK_EQ(timers() - before, N / 3); // those that go on
	CHECK_EQ(freed, 0);
	for (int i = 0; i < N; i++) {
		tuza_context_free(children[i]);
		CHECK_EQ(freed, i + 1);
	}
	CHECK_EQ(timers(), before);
	CHECK_EQ(tuza_context_err(parent), 0);
	for (int i = 0; i < N; i++)
		children[i] = tuza_context_with_timeout(parent, TUZA_HOUR);
	tuza_context_cancel(parent);
	CHECK_EQ(timers(), before); // the end of the parent takes the children's along
	free_in_order(children, N, 2);
	tuza_context_free(parent);
}

// T6.5: Go: TestLayersCancel, TestLayersTimeout.
TEST(layers_end_together_and_keep_their_values)
{
	enum { LAYERS = 30 };
	uint32_t random = 4711;

	for (int round = 0; round < 50; round++) {
		bool timeout = round % 2;
		tuza_context *top = timeout ? tuza_context_with_timeout(
						      tuza_context_background(), TUZA_MILLISECOND)
					    : new_context();
		tuza_context *all[LAYERS + 1] = {top};
		static const char keys[LAYERS];
		bool has_value[LAYERS] = {false};

		for (int i = 0; i < LAYERS; i++) {
			random = random * 1664525 + 1013904223;
			has_value[i] = random >> 24 & 1;
			all[i + 1] = has_value[i]
					     ? tuza_context_with_value(all[i], &keys[i], &all[i])
					     : derive(all[i], random >> 25 & 1 ? 2 : 0);
		}
		if (!timeout) {
			CHECK_EQ(tuza_context_err(all[LAYERS]), 0);
			tuza_context_cancel(top);
		}
		(void)tuza_recv(tuza_context_done(all[LAYERS]), NULL);
		for (int i = 0; i <= LAYERS; i++) {
			(void)tuza_recv(tuza_context_done(all[i]), NULL);
			CHECK_EQ(tuza_context_err(all[i]), timeout ? -ETIMEDOUT : -ECANCELED);
		}
		for (int i = 0; i < LAYERS; i++)
			CHECK(tuza_context_value(all[LAYERS], &keys[i]) ==
				(has_value[i] ? &all[i] : NULL));
		free_in_order(all, LAYERS + 1, round % 3);
	}
}
