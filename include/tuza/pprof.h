// SPDX-License-Identifier: MIT
/*
 * Profiles that `go tool pprof` opens: where goroutines are, which threads there are, where CPU
 * time goes, who waits and who keeps others waiting, who allocates. docs/PROFILING.md shows what to
 * do with them.
 *
 *	int fd = open("goroutine.pb.gz", O_WRONLY | O_CREAT | O_TRUNC, 0666);
 *	tuza_pprof_write(fd, "goroutine", 0);
 *
 *	$ go tool pprof -top goroutine.pb.gz
 *
 * Symbols are in the profile: whoever opens it needs neither the program nor its sources.
 * Goroutines' labels (tuza_set_label) are the profile's labels, for pprof's -tagfocus and -tags.
 */
#ifndef TUZA_PPROF_H
#define TUZA_PPROF_H

#include <tuza/macros.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_listener tuza_listener; // tuza/net.h
typedef struct tuza_context tuza_context;   // tuza/context.h

/*
 * Writes a profile of this moment.
 *
 *   fd     any writable descriptor.
 *   name   "goroutine": all goroutines, by their stacks and labels.
 *          "goroutineleak": those that can never go on, as tuza_leak_scan (tuza/testing.h) finds
 *          them: all threads stand still meanwhile.
 *          "threadcreate": all threads of the process, by name; the scheduler's are "tuza".
 *          "heap", "allocs": memory of tuza_malloc (tuza/malloc.h) that is in use; that there was.
 *          "block", "mutex": who waited; for whom. See below: they are off at first.
 *   debug  0: for pprof, a protocol buffer in gzip's format. 1: text, a paragraph for each stack,
 *          the most frequent first. 2: as 1; of goroutines what tuza_dump writes, of
 *          leaked ones what tuza_leak_scan does.
 *
 * A goroutine that runs on another thread is shown where it was at that moment: the thread is asked
 * by the signal SIGPROF, which is used for good from then on, and has 20 ms to answer. Not asked
 * are threads that sleep in system calls that a signal would end early (poll, nanosleep; not read),
 * nor any where the program has a handler of SIGPROF, under ThreadSanitizer or valgrind. Those
 * goroutines are counted as "[running]" or "[in a blocking section]".
 *
 * Returns  0; -ENOENT: no profile has that name; -EBADF: the descriptor is negative; -EIO: it took
 *          not all of it; -ENOMEM, and for "goroutineleak" whatever kept the scan from being made.
 * Blocks   until it is written, in a blocking section: the other end of a pipe may be a goroutine.
 *          Each goroutine is held for microseconds; else others run on meanwhile.
 * Callable from  any goroutine or thread, at any time; not from a signal handler.
 * Go       pprof.Lookup(name).WriteTo(w, debug)   (O30, O32)
 */
int tuza_pprof_write(int fd, const char *name, int debug);

/*
 * Starts a CPU profile: from now on each thread of the process, the program's own ones included,
 * notes where it is each time it has burnt 10 ms of CPU time. About 0.1 % of the CPU time goes
 * there.
 *
 *   fd  where tuza_pprof_cpu_stop writes; it belongs to the profile until then.
 *
 *	tuza_pprof_cpu_start(fd);
 *	int status = tuza_run(program, NULL);
 *	tuza_pprof_cpu_stop();
 *
 * While it runs there is one more thread, "tuza pprof": so a deadlock of all goroutines is not
 * reported. The signal SIGPROF is used, for good. System calls that a signal interrupts are
 * restarted where Linux does that (see signal(7)).
 *
 * Returns  0; -EBUSY: a CPU profile is under way, or the program has a handler of SIGPROF; -EBADF;
 *          -ENOMEM; -EAGAIN: the limit of threads or of pending signals is reached.
 * Blocks   never.
 * Callable from  any goroutine or thread, before tuza_run, too; not from a signal handler.
 * Go       pprof.StartCPUProfile   (O30)
 */
TUZA_MUST_USE int tuza_pprof_cpu_start(int fd);

/*
 * Ends the CPU profile and writes it, for pprof: samples, and nanoseconds of CPU time, by stack and
 * labels, the runtime's own functions included. Does nothing when none is under way.
 *
 * Returns  0; -EIO: the descriptor took not all of it; -ENOMEM: some samples were left out, or all.
 * Blocks   until it is written, in a blocking section.
 * Callable from  as tuza_pprof_cpu_start.
 * Go       pprof.StopCPUProfile
 */
int tuza_pprof_cpu_stop(void);

// ---- contention --------------------------------------------------------------------------------

/*
 * How many waits the profile "block" counts: those of goroutines, and of threads that use tuza, for
 * each other, by the stack that waited. Channels, selects, mutexes, conditions, waitgroups,
 * semaphores, joins count; time, the network and waiting for ever do not.
 *
 *   ns  on average one wait is counted for each `ns` nanoseconds of waiting, and longer ones
 *       always; counts and times are scaled up, so the profile is unbiased. 1: all; 0 or less, as
 *       at first: none.
 *
 * A wait that is counted costs some 5 us, any other two readings of the clock. What has been
 * counted stays when the profile is turned off.
 *
 * Callable from  any goroutine or thread, before tuza_run, too; not from a signal handler.
 * Go       runtime.SetBlockProfileRate   (O33, O35)
 */
