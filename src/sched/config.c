// SPDX-License-Identifier: MIT
/*
 * Environment, CPUs, cgroup limits. Everything is read once, at the start of the runtime.
 *
 * A cgroup is found through /proc/self/cgroup and its mount point is taken to be /sys/fs/cgroup, as
 * everywhere. All ancestors count: a tighter limit above the leaf binds as well (Go reads the leaf
 * only: golang/go#81180).
 */
#include "sched/config.h"

#include "base/race_hooks.h"
#include "sched/runtime.h"
#include "sched/stack.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config config = {
	.stack_class = STACK_CLASS_DEFAULT, .kept_stack_class = STACK_CLASS_DEFAULT};

enum { GROUP_PATH = 512 };

static struct {
	char limit_path[GROUP_PATH + 64]; // "" : no memory limit
	char usage_path[GROUP_PATH + 64];
} memory;

// The first line of a small file; false when it cannot be read.
static bool read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, line, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = 0;
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

static void read_groups(char *text, size_t size)
{
	ssize_t n = -1;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
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

static uint32_t cpus_of(uint64_t quota, uint64_t period)
{
	if (quota == UINT64_MAX || period == UINT64_MAX || period == 0)
		return UINT32_MAX;
	uint64_t cpus = (quota + period - 1) / period;
	return cpus > UINT32_MAX ? UINT32_MAX : (uint32_t)cpus;
}

// CPUs that the quota of these cgroups and of those above them allows, rounded up; 0: no quota. v2
// or v1.
static uint32_t cgroup_cpus(const char *groups)
{
	char group[GROUP_PATH], file[GROUP_PATH + 64], line[128];
	uint32_t least = UINT32_MAX;
	if (group_of(groups, "", group, sizeof group)) {
		do {
			snprintf(file, sizeof file, "/sys/fs/cgroup%s/cpu.max", group);
			unsigned long long quota, period;
			if (read_line(file, line, sizeof line) &&
				sscanf(line, "%llu %llu", &quota, &period) == 2 &&
				cpus_of(quota, period) < least)
				least = cpus_of(quota, period);
		} while (to_parent(group));
	}
	if (group_of(groups, "cpu", group, sizeof group)) {
		do {
			snprintf(file, sizeof file, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", group);
			if (read_line(file, line, sizeof line) && line[0] != '-') {
				uint64_t quota = read_number(file);
				snprintf(file, sizeof file,
					"/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group);
				uint32_t cpus = cpus_of(quota, read_number(file));
				if (cpus < least)
					least = cpus;
			}
		} while (to_parent(group));
	}
	return least == UINT32_MAX ? 0 : least;
}

// Finds the tightest memory limit above this process.
static void find_memory_limit(const char *groups)
{
	static const struct {
		const char *controller, *root, *limit, *usage;
	} kinds[] = {
		{"", "/sys/fs/cgroup", "memory.max", "memory.current"},
		{"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
			"memory.usage_in_bytes"},
	};
	uint64_t least = (uint64_t)1 << 60; // v1 says "none" by a number near 2^63
	memory.limit_path[0] = 0;
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		char group[GROUP_PATH], file[GROUP_PATH + 64];
		if (!group_of(groups, kinds[k].controller, group, sizeof group))
			continue;
		do {
			snprintf(
				file, sizeof file, "%s%s/%s", kinds[k].root, group, kinds[k].limit);
			uint64_t limit = read_number(file);
			if (limit < least) {
				least = limit;
				memcpy(memory.limit_path, file, sizeof file);
				snprintf(memory.usage_path, sizeof memory.usage_path, "%s%s/%s",
					kinds[k].root, group, kinds[k].usage);
			}
		} while (to_parent(group));
	}
}

bool config_memory_allows(size_t bytes)
{
	if (memory.limit_path[0] == 0)
		return true;
	uint64_t limit = read_number(memory.limit_path);
	uint64_t used = read_number(memory.usage_path);
	if (limit == UINT64_MAX || used == UINT64_MAX)
		return true;
	// A twentieth stays free for what the kernel and the program need besides; usage counts
	// file cache, which gives way.
	return used + bytes <= limit - limit / 20;
}

static uint32_t automatic_maxprocs(int cpu_count, const char *groups)
{
	uint32_t cpus = (uint32_t)cpu_count;
	uint32_t quota = cgroup_cpus(groups);
	if (quota && quota < cpus)
		cpus = quota < 2 ? 2 : quota;
	return cpus > PROCESSORS_MAX ? PROCESSORS_MAX : cpus;
}

uint32_t config_automatic_maxprocs(void)
{
	char groups[4096];
	read_groups(groups, sizeof groups);
	return automatic_maxprocs(sys_cpu_count(), groups);
}

// ---- the environment ----------------------------------------------------------------------

static bool was_read; // so that the same is not said again; guarded by the start's lock

// A value that means nothing is no reason not to start, but somebody meant something by it.
static void ignore(const char *variable, const char *value, const char *wanted)
{
	char text[256];
	if (was_read)
		return;
	int n = snprintf(
		text, sizeof text, "tuza: ignored: %s=%.60s is not %s\n", variable, value, wanted);
	ssize_t written = write(STDERR_FILENO, text, (size_t)n);
	(void)written;
}

// Digits alone, of any base that C knows; false: it is something else, or too large.
static bool parse_number(const char *text, int base, uint64_t *number, const char **end)
{
	char *stop;
	if (*text < '0' || *text > '9') // a sign, a blank
		return false;
	errno = 0;
	*number = strtoull(text, &stop, base);
	*end = stop;
	return errno == 0;
}

// 0: it is not set, or means nothing.
static uint32_t read_maxprocs(void)
{
	const char *set = getenv("TUZA_MAXPROCS"), *end;
	uint64_t n;
	if (!set || !*set)
		return 0;
	if (!parse_number(set, 10, &n, &end) || *end || n == 0) {
		ignore("TUZA_MAXPROCS", set, "a number from 1 to 1024");
		return 0;
	}
	return n > PROCESSORS_MAX ? PROCESSORS_MAX : (uint32_t)n;
}

// Bytes with an optional k, m or g; 0 if it is no such thing.
static size_t parse_bytes(const char *text)
{
	const char *end;
	uint64_t n;
	if (!parse_number(text, 10, &n, &end))
		return 0;
	int shift = *end == 'k' || *end == 'K'   ? 10
		    : *end == 'm' || *end == 'M' ? 20
		    : *end == 'g' || *end == 'G' ? 30
						 : 0;
	if (end[shift != 0] || n > SIZE_MAX >> shift)
		return 0;
	return (size_t)n << shift;
}

static uint32_t read_stack_class(void)
{
	const char *set = getenv("TUZA_STACK_BYTES");
	if (!set || !*set)
		return STACK_CLASS_DEFAULT;
	size_t bytes = parse_bytes(set);
	uint32_t class = bytes ? stack_class_of(bytes) : 0;
	if (!class)
		ignore("TUZA_STACK_BYTES", set, "a size up to 1g, such as 256k");
	return class ? class : STACK_CLASS_DEFAULT;
}

/*
 * What the words of TUZA_DEBUG ("a=1,b,c=2") say of `key`: the value of the last one, "" where it
 * has none, cut to fit. False: it is not among them.
 */
static bool debug_value(const char *words, const char *key, char *value, size_t size)
{
	size_t key_length = strlen(key);
	bool found = false;
	for (const char *word = words; word && *word; word += *word == ',') {
		size_t length = strcspn(word, ",");
		size_t name = strcspn(word, "=,");
		if (name == key_length && strncmp(word, key, name) == 0) {
			found = true;
			name += word[name] == '=';
			snprintf(value, size, "%.*s", (int)(length - name), word + name);
		}
		word += length;
	}
	return found;
}

static void ignore_word(const char *key, const char *value, const char *wanted)
{
	char variable[32];
	snprintf(variable, sizeof variable, "TUZA_DEBUG=%s", key);
	ignore(variable, value, wanted);
}

// `fallback`: what holds when the word is not there.
static enum leakcheck read_check(const char *key, enum leakcheck fallback)
{
	char value[32];
	if (!debug_value(getenv("TUZA_DEBUG"), key, value, sizeof value))
		return fallback;
	if (!*value || strcmp(value, "1") == 0)
		return LEAKCHECK_REPORT;
	if (strcmp(value, "0") == 0)
		return LEAKCHECK_OFF;
	if (strcmp(value, "fatal") == 0)
		return LEAKCHECK_FATAL;
	ignore_word(key, value, "0, 1 or fatal");
	return fallback;
}

// The same of a word that is on or off.
static bool read_switch(const char *key, bool fallback)
{
	char value[32];
	if (!debug_value(getenv("TUZA_DEBUG"), key, value, sizeof value))
		return fallback;
	if (!*value || strcmp(value, "1") == 0)
		return true;
	if (strcmp(value, "0") != 0)
		ignore_word(key, value, "0 or 1");
	return strcmp(value, "0") == 0 ? false : fallback;
}

static void read_chaos(void)
{
	char value[32];
	const char *end = value;
	config.chaos_seed = 0;
	config.chaos = debug_value(getenv("TUZA_DEBUG"), "chaos", value, sizeof value);
	if (!config.chaos || !*value)
		return; // off, or any seed
	if (!parse_number(value, 0, &config.chaos_seed, &end) || *end) {
		config.chaos_seed = 0;
		ignore_word("chaos", value, "a number");
	}
	config.chaos = config.chaos_seed != 0; // 0: off, as of all words
}

void config_read(void)
{
	char groups[4096];
	read_groups(groups, sizeof groups);
	config.cpu_count = sys_cpu_count();
	uint32_t asked = read_maxprocs();
	config.maxprocs_set = asked > 0;
	config.maxprocs = asked > 0 ? asked : automatic_maxprocs(config.cpu_count, groups);
	config.stack_class = read_stack_class();
	config.kept_stack_class = race_is_on() ? 0 : config.stack_class; // sanitizer_stack_rests
	config.leakcheck = read_check("leakcheck", LEAKCHECK_OFF);
	config.leakscan = read_check("leakscan", LEAKCHECK_OFF);
	config.deadlock = read_check("deadlock", LEAKCHECK_REPORT);
	config.lockorder = read_switch("lockorder", false);
	config.gathers = read_switch("gather", true);
	read_chaos();
	find_memory_limit(groups);
	was_read = true;
}
