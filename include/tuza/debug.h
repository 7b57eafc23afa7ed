// SPDX-License-Identifier: MIT
/*
 * Looking inside a running program.
 */
#ifndef TUZA_DEBUG_H
#define TUZA_DEBUG_H

#include <tuza/macros.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes every goroutine to `fd`: number, name, state or wait reason, how long, stack, creation
 * site, in the words of Go's traceback. SIGQUIT does the same on standard error and ends the
 * process.
 *
 *   fd  any writable descriptor. What cannot be written is lost.
 *
 * Threads that run others are asked for the stacks by SIGPROF: tuza_pprof_write tells when they are
 * not.
 *
 * Blocks   until it is written, in a blocking section: the other end of a pipe may be a goroutine.
 * Callable from  any goroutine or thread, at any time; one dump at a time. Others run on meanwhile.
 *          Not from a signal handler.
 * Go       runtime.Stack(buf, true)
 */
void tuza_dump(int fd);

/*
 * Writes where goroutines are blocked: those that wait for the same reason at the same place of the
 * program are one group, the largest first, with the stack of the one that waits longest. Where
 * many have been waiting for long, they are probably leaked: nobody will come.
 *
 *	412 goroutines [chan send] for 3s to 3m12s; the longest:
 *	goroutine 31 [chan send, 3 minutes]:
 *	…
 *
 * Goroutines that sleep or wait for I/O are not among them, nor are plain threads.
 *
 *   fd   any writable descriptor. What cannot be written is lost.
 *   age  those that have waited for less are left out. Ages are exact to some 10 ms.
 *
 * Returns  0; -EBADF: the descriptor is negative.
 * Blocks, Callable from   as tuza_dump.
 */
int tuza_blocked_write(int fd, tuza_duration age);

/*
 * The calling goroutine's stack in the same words, cut to n bytes with the final 0.
 *
 * Returns  the length written, without the 0.
 * Blocks   never.
 * Callable from  any goroutine or thread.
 * Go       runtime.Stack(buf, false)
 */
size_t tuza_stack(char *buffer, size_t n);

// What the runtime counts. More may be added at the end.
typedef struct tuza_statistics {
	// at this moment
	uint64_t goroutines; // that live
	uint64_t runnable;   // of those: could run, and wait for a processor
	uint64_t running;    // run
	uint64_t waiting;    // are parked
	uint64_t blocked;    // are in blocking sections
	uint64_t threads;    // that run goroutines, or could; the program's own are not counted
	uint64_t gomaxprocs; // processors wanted
	uint64_t processors; // in service: lent ones included, retiring ones, too
	uint64_t processors_idle;
	uint64_t timers; // started and not fired: sleeps, time limits, tickers …
	// bytes
	uint64_t stacks_reserved; // of goroutines that have begun: addresses, not memory
	uint64_t stacks_used;     // from the top to where those that do not run stand
	// since the runtime has started
	uint64_t created;              // goroutines
	uint64_t switches;             // times that a processor went on to run a goroutine
	uint64_t stolen;               // goroutines that a processor took from another's queue
	uint64_t parks;                // times that a goroutine stopped to wait
	uint64_t woken_by_descriptors; // goroutines that events from outside made runnable
	uint64_t woken_by_timers;      // that sleeps and time limits did, or timers started
	// since tuza_stats_measure
	uint64_t mutex_wait_ns;     // that goroutines waited for mutexes and rwmutexes
	uint64_t latencies;         // how many of the times below were measured
	uint64_t latency_median_ns; // between being made runnable and running: half are shorter
	uint64_t latency_99_ns;     // 99 of 100 are shorter
} tuza_statistics;

/*
 * Fills *s. The numbers are read one after the other while all runs on: they need not add up. All
 * are 0 while the runtime does not run.
 *
 * Blocks   never; looks at every goroutine, for some 30 ns each, without holding it.
 * Callable from  any goroutine or thread; not from a signal handler.
 * Go       runtime/metrics.Read   (O50)
 */
void tuza_stats(tuza_statistics *s);

/*
 * From now on what costs something is measured as well: how long goroutines that could run wait for
 * a processor, and how long they wait for locks, one in eight of them, by dice. Costs some 5 ns for
 * each time that a goroutine is made runnable and run. tuza_debug_serve does this.
 *
 * Blocks   never.
 * Callable from  any goroutine or thread, before tuza_run, too.
 * Go       measures always: /sched/latencies:seconds, /sync/mutex/wait/total:seconds   (O50)
 */
void tuza_stats_measure(void);

/*
 * Writes the same in the text format that Prometheus reads, with the names that Go's collector
 * gives what runtime/metrics counts, and "tuza_" in front: tuza_sched_goroutines_goroutines and so
 * on; the CPU time of the process; and once they are measured, a histogram of latencies.
 *
 *   fd  any writable descriptor.
 *
 * Returns  0; -EBADF: the descriptor is negative; -EIO: it took not all of it.
 * Blocks   until it is written, in a blocking section.
 * Callable from  as tuza_stats.
 */
int tuza_metrics_write(int fd);

/*
 * The same under the names that Go programs have for it, for dashboards that were made for those:
 * go_goroutines, go_threads, go_sched_gomaxprocs_threads, go_sched_latencies_seconds and so on, and
 * process_resident_memory_bytes, process_open_fds … What only a garbage collector has is missing.
 *
 * With TUZA_METRICS=go in the environment tuza_metrics_write, and so /metrics, writes these behind
 * its own.
 */
int tuza_metrics_write_go(int fd);

// ---- private: what debuggers read of a process or a core file (share/tuza/tuza-gdb.py) ---------

struct tuza_debugger_fact_ {
	char name[40]; // "": the end of the table
	const void *value;
};
extern const struct tuza_debugger_fact_ tuza_debugger_runtime_[];
extern const struct tuza_debugger_fact_ tuza_debugger_chan_[];
extern const struct tuza_debugger_fact_ tuza_debugger_context_[];
extern const struct tuza_debugger_fact_ tuza_debugger_sync_[];

#ifdef __cplusplus
}
#endif
#endif
