// SPDX-License-Identifier: MIT
/*
 * Measures how long a whole process takes: starts the program named, waits for it, again and again.
 *
 *	launch <times> <program> [argument …]      startup <ns per process> worst_us=… ok
 *
 * It is the same parent for tuza and for Go. The figure is the median of the runs.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int times = argc > 2 ? atoi(argv[1]) : 0;
	if (times < 1) {
		fprintf(stderr, "usage: launch <times> <program> [argument ...]\n");
		return 2;
	}
	int64_t *took = calloc((size_t)times, sizeof *took);
	if (!took)
		return 2;
	for (int i = 0; i < times; i++) {
		int64_t start = now();
		pid_t child;
		int status;
		if (posix_spawn(&child, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
			waitpid(child, &status, 0) != child || status != 0) {
			printf("startup wrong: %s failed\n", argv[2]);
			return 1;
		}
		took[i] = now() - start;
	}
	qsort(took, (size_t)times, sizeof *took, ascending);
	printf("startup %lld n=%d worst_us=%.2f ok\n", (long long)took[times / 2], times,
		(double)took[times - 1] / 1e3);
	free(took);
	return 0;
}
