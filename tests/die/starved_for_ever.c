// SPDX-License-Identifier: MIT
// not-under: address thread they need more addresses than there are here
// expect-status: 2
// expect-stderr: fatal error: tuza: out of memory: no stack for goroutines that all others wait for
// expect-stderr: goroutine 1 [sync.WaitGroup.Wait]:
// expect-stderr: [runnable]:
// expect-not-stderr: finished
/*
 * There is no room for as many stacks as there are goroutines, and those that have one wait for
 * those that have none: nobody would ever go on.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

enum { COUNT = 2000 }; // stacks of 256 KiB: 500 MiB

static tuza_waitgroup all_here;
static tuza_chan *wake;
static atomic_int here;

static void sleeper(void)
{
	atomic_fetch_add(&here, 1);
	tuza_waitgroup_done(&all_here);
	tuza_recv(wake, NULL);
}

// Leaves room for `bytes` more.
static void limit_addresses(size_t bytes)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	long pages = 0;
	struct rlimit limit;

	if (!statm || fscanf(statm, "%ld", &pages) != 1)
		exit(1);
	fclose(statm);
	if (getrlimit(RLIMIT_AS, &limit) != 0)
		exit(1);
	limit.rlim_cur = (rlim_t)pages * 4096 + bytes;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		exit(1);
}

// When the machine did not let this thread come to the limit before most had their stacks.
static void try_again(const char *tries)
{
	struct rlimit limit;
	char more[100];

	if (getrlimit(RLIMIT_AS, &limit) != 0)
		exit(1);
	limit.rlim_cur = limit.rlim_max;
	snprintf(more, sizeof(more), "x%s", tries);
	if (strlen(tries) < sizeof(more) - 2 && setrlimit(RLIMIT_AS, &limit) == 0)
		execl("/proc/self/exe", "starved_for_ever", more, (char *)NULL);
	exit(1);
}

static int program(void *tries)
{
	wake = tuza_chan_new(0, 0);
	tuza_waitgroup_add(&all_here, COUNT);
	for (int i = 0; i < COUNT; i++)
		go(sleeper);
	limit_addresses(64 << 20);
	if (atomic_load(&here) > COUNT / 2)
		try_again(tries);
	tuza_waitgroup_wait(&all_here);
	fputs("finished\n", stderr);
	return 0;
}

int main(int argc, char **argv) { return tuza_run(program, argc > 1 ? argv[1] : ""); }
