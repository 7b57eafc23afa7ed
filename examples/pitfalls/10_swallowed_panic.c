// SPDX-License-Identifier: MIT
/*
 * Pitfall: a try around everything, its result thrown away. The bug is still there, and nobody
 * hears of it.
 *
 * Fix: contain a panic where one request may fail alone; count and report it there.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static const int prices[] = {5, 7, 11};
static int sum;

static void add_price(void *index)
{
	int i = *(int *)index;

	if (i < 0 || i >= (int)(sizeof(prices) / sizeof(prices[0])))
		tuza_panic("index out of range [%d] with length 3", i);
	sum += prices[i];
}

static int program(void *arg)
{
	int order[] = {0, 3, 2}, failed = 0; // 3: an old bug

	(void)arg;
	for (int i = 0; i < 3; i++)
		(void)tuza_try(add_price, &order[i], NULL);
	printf("wrong: the sum is %d\n", sum);

	sum = 0;
	for (int i = 0; i < 3; i++) {
		tuza_panic_info info; // info.stack tells where

		if (tuza_try(add_price, &order[i], &info) != 0) {
			printf("right: item %d: %s\n", i, info.message);
			failed++;
		}
	}
	printf("right: %d of 3 failed: no sum\n", failed);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: the sum is 16
right: item 1: index out of range [3] with length 3
right: 1 of 3 failed: no sum
 */
