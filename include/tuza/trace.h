// SPDX-License-Identifier: MIT
/*
 * Execution traces: what each goroutine and processor did, and when, for `go tool trace` or
 * Perfetto. docs/TRACING.md shows what to do with them.
 *
 *	int fd = open("run.trace", O_WRONLY | O_CREAT | O_TRUNC, 0666);
 *	tuza_trace_start(fd);
 *	…
 *	tuza_trace_stop();
 *
 *	$ go tool trace run.trace
 *
 * TUZA_TRACE=run.trace in the environment does the same for a whole run, and writes the file also
 * when the program panics, deadlocks or gets SIGQUIT. A flight recorder keeps the last seconds all
 * the time, to be written when something has gone wrong.
 *
 * While nothing is traced this costs nothing; else some 20 ns for each time that a goroutine is
 * made runnable or run, and some 50 to 100 where it stops, for the stack.
 */
#ifndef TUZA_TRACE_H
#define TUZA_TRACE_H

#include <tuza/macros.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tuza_trace_format {
	TUZA_TRACE_GO,       // for `go tool trace` of Go 1.23 and later, and gotraceui
	TUZA_TRACE_PERFETTO, // protocol buffers for https://ui.perfetto.dev
	// As Go 1.11 to 1.21 wrote them ("v1"): for tools of that time; later ones read it, too. It
	// has less: no threads, and of waits only the kinds that Go had words for.
	TUZA_TRACE_GO_V1,
} tuza_trace_format;

typedef struct tuza_trace_options {
	tuza_trace_format format;
	// Memory for events, 16 bytes each; beyond that the oldest are dropped, and the trace
	// begins later. Each thread takes 32 KiB in addition. 0: 64 MiB.
	size_t max_bytes;
} tuza_trace_options;

/*
 * Starts a trace: from now on all events of goroutines and processors are recorded in memory.
 *
 *   fd  where tuza_trace_stop writes; it belongs to the trace until then.
 *
 * Returns  0; -EBUSY: a trace is under way; -EBADF; -ENOMEM.
 * Blocks   while another trace is being written.
 * Callable from  any goroutine or thread, before tuza_run, too; not from a signal handler.
 * Go       trace.Start   (O40)
 */
TUZA_MUST_USE int tuza_trace_start(int fd);

// The same with options; NULL: none. Returns and blocks as tuza_trace_start.
TUZA_MUST_USE int tuza_trace_start_with(int fd, const tuza_trace_options *options);

/*
 * Ends the trace and writes it. Does nothing when none is under way.
 *
 * Returns  0; -EIO: the descriptor took not all of it; -ENOMEM.
 * Blocks   until it is written, in a blocking section: about a second for 5 million events.
 * Callable from  as tuza_trace_start.
 * Go       trace.Stop
 */
int tuza_trace_stop(void);

/*
 * Whether a trace or a flight recorder is on: saves the cost of computing what would be logged.
 *
 * Callable from  anywhere.
 * Go       trace.IsEnabled
 */
bool tuza_trace_is_on(void);

// ---- flight recorder ---------------------------------------------------------------------------

typedef struct tuza_flight_recorder_options {
	tuza_duration age; // older events are not written; 0: all that there is room for
	size_t max_bytes;  // as tuza_trace_options; 0: 10 MiB
	tuza_trace_format format;
	// Where it is written when the program ends by a panic, a deadlock, another fatal error or
	// SIGQUIT; NULL: nowhere. Copied.
	const char *path;
} tuza_flight_recorder_options;

/*
 * Keeps the latest events from now on, for tuza_flight_recorder_write. A trace may be made at the
 * same time.
 *
 *   options  NULL: none.
 *
 * Returns  0; -EBUSY: there is one already; -ENAMETOOLONG; -ENOMEM.
 * Blocks   while something is being written.
 * Callable from  as tuza_trace_start.
 * Go       trace.NewFlightRecorder(…).Start   (O42)
 */
TUZA_MUST_USE int tuza_flight_recorder_start(const tuza_flight_recorder_options *options);

// Ends the recorder and drops its events. Does nothing when there is none. Blocks while something
// is being written. Go: (*FlightRecorder).Stop
void tuza_flight_recorder_stop(void);

// Whether there is one. Callable from anywhere. Go: (*FlightRecorder).Enabled
bool tuza_flight_recorder_is_on(void);

/*
 * Writes the events that it has; the recorder stays on.
 *
 * Returns  0; -ENOENT: there is no recorder; -EBADF; -EIO: the descriptor took not all of it;
 *          -ENOMEM.
 * Blocks   until it is written, in a blocking section.
 * Callable from  as tuza_trace_start.
 * Go       (*FlightRecorder).WriteTo
 */
int tuza_flight_recorder_write(int fd);

// ---- annotations -------------------------------------------------------------------------------

/*
 * What the program does, in its own words: tasks, which may pass from goroutine to goroutine (a
 * request), regions, which are parts of one goroutine's time, and logs. Without a trace each costs
 * one load.
 *
 *	uint64_t task = tuza_trace_task_begin(0, "request");
 *	tuza_trace_region_begin(task, "query");
 *	tuza_trace_log(task, "sql", "%d rows", rows);
 *	tuza_trace_region_end(task, "query");
 *	tuza_trace_task_end(task);
 */

/*
 * Begins a task.
 *
 *   parent  the task of which it is a part; 0: none.
 *   type    of what kind it is; copied, and cut to 1,023 bytes. There should be few.
 *
 * Returns  its number, never 0, also when nothing is traced.
 * Blocks   never.
 * Callable from  any goroutine; on a plain thread, and in a blocking section, nothing is noted.
 * Go       trace.NewTask
 */
uint64_t tuza_trace_task_begin(uint64_t parent, const char *type);

// Ends it, in whichever goroutine. Else as the begin. Go: Task.End
void tuza_trace_task_end(uint64_t task);

/*
 * Mark a named part of the calling goroutine's time. Regions nest: an end must be that of the
 * innermost one, by the same goroutine.
 *
 *   task  of which it is a part; 0: none.
 *   type  as tuza_trace_task_begin's; the same at both ends.
 *
 * Blocks, Callable from   as tuza_trace_task_begin.
 * Go       trace.StartRegion, trace.WithRegion
 */
void tuza_trace_region_begin(uint64_t task, const char *type);
void tuza_trace_region_end(uint64_t task, const char *type);

/*
 * Logs a text of a category (printf's format). Up to 16,000 different texts are kept.
 *
 *   task  that it is about; 0: none.
 *
 * Blocks, Callable from   as tuza_trace_task_begin.
 * Go       trace.Logf
 */
void tuza_trace_log(uint64_t task, const char *category, const char *format, ...)
	TUZA_PRINTF_(3, 4);

#ifdef __cplusplus
}
#endif
#endif
