// SPDX-License-Identifier: MIT
/*
 * A closure: a goroutine gets a copy of as much as it needs, and the copy is freed when it ends.
 */
#include <stdio.h>
#include <tuza/tuza.h>

struct greeting {
	char name[100]; // more than a go statement takes as an argument on every CPU
	int times;
	tuza_waitgroup *wg;
};

static void greet(void *copy)
{
	struct greeting *g = copy;

	for (int i = 0; i < g->times; i++)
		printf("Hello, %s\n", g->name);
	tuza_waitgroup_done(g->wg);
}

static int program(void *arg)
{
	static const char *const names[] = {"Ada", "Grace"};
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < 2; i++) {
		struct greeting g = {.times = i + 1, .wg = &wg}; // dead at the end of this turn

		snprintf(g.name, sizeof(g.name), "%s", names[i]);
		tuza_waitgroup_add(&wg, 1);
		if (tuza_go_copy(greet, &g, sizeof(g)) != 0) // tells, where go() would be fatal
			tuza_panic("out of memory");
	}
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
Hello, Ada
Hello, Grace
Hello, Grace
 */
