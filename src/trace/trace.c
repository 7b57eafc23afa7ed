// SPDX-License-Identifier: MIT
/*
 * Traces, the flight recorder, and what the environment asks for: who notes, and what becomes of
 * it.
 *
 * All three share the record (record.h): each says how much is to be kept, and writes of it what
 * is its own. Starting, ending and writing happen one at a time (`busy`).
 *
 * A file is written in a blocking section, on a stack of its own and under the lock of reports,
 * since symbols are looked up. When the process ends by a panic or a signal (trace_at_death) that
 * lock is the dying thread's already, others may hold whatever they like, and this is a signal
 * handler, perhaps: memory comes from the system alone, and no lock is waited for for long.
 */
#define _GNU_SOURCE // secure_getenv
#include <tuza/trace.h>

#include "base/race_hooks.h"
#include "debug/dump.h"
#include "debug/own_stack.h"
#include "sched/blocking.h"
#include "sched/timer.h"
#include "sched/upcalls.h"
#include "sched/visit.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/sys.h"
#include "trace/output.h"
#include "trace/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>

static const size_t TRACE_BYTES = 64 << 20;
static const size_t RECORDER_BYTES = 10 << 20;

// All but the word guarded by it.
static uint32_t busy; // atomic: 1 while somebody starts, ends or writes
static struct {
	int fd;
	tuza_trace_format format;
	int64_t since;
} trace;
struct recorder {
	tuza_flight_recorder_options options;
	char path[PATH_MAX]; // "": none
};
static struct recorder recorder APART;
static struct recorder by_environment APART;

static void be_busy(void)
{
	uint32_t nobody = 0;

	// (trace-busy) pairs with be_idle
	while (!cas_acquire(&busy, &nobody, 1)) {
		refuse_after_fork();
		nobody = 0;
		sys_sleep(TUZA_MILLISECOND);
	}
	race_acquire(&busy); // for what is copied to memory that somebody before had
}

static void be_idle(void)
{
	race_release(&busy);
	store_release(&busy, 0); // (trace-busy) pairs with be_busy
}

// ---- writing -----------------------------------------------------------------------------------

struct writing {
	int fd;
	tuza_trace_format format;
	int64_t since;
	enum trace_user ends; // who wants no more; 0: nobody
	bool is_fatal;
	int result;
};

static void write_on_own_stack(const struct arch_saved *caller, void *arg)
{
	struct writing *w = arg;
	struct history h;

	(void)caller;
	w->result = history_take(&h, w->since, w->ends, w->is_fatal);
	if (w->result)
		return;
	if (w->format == TUZA_TRACE_PERFETTO)
		w->result = perfetto_write(&h, w->fd);
	else if (w->format == TUZA_TRACE_GO_V1)
		w->result = go_old_format_write(&h, w->fd);
	else
		w->result = go_format_write(&h, w->fd);
	history_free(&h);
}

// Needs: to be busy, and a plain thread or a blocking section.
static int write_it(struct writing w)
{
	report_lock(0);
	own_stack_call(write_on_own_stack, &w);
	report_unlock();
	return w.result;
}

struct section {
	int saved_errno;
	bool is_one;
};

// A blocking section around all that may wait.
static struct section section_begin(void)
{
	struct section s = {.saved_errno = errno};

	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	s.is_one = blocking_section_begin();
	be_busy();
	return s;
}

static void section_end(struct section s)
{
	be_idle();
	errno = s.saved_errno;
	blocking_section_end(s.is_one);
}

// Texts live as long as anybody notes. Needs: to be busy
static void end_user(enum trace_user user)
{
	record_end(user);
	if (!record_is_on(TRACE_FOR_ALL))
		texts_forget();
}

// ---- traces ------------------------------------------------------------------------------------

EXPORT int tuza_trace_start_with(int fd, const tuza_trace_options *options)
{
	static const tuza_trace_options none;

	if (fd < 0)
		return -EBADF;
	if (!options)
		options = &none;
	struct section s = section_begin();
	int error =
		record_begin(TRACE_FOR_FILE, options->max_bytes ? options->max_bytes : TRACE_BYTES);
	if (!error) {
		trace.fd = fd;
		trace.format = options->format;
		trace.since = sys_clock_now();
	}
	section_end(s);
	return error;
}

EXPORT int tuza_trace_start(int fd) { return tuza_trace_start_with(fd, NULL); }

EXPORT int tuza_trace_stop(void)
{
	struct section s = section_begin();
	int result = 0;

	if (record_is_on(TRACE_FOR_FILE)) {
		result = write_it((struct writing){
			.fd = trace.fd,
			.format = trace.format,
			.since = trace.since,
			.ends = TRACE_FOR_FILE,
		});
		end_user(TRACE_FOR_FILE);
	}
	section_end(s);
	return result;
}

EXPORT bool tuza_trace_is_on(void) { return events_are_for(EVENTS_FOR_TRACE); }

// ---- flight recorder ---------------------------------------------------------------------------

static int64_t recorder_since(const struct recorder *r)
{
	return r->options.age > 0 ? sys_clock_now() - r->options.age : 0;
}

static int start_recorder(
	struct recorder *r, enum trace_user user, const tuza_flight_recorder_options *options)
{
	size_t n = options->path ? strlen(options->path) : 0;

	if (n >= sizeof(r->path))
		return -ENAMETOOLONG;
	int error = record_begin(user, options->max_bytes ? options->max_bytes : RECORDER_BYTES);
	if (error)
		return error;
	r->options = *options;
	r->options.path = NULL;
	if (n > 0)
		memcpy(r->path, options->path, n);
	r->path[n] = 0;
	return 0;
}

