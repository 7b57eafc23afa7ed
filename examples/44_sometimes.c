// SPDX-License-Identifier: MIT
/*
 * A log that does not drown: of a thousand complaints about the same thing, from eight goroutines,
 * the first two are written, and then every 250th.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { WORKERS = 8, EACH = 125 };

// One for each thing that may be complained of. With an interval: also when so long nothing was.
static tuza_sometimes disk_full = {.first = 2, .every = 250};

static void complain(void *arg)
{
	int *written = arg; // needs no lock: one call at a time
	printf("disk full (line %d)\n", ++*written);
}

static void work(int *written, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	for (int i = 0; i < EACH; i++)
		tuza_sometimes_do(&disk_full, complain, written);
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0};
	int written = 0;

	(void)arg;
	tuza_waitgroup_add(&wg, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		go(work, &written, &wg);
	tuza_waitgroup_wait(&wg);
	printf("%d lines for %d complaints\n", written, WORKERS * EACH);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
disk full (line 1)
disk full (line 2)
disk full (line 3)
disk full (line 4)
disk full (line 5)
5 lines for 1000 complaints
 */
