// SPDX-License-Identifier: MIT
/*
 * Statistics in Prometheus' text format, version 0.0.4.
 *
 * Names are made as Go's collector makes them: "/sched/goroutines/waiting:goroutines" is
 * sched_goroutines_waiting_goroutines, and what only grows ends in _total.
 */
#include "debug/writer.h"
#include "sched/current.h"

#include <errno.h>
#include <time.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>

static const struct metric {
	const char *name, *help;
	bool only_grows;
	size_t offset; // in tuza_statistics
} metrics[] = {
#define METRIC(field) offsetof(tuza_statistics, field)
	{"tuza_sched_goroutines_goroutines", "Goroutines that live.", false, METRIC(goroutines)},
	{"tuza_sched_goroutines_runnable_goroutines", "Goroutines that wait for a processor.",
		false, METRIC(runnable)},
	{"tuza_sched_goroutines_running_goroutines", "Goroutines that run.", false,
		METRIC(running)},
	{"tuza_sched_goroutines_waiting_goroutines", "Goroutines that are parked.", false,
		METRIC(waiting)},
	{"tuza_sched_goroutines_not_in_go_goroutines", "Goroutines in blocking sections.", false,
		METRIC(blocked)},
	{"tuza_sched_goroutines_created_goroutines_total", "Goroutines created.", true,
		METRIC(created)},
	{"tuza_sched_threads_total_threads", "Threads of the scheduler.", false, METRIC(threads)},
	{"tuza_sched_gomaxprocs_threads", "Processors wanted.", false, METRIC(gomaxprocs)},
	{"tuza_sched_processors_processors", "Processors in service.", false, METRIC(processors)},
	{"tuza_sched_processors_idle_processors", "Processors without work.", false,
		METRIC(processors_idle)},
	{"tuza_sched_switches_switches_total", "Times that a processor ran a goroutine.", true,
		METRIC(switches)},
	{"tuza_sched_stolen_goroutines_total", "Goroutines taken from another processor's queue.",
		true, METRIC(stolen)},
	{"tuza_sched_timers_timers", "Timers that have not fired.", false, METRIC(timers)},
	{"tuza_memory_classes_stacks_reserved_bytes", "Addresses of goroutines' stacks.", false,
		METRIC(stacks_reserved)},
	{"tuza_memory_classes_stacks_used_bytes",
		"Depth of the stacks of goroutines that do not "
		"run.",
		false, METRIC(stacks_used)},
#undef METRIC
};

static void write_head(struct writer *w, const char *name, const char *help, bool only_grows)
{
	writer_text(w, "# HELP ");
	writer_text(w, name);
	writer_text(w, " ");
	writer_text(w, help);
	writer_text(w, "\n# TYPE ");
	writer_text(w, name);
	writer_text(w, only_grows ? " counter\n" : " gauge\n");
	writer_text(w, name);
	writer_text(w, " ");
}

static void write_cpu_time(struct writer *w)
{
	struct timespec used = {0, 0};
	char fraction[] = ".000000\n";
	long microseconds;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	microseconds = used.tv_nsec / 1000;
	for (int i = 6; i > 0; i--, microseconds /= 10)
		fraction[i] = (char)('0' + microseconds % 10);
	write_head(w, "process_cpu_seconds_total", "CPU time of the process, in seconds.", true);
	writer_number(w, (uint64_t)used.tv_sec);
	writer_text(w, fraction);
}

static int write_metrics(int fd)
{
	char buffer[1024];
	struct writer w;
	tuza_statistics s;

	tuza_stats(&s);
	writer_to_fd(&w, fd, buffer, sizeof(buffer));
	for (size_t i = 0; i < COUNT_OF(metrics); i++) {
		const struct metric *m = &metrics[i];

		write_head(&w, m->name, m->help, m->only_grows);
		writer_number(&w, *(const uint64_t *)(const void *)((const char *)&s + m->offset));
		writer_text(&w, "\n");
	}
	write_cpu_time(&w);
	writer_flush(&w);
	return w.is_cut ? -EIO : 0;
}

EXPORT int tuza_metrics_write(int fd)
{
	struct goroutine *me = goroutine_current_or_null();
	bool is_goroutine = me && !(me->flags & GOROUTINE_THREAD);
	int result;

	if (fd < 0)
		return -EBADF;
	if (is_goroutine)
		tuza_blocking_begin();
	result = write_metrics(fd);
	if (is_goroutine)
		tuza_blocking_end();
	return result;
}
