// SPDX-License-Identifier: MIT
/*
 * Pitfall: a panic in any goroutine, not contained there, is the end of the process, with all the
 * others in it. A try in the goroutine that started it does not help.
 *
 * Fix: tuza_try in the goroutine itself, or tuza_spawn, whose join tells.
 */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void risky(void *order)
{
	if (*(int *)order == 0)
		tuza_panic("an order of nothing");
}

static void start_it(void *order) { go(risky, order); }

static int wrong(void *order)
{
	// contains what start_it does, not what risky does
	TUZA_IGNORE(tuza_try(start_it, order, NULL));
	tuza_sleep(TUZA_HOUR);
	return 0;
}

static void contained(int *order, tuza_waitgroup *wg)
{
	tuza_panic_info info;

	TUZA_DEFER(tuza_waitgroup_done, wg);
	if (tuza_try(risky, order, &info) != 0)
		printf("right: recovered: %s\n", info.message);
}

static int right(void *order)
{
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 1);
	go(contained, order, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(int argc, char **argv)
{
	char *wrong_one[] = {argv[0], "wrong", NULL};
	int status, order = 0;
	pid_t child;

	if (argc > 1)
		return tuza_run(wrong, &order);
	if (posix_spawn(&child, argv[0], NULL, NULL, wrong_one, NULL) != 0 ||
		waitpid(child, &status, 0) != child || WEXITSTATUS(status) == 127)
		return 77; // cannot be started again, under an emulator for instance
	printf("wrong: exit status %d\n", WEXITSTATUS(status));
	return tuza_run(right, &order);
}

/* Output:
wrong: exit status 2
right: recovered: an order of nothing
 */