EXPORT int tuza_flight_recorder_start(const tuza_flight_recorder_options *options)
{
	static const tuza_flight_recorder_options none;
	struct section s = section_begin();
	int error = start_recorder(&recorder, TRACE_FOR_RECORDER, options ? options : &none);

	section_end(s);
	return error;
}

EXPORT void tuza_flight_recorder_stop(void)
{
	struct section s = section_begin();

	if (record_is_on(TRACE_FOR_RECORDER))
		end_user(TRACE_FOR_RECORDER);
	section_end(s);
}

EXPORT bool tuza_flight_recorder_is_on(void) { return record_is_on(TRACE_FOR_RECORDER); }

EXPORT int tuza_flight_recorder_write(int fd)
{
	if (fd < 0)
		return -EBADF;
	struct section s = section_begin();
	int result = -ENOENT;
	if (record_is_on(TRACE_FOR_RECORDER))
		result = write_it((struct writing){
			.fd = fd,
			.format = recorder.options.format,
			.since = recorder_since(&recorder),
		});
	section_end(s);
	return result;
}

// ---- files by name -----------------------------------------------------------------------------

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static tuza_trace_format format_of(const char *path)
{
	if (ends_with(path, ".pftrace") || ends_with(path, ".perfetto"))
		return TUZA_TRACE_PERFETTO;
	return ends_with(path, ".v1") ? TUZA_TRACE_GO_V1 : TUZA_TRACE_GO;
}

static int failure_told; // so that each end of a run does not say the same; any thread, atomic

static void say_written(const char *path, int error)
{
	struct writer w;
	char buffer[256];

	// Relaxed: what is told twice does no harm.
	if (error && load_relaxed(&failure_told) == error)
		return;
	store_relaxed(&failure_told, error);
	writer_to_fd(&w, 2, buffer, sizeof(buffer));
	writer_text(&w, error ? "tuza: no trace could be written to " : "tuza: trace written to ");
	writer_text(&w, path);
	if (error) {
		writer_text(&w, ": ");
		writer_text(&w, tuza_strerror(error));
	}
	writer_text(&w, "\n");
	writer_flush(&w);
}

static void write_file(const struct recorder *r, struct writing w, bool on_own_stack)
{
	w.fd = sys_open(r->path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	w.format = r->options.format;
	w.since = recorder_since(r);
	w.result = w.fd < 0 ? w.fd : 0;
	if (w.fd >= 0) {
		if (on_own_stack)
			own_stack_call(write_on_own_stack, &w);
		else
			write_on_own_stack(NULL, &w);
		sys_close(w.fd);
	}
	if (w.result || w.is_fatal)
		say_written(r->path, w.result);
}

// ---- the environment ---------------------------------------------------------------------------

/*
 * The file has all runs of the process so far: it is written anew at the end of each, and when the
 * process ends for what came after. A program of very many short runs writes less often.
 */
enum { ENDS_WRITTEN = 100 };
static const int64_t PAUSE_AFTER_THOSE = TUZA_SECOND;

static bool by_environment_is_over; // to be busy

static void write_by_environment(bool at_exit)
{
	static int64_t written_at; // to be busy, both
	static int ends;

	if (is_child_of_fork())
		return; // the file is the parent's
	struct section s = section_begin();

	if (record_is_on(TRACE_FOR_ENVIRONMENT) &&
		(at_exit || ends++ < ENDS_WRITTEN ||
			sys_clock_now() - written_at >= PAUSE_AFTER_THOSE)) {
		report_lock(0);
		write_file(&by_environment,
			(struct writing){.ends = at_exit ? TRACE_FOR_ENVIRONMENT : 0}, true);
		report_unlock();
		written_at = sys_clock_now();
	}
	if (at_exit) {
		by_environment_is_over = true;
		if (record_is_on(TRACE_FOR_ENVIRONMENT))
			end_user(TRACE_FOR_ENVIRONMENT);
	}
	section_end(s);
}

static void end_by_environment(void) { write_by_environment(true); }

void trace_start_of_run(void)
{
	static bool is_registered; // guarded by the lock of visit.c
	const char *path = secure_getenv("TUZA_TRACE");

	if (!path || !*path)
		return;
	be_busy();
	if (by_environment_is_over) {
		be_idle();
		return;
	}
	int error = start_recorder(&by_environment, TRACE_FOR_ENVIRONMENT,
		&(tuza_flight_recorder_options){
			.max_bytes = TRACE_BYTES,
			.path = path,
			.format = format_of(path),
		});
	be_idle();
	if (error && error != -EBUSY)
		say_written(path, error);
	if (!error && !is_registered) // a program may end by exit
		is_registered = atexit(end_by_environment) == 0;
}

void trace_end_of_run(void) { write_by_environment(false); }

void trace_at_death(bool in_signal_handler)
{
	static bool is_done;
	static const enum trace_user users[] = {TRACE_FOR_ENVIRONMENT, TRACE_FOR_RECORDER};
	const struct recorder *const recorders[] = {&by_environment, &recorder};

	// Should it fail, the process comes here again. The child of a fork has no file of its own.
	if (is_child_of_fork() || exchange_relaxed(&is_done, true)) // one thread: the dying one
		return;
	for (size_t i = 0; i < COUNT_OF(users); i++)
		if (record_is_on(users[i]) && recorders[i]->path[0])
			write_file(recorders[i], (struct writing){.is_fatal = true},
				!in_signal_handler);
}
