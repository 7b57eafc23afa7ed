// SPDX-License-Identifier: MIT
/*
 * Pitfall: a try around everything, its result thrown away. The bug is still there, and nobody
 * hears of it.
 *
 * Fix: contain a panic where one request may fail alone; count and report it there.
 */
#include <stdio.h>
#include <tuza/tuza.h>

// What both compilers have to say about `wrong`.
#pragma GCC diagnostic ignored "-Wunused-result"

enum { ORDERS = 3 };

static const int prices[] = {5, 7, 11};
static int sum;

static void add_price(void *index)
{
	int i = *(int *)index;

	if (i < 0 || i >= (int)(sizeof(prices) / sizeof(prices[0])))
		tuza_panic("index out of range [%d] with length 3", i);
	sum += prices[i];
}

static void wrong(int order[])
{
	for (int i = 0; i < ORDERS; i++)
		tuza_try(add_price, &order[i], NULL);
	printf("wrong: the sum is %d\n", sum);
}

static void right(int order[])
{
	int failed = 0;

	for (int i = 0; i < ORDERS; i++) {
		tuza_panic_info info; // info.stack tells where

		if (tuza_try(add_price, &order[i], &info) != 0) {
			printf("right: item %d: %s\n", i, info.message);
			failed++;
		}
	}
	printf("right: %d of %d failed: no sum\n", failed, ORDERS);
}

static int program(void *arg)
{
	int order[ORDERS] = {0, 3, 2}; // 3: an old bug

	(void)arg;
	wrong(order);
	right(order);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: the sum is 16
right: item 1: index out of range [3] with length 3
right: 1 of 3 failed: no sum
 */
