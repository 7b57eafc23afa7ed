// SPDX-License-Identifier: MIT
/*
 * Limits of control groups. All ancestors count: a tighter limit above the leaf binds as well (Go
 * reads the leaf only: golang/go#81180).
 *
 * A group's usage counts the files that its processes have read and written, as long as the kernel
 * keeps them in memory, which it does until somebody needs the memory: the usage of a group that
 * works with files is at its limit, always. What the kernel would give up is free.
 */
#include "sched/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_some(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n;
}

// The first line of a small file; false when it cannot be read.
static bool read_line(const char *path, char *line, size_t size)
{
	if (read_some(path, line, size) <= 0)
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

// A number from a file; UINT64_MAX for "max", for no file and for no number.
static uint64_t read_number(const char *path)
{
	char line[64];
	char *end;
	if (!read_line(path, line, sizeof line))
		return UINT64_MAX;
	uint64_t n = strtoull(line, &end, 10);
	return end == line ? UINT64_MAX : n;
}

void cgroup_read(char *groups, size_t size)
{
	if (read_some("/proc/self/cgroup", groups, size) <= 0)
		groups[0] = 0;
}

/*
 * The group's path for a v1 controller, or of the v2 hierarchy (controller ""), in `groups`, the
 * text of /proc/self/cgroup. False: none.
 */
static bool group_of(const char *groups, const char *controller, char *path, size_t size)
{
	// Each line is hierarchy:controllers:path; v2's controllers are empty.
	for (const char *line = groups; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *controllers = strchr(line, ':');
		const char *group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group)
			return false;
		controllers++;
		bool match = *controller == 0 && controllers == group;
		for (const char *c = controllers; *controller && c < group;
			c += strcspn(c, ",:") + 1)
			match |= strcspn(c, ",:") == strlen(controller) &&
				 strncmp(c, controller, strlen(controller)) == 0;
		size_t length = strcspn(++group, "\n");
		if (match && length < size) {
			memcpy(path, group, length);
			path[length] = 0;
			return true;
		}
	}
	return false;
}

// Cuts the last part of a path; false when there is none left.
static bool to_parent(char *path)
{
	char *slash = strrchr(path, '/');
	if (!slash || path[1] == 0)
		return false;
	slash[slash == path] = 0;
	return true;
}

// ---- CPUs ---------------------------------------------------------------------------------

static uint32_t cpus_of(uint64_t quota, uint64_t period)
{
	if (quota == UINT64_MAX || period == UINT64_MAX || period == 0)
		return UINT32_MAX;
	uint64_t cpus = (quota + period - 1) / period;
	return cpus > UINT32_MAX ? UINT32_MAX : (uint32_t)cpus;
}

uint32_t cgroup_cpus(const char *root, const char *groups)
{
	char group[CGROUP_PATH], file[CGROUP_PATH + 64], line[128];
	uint32_t least = UINT32_MAX;
	if (group_of(groups, "", group, sizeof group)) {
		do {
			snprintf(file, sizeof file, "%s%s/cpu.max", root, group);
			unsigned long long quota, period;
			if (read_line(file, line, sizeof line) &&
				sscanf(line, "%llu %llu", &quota, &period) == 2 &&
				cpus_of(quota, period) < least)
				least = cpus_of(quota, period);
		} while (to_parent(group));
	}
	if (group_of(groups, "cpu", group, sizeof group)) {
		do {
			snprintf(file, sizeof file, "%s/cpu%s/cpu.cfs_quota_us", root, group);
			if (read_line(file, line, sizeof line) && line[0] != '-') {
				uint64_t quota = read_number(file);
				snprintf(file, sizeof file, "%s/cpu%s/cpu.cfs_period_us", root,
					group);
				uint32_t cpus = cpus_of(quota, read_number(file));
				if (cpus < least)
					least = cpus;
			}
		} while (to_parent(group));
	}
	return least == UINT32_MAX ? 0 : least;
}

// ---- memory -------------------------------------------------------------------------------

void cgroup_find_memory(struct cgroup_memory *m, const char *root, const char *groups)
{
	static const struct {
		const char *controller, *below, *limit, *usage;
	} kinds[] = {
		{"", "", "memory.max", "memory.current"},
		{"memory", "/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"},
	};
	// Not on the stack, of which the caller may have little.
	static char group[CGROUP_PATH], file[CGROUP_PATH + 64];
	uint64_t least = (uint64_t)1 << 60; // v1 says "none" by a number near 2^63
	m->limit[0] = 0;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		if (!group_of(groups, kinds[k].controller, group, sizeof group))
			continue;
		do {
			const char *below = kinds[k].below;
			snprintf(
				file, sizeof file, "%s%s%s/%s", root, below, group, kinds[k].limit);
			uint64_t limit = read_number(file);
			if (limit < least) {
				least = limit;
				memcpy(m->limit, file, sizeof file);
				snprintf(m->usage, sizeof m->usage, "%s%s%s/%s", root, below, group,
					kinds[k].usage);
				snprintf(m->stat, sizeof m->stat, "%s%s%s/memory.stat", root, below,
					group);
			}
		} while (to_parent(group));
	}
}

// What a line of memory.stat adds to what the kernel would give up. v1's own numbers are without
// those of the groups below; there the totals count.
static uint64_t reclaimable(const char *line)
{
	static const char *const keys[] = {"inactive_file ", "active_file ", "slab_reclaimable "};
	const char *name = strncmp(line, "total_", 6) == 0 ? line + 6 : line;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		size_t length = strlen(keys[i]);
		if (strncmp(name, keys[i], length) == 0)
			return strtoull(name + length, NULL, 10);
	}
	return 0;
}

// In pieces: whoever starts a goroutine may have little stack.
static uint64_t read_reclaimable(const char *path)
{
	char text[512];
	size_t have = 0;
	ssize_t n;
	uint64_t own = 0, total = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while ((n = read(fd, text + have, sizeof text - 1 - have)) > 0) {
		char *line = text, *end;
		have += (size_t)n;
		text[have] = 0;
		while ((end = strchr(line, '\n'))) {
			*(strncmp(line, "total_", 6) == 0 ? &total : &own) += reclaimable(line);
			line = end + 1;
		}
		have -= (size_t)(line - text);
		memmove(text, line, have);
	}
	close(fd);
	return total > own ? total : own;
}

bool cgroup_memory_allows(const struct cgroup_memory *m, size_t bytes)
{
	if (m->limit[0] == 0)
		return true;
	uint64_t limit = read_number(m->limit);
	uint64_t used = read_number(m->usage);
	if (limit == UINT64_MAX || used == UINT64_MAX)
		return true;
	// A twentieth stays free for what the kernel and the program need besides.
	uint64_t most = limit - limit / 20;
	if (used + bytes <= most)
		return true;
	uint64_t free = read_reclaimable(m->stat);
	return (used > free ? used - free : 0) + bytes <= most;
}
