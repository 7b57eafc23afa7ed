// SPDX-License-Identifier: MIT
/*
 * What the control groups of this process, v1 or v2, let it have (cgroup.c).
 */
#ifndef TUZA_SCHED_CGROUP_H
#define TUZA_SCHED_CGROUP_H

#include "base/compiler.h"

// Where the groups are mounted, as everywhere; tests have a tree of their own.
#define CGROUP_ROOT "/sys/fs/cgroup"

enum { CGROUP_PATH = 512 };

// The group with the tightest memory limit.
struct cgroup_memory {
	char limit[CGROUP_PATH + 64]; // files; "": no limit
	char usage[CGROUP_PATH + 64];
	char stat[CGROUP_PATH + 64];
};

// The text of /proc/self/cgroup, which says which groups those are; "" without any.
void cgroup_read(char *groups, size_t size);

// How many CPUs the quota allows, rounded up; 0: there is no quota.
uint32_t cgroup_cpus(const char *root, const char *groups);

// Needs: one caller at a time
void cgroup_find_memory(struct cgroup_memory *m, const char *root, const char *groups);

// May `bytes` more be used? True without a limit, and when it cannot be known.
bool cgroup_memory_allows(const struct cgroup_memory *m, size_t bytes);

#endif
