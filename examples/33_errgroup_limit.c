// SPDX-License-Identifier: MIT
/*
 * Bounded parallelism: a task for each of a thousand items, eight under way at a time. A panic in a
 * task is the group's failure, not the program's end.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/tuza.h>

static atomic_int active, most;

struct item {
	int number;
	atomic_long *sum;
};

static int work(void *args)
{
	struct item *item = args; // its own copy
	int now = atomic_fetch_add(&active, 1) + 1, seen = atomic_load(&most);

	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	tuza_yield(); // others get their chance to be too many
	atomic_fetch_sub(&active, 1);
	if (item->number > 1000)
		tuza_panic("item %d is too large", item->number);
	atomic_fetch_add(item->sum, item->number);
	return 0;
}

static int program(void *arg)
{
	tuza_errgroup *group = tuza_errgroup_new(tuza_context_background());
	atomic_long sum = 0;

	(void)arg;
	TUZA_DEFER(tuza_errgroup_free, group);
	tuza_errgroup_set_limit(group, 8);
	for (int i = 1; i <= 1001; i++) {
		struct item item = {i, &sum};
		tuza_errgroup_go_copy(group, work, &item, sizeof item); // waits for a place
	}
	if (tuza_errgroup_wait(group) == TUZA_EPANIC)
		printf("a panic: %s\n", tuza_errgroup_message(group));
	printf("the sum of the others is %ld\n", atomic_load(&sum));
	printf("%s\n", most <= 8 ? "never more than 8 at a time" : "too many at a time");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
a panic: item 1001 is too large
the sum of the others is 500500
never more than 8 at a time
 */
