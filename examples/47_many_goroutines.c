// SPDX-License-Identifier: MIT
// not-under: address thread the sanitizers need much more memory for each
/*
 * Many goroutines asleep at once, on a few threads: 20,000, or as many as the argument says. A
 * million need about 5 GB, most of it the page of stack that each has touched; how much it was goes
 * to standard error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_chan *wake; // closed when all are there
static tuza_waitgroup asleep, ended;

static void sleeper(void)
{
	tuza_waitgroup_done(&asleep);
	tuza_recv(wake, NULL);
	tuza_sleep(TUZA_MILLISECOND);
	tuza_waitgroup_done(&ended);
}

static long resident_kb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kb = 0;

	if (!status)
		return 0;
	while (!kb && fgets(line, sizeof(line), status))
		sscanf(line, "VmRSS: %ld", &kb);
	fclose(status);
	return kb;
}

static int program(void *arg)
{
	int count = *(int *)arg;
	long before = resident_kb();

	wake = tuza_chan_new(0, 0);
	tuza_waitgroup_add(&asleep, count);
	tuza_waitgroup_add(&ended, count);
	for (int i = 0; i < count; i++)
		go(sleeper);
	tuza_waitgroup_wait(&asleep);
	printf("%d goroutines beside this one\n", (int)tuza_num_goroutine() - 1);
	fprintf(stderr, "%.1f KiB of memory for each\n", (double)(resident_kb() - before) / count);
	tuza_chan_close(wake);
	tuza_waitgroup_wait(&ended);
	puts("all have slept");
	tuza_chan_release(wake);
	return 0;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 20000;

	return tuza_run(program, &count);
}

/* Output:
20000 goroutines beside this one
all have slept
 */
