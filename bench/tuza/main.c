// SPDX-License-Identifier: MIT
/*
 * The command line, the counting and the line that is printed:
 *
 *	bench <workload> <procs> <scale>     <name> <ns per operation> [key=value …] ok
 *	bench --list                         each workload and what its operation is
 *
 * A workload runs with growing n until a pass lasts long enough; that pass is counted. The first
 * one warms up and never counts. All of it is goroutine 1.
 */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <tuza/tuza.h>
#include <unistd.h>

// How long the counted pass of a workload lasts at scale 1, ns.
static const double goal = 300e6;

static const struct workload *const topics[] = {
	spawn_workloads,
	task_workloads,
	yield_workloads,
	chan_workloads,
	select_workloads,
	sync_workloads,
	context_workloads,
	group_workloads,
	sleep_workloads,
	timer_workloads,
	tree_workloads,
	sieve_workloads,
	tcp_workloads,
	tls_workloads,
	pattern_workloads,
};
enum { topic_count = sizeof topics / sizeof topics[0] };

// What the command line said.
static const struct workload *current;
static int procs;
static double scale;

static char notes[512]; // " key=value", in the order of their making

void check(bool right, const char *format, ...)
{
	if (right)
		return;
	va_list args;
	va_start(args, format);
	printf("%s wrong: ", current->name);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

void note(const char *key, const char *format, ...)
{
	char value[64];
	va_list args;
	va_start(args, format);
	vsnprintf(value, sizeof value, format, args);
	va_end(args);
	size_t used = strlen(notes);
	snprintf(notes + used, sizeof notes - used, " %s=%s", key, value);
}

int64_t scaled(int64_t n, int64_t least)
{
	if (scale < 1)
		n = (int64_t)((double)n * scale);
	return n > least ? n : least;
}

int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void *allocate(size_t count, size_t bytes)
{
	void *p = calloc(count, bytes);
	check(p != NULL, "no memory for %zu times %zu bytes", count, bytes);
	return p;
}

int64_t memory_now(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	check(status != NULL, "/proc/self/status cannot be opened");
	int64_t total = 0;
	char line[256];
	while (fgets(line, sizeof line, status)) {
		if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
			total += 1024 * strtoll(line + 6, NULL, 10);
	}
	fclose(status);
	return total;
}

// What a pass consumed.
struct usage {
	int64_t wall, cpu; // ns
	int64_t allocations, bytes;
};

static struct usage usage_now(void)
{
	struct usage u;
	struct rusage r;
	heap_count(&u.allocations, &u.bytes);
	getrusage(RUSAGE_SELF, &r);
	u.cpu = ((int64_t)r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000000 +
		((int64_t)r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000;
	u.wall = now();
	return u;
}

// Aims at 1.3 times the goal, and grows at most a hundredfold: early passes mislead.
static int64_t next_count(int64_t n, int64_t done, int64_t took)
{
	double aim = 1.3 * goal * scale * (double)done / (double)(took > 0 ? took : 1);
	if (aim > 100 * (double)n)
		return 100 * n;
	if (aim < (double)n)
		return n;
	return (int64_t)aim == n ? n + 1 : (int64_t)aim;
}

// Runs the workload until a pass lasts long enough. Returns ns per operation.
static double repeat(void)
{
	int64_t n = 1;
	for (int pass = 0;; pass++) {
		struct usage before = usage_now();
		int64_t done = current->run(n);
		int64_t took = now() - before.wall;
		if (pass == 0 || (double)took < goal * scale) {
			n = next_count(n, done, took);
			continue;
		}
		struct usage after = usage_now();
		note("n", "%lld", (long long)done);
		note("cpu", "%.0f", 100 * (double)(after.cpu - before.cpu) / (double)took);
		if (current->memory) {
			note("allocs", "%.2f",
				(double)(after.allocations - before.allocations) / (double)done);
			note("bytes", "%.2f", (double)(after.bytes - before.bytes) / (double)done);
		}
		if (current->after)
			current->after();
		return (double)took / (double)done;
	}
}

static int program(void *arg)
{
	(void)arg;
	tuza_gomaxprocs(procs);
	double ns = current->measure ? current->measure() : repeat();
	printf("%s %.2f%s ok\n", current->name, ns, notes);
	return 0;
}

static void list(void)
{
	for (int t = 0; t < topic_count; t++)
		for (const struct workload *w = topics[t]; w->name; w++)
			printf("%s\t%s\n", w->name, w->operation);
}

static const struct workload *find(const char *name)
{
	for (int t = 0; t < topic_count; t++)
		for (const struct workload *w = topics[t]; w->name; w++)
			if (strcmp(w->name, name) == 0)
				return w;
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	if (argc == 4) {
		current = find(argv[1]);
		procs = atoi(argv[2]);
		scale = atof(argv[3]);
	}
	if (!current || procs < 1 || scale <= 0) {
		fprintf(stderr, "usage: bench <workload> <procs> <scale> | --list\n");
		return 2;
	}
	return tuza_run(program, NULL);
}
