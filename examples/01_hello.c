// SPDX-License-Identifier: MIT
/*
 * The go statement: starts three goroutines and waits for them.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void greet(tuza_waitgroup *wg, const char *name, double hours)
{
	TUZA_DEFER(tuza_waitgroup_done, wg); // when greet returns, however it returns
	printf("Hello, %s! It is %.1f h past midnight there.\n", name, hours);
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0}; // zeroed is ready, as everything in tuza/sync.h

	(void)arg;
	tuza_waitgroup_add(&wg, 3); // before the go statements, never inside the goroutine
	go(greet, &wg, "Lagos", 9.0);
	go(greet, &wg, "Delhi", 13.5);
	go(greet, &wg, "Oslo", 10); // converted and checked as in the call greet(&wg, "Oslo", 10)
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
Hello, Lagos! It is 9.0 h past midnight there.
Hello, Delhi! It is 13.5 h past midnight there.
Hello, Oslo! It is 10.0 h past midnight there.
 */
