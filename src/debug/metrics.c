// SPDX-License-Identifier: MIT
/*
 * Statistics in Prometheus' text format, version 0.0.4.
 *
 * Names are made as Go's collector makes them: "/sched/goroutines/waiting:goroutines" is
 * sched_goroutines_waiting_goroutines, and what only grows ends in _total. Ours begin with "tuza_";
 * for dashboards that were made for Go programs the same stands under the names that these have,
 * those of client_golang's older collector among them.
 */
#include "debug/writer.h"
#include "sched/blocking.h"
#include "sched/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>
#include <tuza/tuza.h>
#include <unistd.h>

struct metric {
	const char *name, *help;
	size_t offset; // in tuza_statistics
	bool only_grows;
	bool is_ns; // shown in seconds
};

#define METRIC(field) offsetof(tuza_statistics, field)
static const struct metric metrics[] = {
	{"tuza_sched_goroutines_goroutines", "Goroutines that live.", METRIC(goroutines), 0, 0},
	{"tuza_sched_goroutines_runnable_goroutines", "Goroutines that wait for a processor.",
		METRIC(runnable), 0, 0},
	{"tuza_sched_goroutines_running_goroutines", "Goroutines that run.", METRIC(running), 0, 0},
	{"tuza_sched_goroutines_waiting_goroutines", "Goroutines that are parked.", METRIC(waiting),
		0, 0},
	{"tuza_sched_goroutines_not_in_go_goroutines", "Goroutines in blocking sections.",
		METRIC(blocked), 0, 0},
	{"tuza_sched_goroutines_created_goroutines_total", "Goroutines created.", METRIC(created),
		1, 0},
	{"tuza_sched_threads_total_threads", "Threads of the scheduler.", METRIC(threads), 0, 0},
	{"tuza_sched_gomaxprocs_threads", "Processors wanted.", METRIC(gomaxprocs), 0, 0},
	{"tuza_sched_processors_processors", "Processors in service.", METRIC(processors), 0, 0},
	{"tuza_sched_processors_idle_processors", "Processors without work.",
		METRIC(processors_idle), 0, 0},
	{"tuza_sched_switches_switches_total", "Times that a processor ran a goroutine.",
		METRIC(switches), 1, 0},
	{"tuza_sched_parks_parks_total", "Times that a goroutine stopped to wait.", METRIC(parks),
		1, 0},
	{"tuza_sched_stolen_goroutines_total", "Goroutines taken from another processor's queue.",
		METRIC(stolen), 1, 0},
	{"tuza_sched_woken_by_descriptors_goroutines_total",
		"Goroutines that events from outside made runnable.", METRIC(woken_by_descriptors),
		1, 0},
	{"tuza_sched_woken_by_timers_goroutines_total", "Goroutines that timers made runnable.",
		METRIC(woken_by_timers), 1, 0},
	{"tuza_sched_timers_timers", "Timers that have not fired.", METRIC(timers), 0, 0},
	{"tuza_memory_classes_stacks_reserved_bytes", "Addresses of goroutines' stacks.",
		METRIC(stacks_reserved), 0, 0},
	{"tuza_memory_classes_stacks_used_bytes",
		"Depth of the stacks of goroutines that do not run.", METRIC(stacks_used), 0, 0},
	{"tuza_sync_mutex_wait_total_seconds_total",
		"Time that goroutines waited for locks, once that is measured.",
		METRIC(mutex_wait_ns), 1, 1},
};

static const struct metric go_metrics[] = {
	{"go_goroutines", "Number of goroutines that currently exist.", METRIC(goroutines), 0, 0},
	{"go_threads", "Number of OS threads created.", METRIC(threads), 0, 0},
	{"go_memstats_stack_inuse_bytes", "Depth of the stacks of goroutines that do not run.",
		METRIC(stacks_used), 0, 0},
	{"go_memstats_stack_sys_bytes", "Addresses of goroutines' stacks.", METRIC(stacks_reserved),
		0, 0},
	{"go_sched_gomaxprocs_threads", "Processors wanted.", METRIC(gomaxprocs), 0, 0},
	{"go_sched_goroutines_goroutines", "Goroutines that live.", METRIC(goroutines), 0, 0},
	{"go_sched_goroutines_runnable_goroutines", "Goroutines that wait for a processor.",
		METRIC(runnable), 0, 0},
	{"go_sched_goroutines_running_goroutines", "Goroutines that run.", METRIC(running), 0, 0},
	{"go_sched_goroutines_waiting_goroutines", "Goroutines that are parked.", METRIC(waiting),
		0, 0},
	{"go_sched_goroutines_not_in_go_goroutines", "Goroutines in blocking sections.",
		METRIC(blocked), 0, 0},
	{"go_sched_goroutines_created_goroutines_total", "Goroutines created.", METRIC(created), 1,
		0},
	{"go_sched_threads_total_threads", "Threads of the scheduler.", METRIC(threads), 0, 0},
	{"go_sync_mutex_wait_total_seconds_total", "Time that goroutines waited for locks.",
		METRIC(mutex_wait_ns), 1, 1},
};
#undef METRIC

// ---- lines -----------------------------------------------------------------------------------

static void write_help(struct writer *w, const char *name, const char *help, const char *type)
{
	writer_text(w, "# HELP ");
	writer_text(w, name);
	writer_text(w, " ");
	writer_text(w, help);
	writer_text(w, "\n# TYPE ");
	writer_text(w, name);
	writer_text(w, " ");
	writer_text(w, type);
	writer_text(w, "\n");
}

static void write_head(struct writer *w, const char *name, const char *help, bool only_grows)
{
	write_help(w, name, help, only_grows ? "counter" : "gauge");
	writer_text(w, name);
	writer_text(w, " ");
}

