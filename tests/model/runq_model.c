// SPDX-License-Identifier: MIT
/*
 * Claim: with sched/runq.h each goroutine that the owner queues is taken exactly once, by the owner
 * or one of two thieves, and whoever takes it sees all that was written to it before; a full ring
 * refuses; the indices may wrap.
 *
 * The ring has four slots here and starts just below the wrap of its indices, so that both are
 * passed in every round.
 */
#define RUNQ_SIZE 4u
#include "steps.h"

#include "sched/runq.h"

#define ITEMS 6

struct goroutine {
	int payload; // plain: ordered by the queue
	int taken;   // atomic
};

static struct runq q;
static struct goroutine items[ITEMS];
static int left; // atomic: items not yet taken

static void take(struct goroutine *g)
{
	if (!g)
		return;
	assert(g->payload == (int)(g - items) + 100);
	g->payload = -1;
	assert(add_relaxed(&g->taken, 1) == 0);
	sub_relaxed(&left, 1);
}

// Queues everything, half of it by way of `next`, taking some back when the ring is full.
static void *owner(void *arg)
{
	(void)arg;
	for (int i = 0; i < ITEMS; i++) {
		struct goroutine *g = &items[i];
		g->payload = i + 100;
		if (i % 2)
			g = runq_put_next(&q, g);
		model_pause();
		while (g && !runq_put(&q, g))
			take(runq_get(&q));
	}
	take(runq_take_next(&q));
	take(runq_get(&q));
	return NULL;
}

static void *thief(void *arg)
{
	struct goroutine *batch[RUNQ_SIZE / 2 + 1];
	(void)arg;
	for (int round = 0; round < 3; round++) {
		uint32_t n = runq_take(&q, batch, COUNT_OF(batch));
		assert(n <= RUNQ_SIZE / 2 + 1);
		for (uint32_t i = 0; i < n; i++)
			take(batch[i]);
		model_pause();
		take(runq_take_next(&q));
	}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[] = {owner, thief, thief};

	for (int i = 0; i < ITEMS; i++)
		items[i] = (struct goroutine){0, 0};
	left = ITEMS;
	q.head = q.tail = UINT32_MAX - 2;
	q.next = NULL;
	model_run(threads, COUNT_OF(threads));
	take(runq_take_next(&q));
	for (struct goroutine *g; (g = runq_get(&q)) != NULL;)
		take(g);
	assert(left == 0);
	assert(runq_is_empty(&q) && runq_length(&q) == 0);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
