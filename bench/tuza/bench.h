// SPDX-License-Identifier: MIT
/*
 * What the workloads share. Each topic file has a table of workloads; main.c counts, times and
 * prints them; heap.c counts allocations. bench/go is the twin: file by file, function by function.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A workload has either run or measure.
struct workload {
	const char *name;
	const char *operation;     // what one operation is
	int64_t (*run)(int64_t n); // does about n operations, checks them, returns how many it did
	double (*measure)(void);   // takes its own time: ns per operation
	void (*after)(void);       // adds what else is known of the counted pass; may be NULL
	bool memory;               // its line tells of allocations
};

// The tables, each ended by an entry without a name.
extern const struct workload spawn_workloads[], task_workloads[], yield_workloads[],
	chan_workloads[], select_workloads[], sync_workloads[], context_workloads[],
	group_workloads[], sleep_workloads[], timer_workloads[], tree_workloads[],
	sieve_workloads[], tcp_workloads[], tls_workloads[], pattern_workloads[];

// Ends the program when a result is wrong (printf's format).
void check(bool right, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Adds key=value to the line (printf's format).
void note(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A size at this run's scale: n at scale 1 and above, less below, never under least.
int64_t scaled(int64_t n, int64_t least);

// The monotonic clock, ns.
int64_t now(void);

// What the process takes of the machine, in bytes: resident pages and page tables.
int64_t memory_now(void);

// malloc that ends the program when there is none; zeroed.
void *allocate(size_t count, size_t bytes);

// heap.c: how many blocks were allocated since the start, and their bytes.
void heap_count(int64_t *allocations, int64_t *bytes);

#endif
