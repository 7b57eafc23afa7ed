// SPDX-License-Identifier: MIT
/*
 * A goroutine that computes and never waits does not keep the others from running, even where
 * there is one processor only: another one is lent in its place. Better manners are a yield now
 * and then.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/tuza.h>

static atomic_bool others_have_run;
static atomic_int turns;

static void stubborn(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&others_have_run, memory_order_relaxed))
		; // no call of tuza's, no wait
}

static void polite(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		atomic_fetch_add(&turns, 1);
		tuza_yield(); // runtime.Gosched(): the others first, if there are any
	}
}

static void other(void *arg)
{
	(void)arg;
	atomic_store(&others_have_run, true);
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_gomaxprocs(1);
	tuza_waitgroup_go(&wg, stubborn, NULL);
	tuza_yield(); // it runs before the others are even there
	tuza_waitgroup_go(&wg, other, NULL);
	tuza_waitgroup_wait(&wg);
	puts("the others have run beside the stubborn one");
	tuza_waitgroup_go(&wg, polite, NULL);
	tuza_waitgroup_go(&wg, polite, NULL);
	tuza_waitgroup_wait(&wg);
	printf("%d turns of the polite ones\n", turns);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
the others have run beside the stubborn one
6 turns of the polite ones
 */
