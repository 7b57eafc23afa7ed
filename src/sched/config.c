// SPDX-License-Identifier: MIT
// Environment, CPUs, cgroup limits. Everything is read once: at the start of the runtime, but for
// the memory limit, which costs several files and of which a small program needs to know nothing.
#include "sched/config.h"

#include "base/race_hooks.h"
#include "sched/cgroup.h"
#include "sched/runtime.h"
#include "sched/stack.h"
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct config config = {
	.stack_class = STACK_CLASS_DEFAULT, .kept_stack_class = STACK_CLASS_DEFAULT};

// What is used without asking: some chunks of goroutines and the first stacks.
enum { UNASKED_BYTES = 4 << 20 };

static struct cgroup_memory memory APART; // constant once it is FOUND
static uint32_t memory_is;                // atomic
enum { NOT_LOOKED_FOR, LOOKED_FOR, FOUND };
static size_t unasked; // atomic

static bool limit_allows(size_t bytes)
{
	// Not on the stack: whoever starts a goroutine may have little.
	static char groups[4096] APART;
	uint32_t not_yet = NOT_LOOKED_FOR;

	// (memory-limit) pairs with the store below
	if (load_acquire(&memory_is) == FOUND)
		return cgroup_memory_allows(&memory, bytes);
	// Relaxed: a budget, of which a few may use a little more. Nobody waits for who looks.
	if (add_relaxed(&unasked, bytes) + bytes <= UNASKED_BYTES ||
		!cas_acq_rel(&memory_is, &not_yet, LOOKED_FOR)) // (memory-limit) one at a time
		return true;
	errno = 0;
	cgroup_read(groups, sizeof groups);
	cgroup_find_memory(&memory, CGROUP_ROOT, groups);
	if (errno == EMFILE || errno == ENFILE) {          // there may be descriptors later
		store_release(&memory_is, NOT_LOOKED_FOR); // (memory-limit)
		return true;
	}
	store_release(&memory_is, FOUND); // (memory-limit)
	return cgroup_memory_allows(&memory, bytes);
}

bool config_memory_allows(size_t bytes)
{
	int saved_errno = errno; // the caller's goroutine's; not every group has every file
	bool allows = limit_allows(bytes);
	errno = saved_errno;
	return allows;
}

static uint32_t automatic_maxprocs(int cpu_count)
{
	char groups[4096];
	uint32_t cpus = (uint32_t)cpu_count;
	cgroup_read(groups, sizeof groups);
	uint32_t quota = cgroup_cpus(CGROUP_ROOT, groups);
	if (quota && quota < cpus)
		cpus = quota < 2 ? 2 : quota;
	return cpus > PROCESSORS_MAX ? PROCESSORS_MAX : cpus;
}

uint32_t config_automatic_maxprocs(void) { return automatic_maxprocs(sys_cpu_count()); }

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
		ignore("TUZA_STACK_BYTES", set, "a size from 16k to 1g");
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
	config.cpu_count = sys_cpu_count();
	uint32_t asked = read_maxprocs();
	config.maxprocs_set = asked > 0;
	config.maxprocs = asked > 0 ? asked : automatic_maxprocs(config.cpu_count);
	config.stack_class = read_stack_class();
	config.kept_stack_class = race_is_on() ? 0 : config.stack_class; // sanitizer_stack_rests
	config.leakcheck = read_check("leakcheck", LEAKCHECK_OFF);
	config.leakscan = read_check("leakscan", LEAKCHECK_OFF);
	config.deadlock = read_check("deadlock", LEAKCHECK_REPORT);
	config.lockorder = read_switch("lockorder", false);
	config.gathers = read_switch("gather", true);
	config.always_gathers = config.gathers && read_switch("gather", false);
	read_chaos();
	// Relaxed: nobody runs. The process may have been moved to another group since.
	if (load_relaxed(&memory_is) == FOUND)
		store_relaxed(&memory_is, NOT_LOOKED_FOR);
	store_relaxed(&unasked, 0);
	was_read = true;
}
