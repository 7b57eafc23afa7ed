// SPDX-License-Identifier: MIT
/*
 * Pitfall: a panic in any goroutine, not contained there, is the end of the process, with all the
 * others in it. A try in the goroutine that started it does not help.
 *
 * Fix: tuza_try in the goroutine itself, or tuza_spawn, whose join tells.
 */
#include <errno.h>
#include <stdio.h>
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

// The wrong one takes its process with it, so it gets one of its own.
static int program(void *name)
{
	tuza_process_options options = {.err = tuza_process_inherit()};
	int code = tuza_process_run(
		tuza_context_background(), TUZA_ARGV(name, "wrong"), &options, NULL);

	if (code == -ENOEXEC)
		return 77; // under an emulator
	printf("wrong: %s\n", tuza_strerror(code));
	return right(&(int){0});
}

int main(int argc, char **argv)
{
	return argc > 1 ? tuza_run(wrong, &(int){0}) : tuza_run(program, argv[0]);
}

/* Output:
wrong: exit status 2
right: recovered: an order of nothing
 */
