// SPDX-License-Identifier: MIT
/*
 * What the environment says: variables, CPUs, limits (config.c).
 *
 *	TUZA_MAXPROCS     how many goroutines run at once
 *	TUZA_STACK_BYTES  default stack, with an optional k, m or g
 *	TUZA_TRACEBACK    none, single, all, system, crash: what the end of a program prints
 *	TUZA_DEBUG        words with commas between: leakcheck, leakcheck=fatal, leakscan,
 *	                  leakscan=fatal, deadlock=0, deadlock=fatal, lockorder, gather=0, chaos,
 *	                  chaos=SEED
 */
#ifndef TUZA_SCHED_CONFIG_H
#define TUZA_SCHED_CONFIG_H

#include "base/compiler.h"

// What happens at the end of tuza_run when goroutines are left.
enum leakcheck {
	LEAKCHECK_OFF,
	LEAKCHECK_REPORT,
	LEAKCHECK_FATAL, // reports, and the process ends with status 2
};

struct config {
	uint32_t maxprocs;
	bool maxprocs_set; // by the environment: never adjusted
	uint32_t stack_class;
	uint32_t kept_stack_class; // which processors keep for reuse; 0 under ThreadSanitizer
	int cpu_count;
	enum leakcheck leakcheck;
	enum leakcheck leakscan;
	enum leakcheck deadlock; // what happens when goroutines wait for each other
	bool lockorder;          // see debug/lock_order.c
	bool gathers;            // see net/gather.c
	bool always_gathers;     // whether that is worth it or not
	bool chaos;              // see chaos.h
	uint64_t chaos_seed;     // 0: any
};
extern struct config config;

// Reads it all. Called once per start of the runtime.
void config_read(void);

// How many processors the affinity and the cgroup's quota allow now. Go: at least 2 unless there is
// but one CPU.
uint32_t config_automatic_maxprocs(void);

/*
 * May the process use `bytes` more of memory, by the cgroup's limit? True without a limit, and for
 * the first few MiB. Reads two small files, only where a limit exists, and a third where it is
 * near.
 */
bool config_memory_allows(size_t bytes);

#endif
