// SPDX-License-Identifier: MIT
/*
 * The queues keyed by an address (sched/waitqueue.h), as data structures: nobody parks here.
 */
#include "../../test.h"
#include "sched/waitqueue.h"

#define OBJECTS 64
#define WAITERS 6

static uint64_t objects[OBJECTS];
static struct queued waiters[OBJECTS][WAITERS];

// All objects that share the bucket of objects[0], that one first.
static int same_bucket(int *found)
{
	struct waitqueue *q = waitqueue_lock(&objects[0]);
	waitqueue_unlock(q);
	int n = 0;

	for (int i = 0; i < OBJECTS; i++) {
		struct waitqueue *other = waitqueue_lock(&objects[i]);
		waitqueue_unlock(other);
		if (other == q)
			found[n++] = i;
	}
	return n;
}

static void push(const void *address, struct queued *w, bool as_first)
{
	struct waitqueue *q = waitqueue_lock(address);
	waitqueue_push(q, address, w, as_first);
	waitqueue_unlock(q);
}

static struct queued *pop(const void *address)
{
	struct waitqueue *q = waitqueue_lock(address);
	struct queued *w = waitqueue_pop(q, address);
	waitqueue_unlock(q);
	return w;
}

static void remove_waiter(const void *address, struct queued *w)
{
	struct waitqueue *q = waitqueue_lock(address);
	waitqueue_remove(q, w);
	waitqueue_unlock(q);
}

TEST(waiters_of_each_address_are_first_in_first_out)
{
	for (int w = 0; w < WAITERS; w++)
		for (int i = 0; i < OBJECTS; i++)
			push(&objects[i], &waiters[i][w], false);
	for (int w = 0; w < WAITERS; w++)
		for (int i = OBJECTS; i-- > 0;) {
			CHECK(pop(&objects[i]) == &waiters[i][w]);
			CHECK(waiters[i][w].address == NULL);
		}
	for (int i = 0; i < OBJECTS; i++)
		CHECK(pop(&objects[i]) == NULL);
}

TEST(waiter_pushed_as_first_is_first)
{
	struct queued *w = waiters[0];

	push(&objects[0], &w[0], true);
	push(&objects[0], &w[1], true);
	push(&objects[0], &w[2], false);
	push(&objects[0], &w[3], true);
	CHECK(pop(&objects[0]) == &w[3]);
	CHECK(pop(&objects[0]) == &w[1]);
	CHECK(pop(&objects[0]) == &w[0]);
	CHECK(pop(&objects[0]) == &w[2]);
	CHECK(pop(&objects[0]) == NULL);
}

// Every subset of the waiters removed, in front, in the middle and behind: the rest stays in order.
TEST(any_waiter_can_be_removed)
{
	for (unsigned removed = 0; removed < 1u << WAITERS; removed++) {
		struct queued *w = waiters[0];

		for (int i = 0; i < WAITERS; i++)
			push(&objects[0], &w[i], false);
		for (int i = 0; i < WAITERS; i++)
			if (removed & 1u << i)
				remove_waiter(&objects[0], &w[removed % 2 ? i : WAITERS - 1 - i]);
		push(&objects[0], &waiters[1][0], false);
		for (int i = 0; i < WAITERS; i++)
			if (!(removed & 1u << (removed % 2 ? i : WAITERS - 1 - i)))
				CHECK(pop(&objects[0]) == &w[i]);
		CHECK(pop(&objects[0]) == &waiters[1][0]);
		CHECK(pop(&objects[0]) == NULL);
	}
}

TEST(all_waiters_of_an_address_are_taken_in_order)
{
	struct waitqueue *q;
	int n = 0;

	for (int w = 0; w < WAITERS; w++)
		for (int i = 0; i < 2; i++)
			push((char *)&objects[0] + i, &waiters[i][w], false);
	q = waitqueue_lock(&objects[0]);
	// Within 8 bytes: one bucket, two queues.
	CHECK(waitqueue_first(q, &objects[0]) == &waiters[0][0]);
	CHECK(waitqueue_first(q, (char *)&objects[0] + 1) == &waiters[1][0]);
	// They are all one goroutine, so the list that it is linked in cannot be walked; the queue
	// tells.
	CHECK(waitqueue_take_all(q, &objects[0]) == goroutine_current());
	CHECK(waitqueue_first(q, &objects[0]) == NULL);
	CHECK(waitqueue_take_all(q, &objects[0]) == NULL);
	for (struct queued *w = waitqueue_first(q, (char *)&objects[0] + 1); w; w = w->next)
		CHECK(w == &waiters[1][n++]);
	CHECK_EQ(n, WAITERS);
	waitqueue_unlock(q);
	for (int w = 0; w < WAITERS; w++)
		CHECK(pop((char *)&objects[0] + 1) == &waiters[1][w]);
}

TEST(addresses_are_spread_over_the_buckets)
{
	int found[OBJECTS];

	CHECK(same_bucket(found) <= 4);
}
