// SPDX-License-Identifier: MIT
/*
 * Handles, which Go lacks: a spawned goroutine can be joined, and a panic in it is the joiner's to
 * learn of instead of the end of the process.
 */
#include <stdio.h>
#include <tuza/tuza.h>

struct task {
	int divisor, result;
};

static void divide(void *arg)
{
	struct task *t = arg;

	if (t->divisor == 0)
		tuza_panic("division by zero");
	t->result = 100 / t->divisor;
}

static int program(void *arg)
{
	struct task tasks[3] = {{4, 0}, {0, 0}, {5, 0}};
	tuza_goroutine *handles[3];

	(void)arg;
	for (int i = 0; i < 3; i++) {
		handles[i] = tuza_spawn(divide, &tasks[i]);
		if (!handles[i])
			tuza_panic("out of memory");
	}
	for (int i = 0; i < 3; i++) {
		int code = tuza_join(handles[i]);

		if (code == 0) // what it wrote is visible now; the handle is gone
			printf("100 / %d = %d\n", tasks[i].divisor, tasks[i].result);
		else
			printf("100 / %d: %s\n", tasks[i].divisor, tuza_strerror(code));
	}
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
100 / 4 = 25
100 / 0: goroutine panicked
100 / 5 = 20
 */