// Seconds with nine digits behind the point.
static void write_seconds(struct writer *w, uint64_t ns)
{
	char fraction[] = ".000000000";
	uint64_t rest = ns % 1000000000;

	for (int i = 9; i > 0; i--, rest /= 10)
		fraction[i] = (char)('0' + rest % 10);
	writer_number(w, ns / 1000000000);
	writer_text(w, fraction);
}

static void write_gauge(struct writer *w, const char *name, const char *help, uint64_t value)
{
	write_head(w, name, help, false);
	writer_number(w, value);
	writer_text(w, "\n");
}

static void write_table(
	struct writer *w, const struct metric *table, size_t count, const tuza_statistics *s)
{
	for (size_t i = 0; i < count; i++) {
		const struct metric *m = &table[i];
		uint64_t value = *(const uint64_t *)(const void *)((const char *)s + m->offset);

		write_head(w, m->name, m->help, m->only_grows);
		if (m->is_ns)
			write_seconds(w, value);
		else
			writer_number(w, value);
		writer_text(w, "\n");
	}
}

// ---- latencies ---------------------------------------------------------------------------------

static void write_bucket(struct writer *w, const char *name, int64_t to_ns, uint64_t n)
{
	writer_text(w, name);
	writer_text(w, "_bucket{le=\"");
	if (to_ns < 0)
		writer_text(w, "+Inf");
	else
		write_seconds(w, (uint64_t)to_ns);
	writer_text(w, "\"} ");
	writer_number(w, n);
	writer_text(w, "\n");
}

// A bucket for each power of two from half a microsecond to eight seconds. Nothing unless it is
// measured.
static void write_latencies(struct writer *w, const char *name)
{
	uint64_t counts[LATENCY_BUCKETS] = {0}, total_ns = 0, n = 0;
	int64_t to = 512;

	if (!events_are_for(EVENTS_FOR_LATENCY))
		return;
	latency_add_up(counts, &total_ns);
	write_help(w, name, "Time that goroutines which could run waited for a processor.",
		"histogram");
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
		if (to <= INT64_C(1) << 33 && latency_bucket_from(i) == to) {
			write_bucket(w, name, to, n);
			to *= 2;
		}
		n += counts[i];
	}
	write_bucket(w, name, -1, n);
	writer_text(w, name);
	writer_text(w, "_sum ");
	write_seconds(w, total_ns);
	writer_text(w, "\n");
	writer_text(w, name);
	writer_text(w, "_count ");
	writer_number(w, n);
	writer_text(w, "\n");
}

// ---- the process -------------------------------------------------------------------------------

static void write_cpu_time(struct writer *w)
{
	struct timespec used = {0, 0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	write_head(w, "process_cpu_seconds_total", "CPU time of the process, in seconds.", true);
	write_seconds(w, (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec);
	writer_text(w, "\n");
}

static uint64_t count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n > 3 ? n - 3 : 0; // "." and "..", and the directory's own
}

static void write_process(struct writer *w)
{
	unsigned long virtual_pages = 0, resident_pages = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct rlimit limit = {0, 0};
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%lu %lu", &virtual_pages, &resident_pages) != 2)
			virtual_pages = resident_pages = 0;
		fclose(f);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	write_gauge(w, "process_virtual_memory_bytes", "Virtual memory size in bytes.",
		virtual_pages * page);
	write_gauge(w, "process_resident_memory_bytes", "Resident memory size in bytes.",
		resident_pages * page);
	write_gauge(w, "process_open_fds", "Number of open file descriptors.", count_descriptors());
	write_gauge(
		w, "process_max_fds", "Maximum number of open file descriptors.", limit.rlim_cur);
}

// ---- writing -----------------------------------------------------------------------------------

enum names { NAMES_OURS = 1, NAMES_GO = 2 };

static void write_go(struct writer *w, const tuza_statistics *s)
{
	write_help(w, "go_info", "Information about the environment.", "gauge");
	writer_text(w, "go_info{version=\"tuza ");
	writer_number(w, TUZA_VERSION_MAJOR);
	writer_text(w, ".");
	writer_number(w, TUZA_VERSION_MINOR);
	writer_text(w, ".");
	writer_number(w, TUZA_VERSION_PATCH);
	writer_text(w, "\"} 1\n");
	write_table(w, go_metrics, COUNT_OF(go_metrics), s);
	write_latencies(w, "go_sched_latencies_seconds");
	write_process(w);
}

static int write_metrics(int fd, unsigned names)
{
	char buffer[1024];
	struct writer w;
	tuza_statistics s;

	tuza_stats(&s);
	writer_to_fd(&w, fd, buffer, sizeof(buffer));
	if (names & NAMES_OURS) {
		write_table(&w, metrics, COUNT_OF(metrics), &s);
		write_latencies(&w, "tuza_sched_latencies_seconds");
	}
	if (names & NAMES_GO)
		write_go(&w, &s);
	write_cpu_time(&w);
	writer_flush(&w);
	return w.is_cut ? -EIO : 0;
}

static int write_in_section(int fd, unsigned names)
{
	int result, saved_errno = errno;

	if (fd < 0)
		return -EBADF;
	bool is_section = blocking_section_begin();
	result = write_metrics(fd, names);
	errno = saved_errno;
	blocking_section_end(is_section);
	return result;
}

EXPORT int tuza_metrics_write(int fd)
{
	const char *wanted = getenv("TUZA_METRICS");
	bool with_go = wanted && strcmp(wanted, "go") == 0;

	return write_in_section(fd, NAMES_OURS | (with_go ? NAMES_GO : 0u));
}

EXPORT int tuza_metrics_write_go(int fd) { return write_in_section(fd, NAMES_GO); }