void tuza_set_block_profile_rate(int64_t ns);

/*
 * How many unlocks the profile "mutex" counts: those of tuza_mutex and tuza_rwmutex that found
 * others waiting, by the stack that unlocked. Each is charged with the time that all waiters
 * together have waited since the last unlock.
 *
 *   fraction  one in `fraction` is counted, and stands for as many. 1: all; 0, as at first: none;
 *             below 0 it is only queried.
 *
 * Returns  the fraction before.
 * Callable from  as tuza_set_block_profile_rate.
 * Go       runtime.SetMutexProfileFraction   (O33, O35)
 */
int tuza_set_mutex_profile_fraction(int fraction);

// ---- serving -----------------------------------------------------------------------------------

/*
 * Serves all this by HTTP, from now on, in goroutines of its own:
 *
 *	tuza_debug_serve("127.0.0.1:6060");
 *
 *	$ xdg-open http://127.0.0.1:6060/debug/
 *	$ go tool pprof http://127.0.0.1:6060/debug/pprof/profile?seconds=10
 *	$ curl 'http://127.0.0.1:6060/debug/pprof/goroutine?debug=1'
 *
 *	/debug/                     the live page: goroutines by stack, suspected leaks first, what
 *	                            processors do, flame graphs of profiles taken there
 *	/debug/state.json           ?ms=1000: what it shows, after having watched processors so long
 *	/debug/goroutines.json      ?group=: those of a group of state.json that wait longest
 *	/debug/goroutine            ?id=7: one goroutine, as tuza_dump
 *	/debug/leaks.json           scans for leaked goroutines, as tuza_leak_scan; the live page
 *	                            marks them from then on
 *	/debug/pprof/               what there is
 *	/debug/pprof/goroutine      ?debug=0, 1 or 2, as tuza_pprof_write
 *	/debug/pprof/threadcreate   the same, and so heap, allocs, block and mutex. With ?seconds=10
 *	                            instead of debug: what was added in that time
 *	/debug/pprof/profile        ?seconds=30: the CPU profile of that time
 *	/debug/pprof/trace          ?seconds=1: a trace of that time; ?format=perfetto, =v1
 *	/debug/flightrecorder       tuza_flight_recorder_write, if there is one
 *	/debug/pprof/cmdline        the command line, with zeroes between words
 *	/debug/pprof/symbol         ?0x401000+0x401010: names of addresses
 *	/debug/vars                 tuza_stats as JSON
 *	/metrics                    tuza_metrics_write; ?names=go: tuza_metrics_write_go
 *
 *   address  "127.0.0.1:6060", "localhost:0", "[::1]:6060"; a path or "@name" for a unix socket. It
 *            should be the program's debug port and nothing else: whoever connects sees everything.
 *
 * Requests whose Host is not a name of this machine's loopback are refused, and those that a
 * browser makes for another site's page, but for links to here.
 *
 * It takes 100 connections at a time, and makes no page larger than 64 MiB.
 *
 * Returns  0; -EACCES: the address is not this machine's own (see tuza_debug_options); -EADDRINUSE
 *          and the other errors of tuza_listen.
 * Blocks   only to resolve a name.
 * Callable from  any goroutine or thread.
 * Go       import _ "net/http/pprof"; http.ListenAndServe   (O31)
 */
TUZA_MUST_USE int tuza_debug_serve(const char *address);

typedef struct tuza_debug_options {
	bool anywhere; // serve any address and any Host: something else keeps strangers out
} tuza_debug_options;

/*
 * The same with options, and a handle.
 *
 *   options   NULL: none.
 *   listener  set to the listener, NULL on failure; its close ends the server, but not answers
 *             under way. May be NULL: then it serves until the end of the run.
 *
 * Returns, Blocks, Callable from   as tuza_debug_serve.
 * Owns/frees  tuza_listener_close.
 */
TUZA_MUST_USE int tuza_debug_serve_with(
	const char *address, const tuza_debug_options *options, tuza_listener **listener);

// ---- pages for another server ------------------------------------------------------------------

// A page of the debug server, for a program that serves it by an HTTP server of its own.
typedef struct tuza_debug_page {
	int status; // HTTP's
	const void *body;
	size_t body_bytes;
	// Headers to send with it, Content-Type first; the one behind the last has no name.
	struct {
		const char *name; // NULL: there are no more
		const char *value;
	} headers[8];
} tuza_debug_page;

/*
 * Makes the page at this path, an error's if there is none. With libtuza-http
 * tuza_http_handle_debug does it all. Whoever may ask for pages sees everything: it is the server's
 * task to keep strangers out.
 *
 *   ctx    ends the wait of pages that take time (?seconds=30) when nobody wants them any more.
 *   path   "/debug/pprof/heap", not decoded.
 *   query  what follows the question mark, or "".
 *
 * Returns  the page; NULL without memory.
 * Blocks   as long as the page asks for.
 * Callable from  any goroutine.
 * Owns/frees  tuza_debug_page_free.
 */
void tuza_debug_page_free(tuza_debug_page *page);
TUZA_MUST_USE tuza_debug_page *tuza_debug_page_make(tuza_context *ctx, const char *path,
	const char *query) TUZA_FREED_BY_(tuza_debug_page_free);

#ifdef __cplusplus
}
#endif
#endif
