// SPDX-License-Identifier: MIT
/*
 * For tests: has the code under test left goroutines behind? And, at the end of this file, runs in
 * simulated time, whose schedule follows from a number.
 *
 *	static void fetches_all(void)           // a test
 *	{
 *		TUZA_LEAK_CHECK();              // panics at the end if something is left
 *		…
 *	}
 *
 * In a test framework with its own way to fail, in what it calls after each test:
 *
 *	ASSERT(tuza_leak_check(NULL) == 0);
 *
 * or, where what was there before does not count, such as that of a test which has failed, around
 * each test:
 *
 *	before = tuza_leak_snapshot_new();
 *	…
 *	ASSERT(tuza_leak_check(&(tuza_leak_options){.ignore_current = before}) == 0);
 *	tuza_leak_snapshot_free(before);
 *
 * A whole program is checked by the last line of its main function, tuza_leak_verify(NULL), or
 * without a change of it by TUZA_DEBUG=leakcheck in the environment.
 *
 * Every goroutine counts as left behind, except the caller, goroutine 1 and those that the options
 * name. Threads do not count. Goroutines that are about to end get time for that. Objects that have
 * to be freed and that tuza keeps a list of, such as contexts, are reported as well.
 *
 * Checks are of the whole process: tests that run at the same time see each other's goroutines.
 */
#ifndef TUZA_TESTING_H
#define TUZA_TESTING_H

#include <tuza/macros.h>
#include <tuza/panic.h>
#include <tuza/time.h>

#ifdef __cplusplus
extern "C" {
#endif

// What lives at one moment, for tuza_leak_options.
typedef struct tuza_leak_snapshot tuza_leak_snapshot;

/*
 * What a check ignores, how long it waits and where its report goes; zeroed means the defaults.
 *
 * Each list of names is one or several names with commas between; a `*` in one stands for any
 * characters. Functions are known by the names of a dump, so in C++ by their symbols' ("_Z4feedv",
 * or "*feed*"). One that ended in a call and that the compiler turned into a jump is not on the
 * stack any more. Of a goroutine that runs on another thread at the moment only the creator is
 * known.
 */
typedef struct tuza_leak_options {
	// The innermost function of the program on its stack, or the tuza function it called.
	const char *ignore_top;
	// Any function on its stack. Of a stack deeper than 100 frames the middle is not looked at.
	const char *ignore_any;
	// The function with the go statement; of an object, the one that made it.
	const char *ignore_created_by;
	// The goroutine's name (tuza_set_name).
	const char *ignore_name;
	// Goroutines and objects that were there when it was taken. NULL: none.
	const tuza_leak_snapshot *ignore_current;
	// How long goroutines may take to end: the sum of the pauses between looks, of 1 us, then
	// twice as long each, 100 ms at most. 0: 500 ms; negative: one look, no pause.
	tuza_duration wait;
	// Where the report is written. 0: standard error; negative: nowhere.
	int fd;
	// The report as a text too, cut to buffer_bytes with the final 0; "" when nothing is left.
	// NULL: it is not wanted.
	char *buffer;
	size_t buffer_bytes;
} tuza_leak_options;

/*
 * Looks for goroutines, and objects to be freed, that are left; if there are some, again and again
 * until there are none or the wait is over. Then reports them: "found unexpected goroutines:", and
 * each as in a dump, up to 100.
 *
 *   options  read now; NULL: the defaults.
 *
 * Returns  how many are left; 0 at once when there are none.
 * Panics   never.
 * Blocks   parks the goroutine (the thread, on a plain thread or in a blocking section) for as long
 *          as the wait, if something is left. The report is written in a blocking section. To look
 *          up the first name of the process takes 1 to 100 ms: done only where options name
 *          functions and a goroutine is still there after 1 ms.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Go       goleak.Find   (go.uber.org/goleak)
 */
size_t tuza_leak_check(const tuza_leak_options *options);

/*
 * tuza_leak_check that panics if something is left, after the report.
 *
 * Panics   "tuza_leak_verify: 2 left over".
 * Blocks, Callable from   as tuza_leak_check.
 * Go       goleak.VerifyNone
 */
void tuza_leak_verify(const tuza_leak_options *options);

/*
 * Remembers the goroutines and objects that live now, for ignore_current.
 *
 * Panics   "tuza: out of memory".
 * Blocks   never.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Owns/frees  tuza_leak_snapshot_free, which takes NULL as well.
 * Go       goleak.IgnoreCurrent
 */
TUZA_MUST_USE tuza_leak_snapshot *tuza_leak_snapshot_new(void);
void tuza_leak_snapshot_free(tuza_leak_snapshot *s);

/*
 * At the beginning of a block, such as a test: at its end a tuza_leak_verify of what was not there
 * now. With options: TUZA_LEAK_CHECK(&options); they are copied.
 *
 * It is a TUZA_DEFER: of several, the one that stands first is the last to run. When the block is
 * left by a panic or tuza_goexit nothing is checked: the test has failed already. A framework that
 * leaves failed tests by longjmp needs tuza_leak_check in its fixture instead.
 *
 * Panics   as tuza_leak_verify and tuza_leak_snapshot_new.
 * Go       defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
 */
#define TUZA_LEAK_CHECK(...)                                                                       \
	TUZA_DEFER(tuza_leak_scope_end_, tuza_leak_scope_begin_(TUZA_LEAK_OPTIONS_(__VA_ARGS__)))

// ---- leaked for ever ---------------------------------------------------------------------------

/*
 * Looks for goroutines that can never go on, in a program that runs on: those that wait for a
 * channel, lock, condition, group, semaphore or join that nobody who may still run can reach. All
 * are reported that were found: "found leaked goroutines:", and each as in a dump, with "(leaked)".
 *
 * A look at all of the process's memory, in which whatever may be a pointer counts as one. So no
 * goroutine is reported that could go on, as long as the program's pointers lie in its memory as
 * they are and at addresses divisible by 8; pointers that do not are to be made known by
 * tuza_leak_root_add. Some leaks are missed: what a global variable, or a stale pointer, leads to
 * may be used. docs/DEADLOCKS-AND-LEAKS.md has all of it.
 *
 *   fd  where the report is written; negative: nowhere.
 *
 * Returns  how many are leaked; -EBUSY: the program has a handler of SIGURG; -EAGAIN: the runtime
 *          was in the midst of changes, again and again; -ENOMEM.
 * Blocks   All threads stand still meanwhile, up to 2.5 s per GB in use. System calls under
 *          way are interrupted by SIGURG, and restarted where Linux does that (signal(7)). The
 *          report is written in a blocking section, when all run again.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Go       the goroutineleak profile   (O11)
 */
int tuza_leak_scan(int fd);

/*
 * Makes a pointer known to the scan that it cannot find: one that only the kernel has (in an epoll
 * event, an io_uring request), or another process, or that is stored with other bits in it. What it
 * points to counts as reachable until the same pointer is removed, as often as it was added.
 *
 * Panics   "tuza: out of memory".
 * Blocks   never.
 * Callable from  any goroutine or thread.
 */
void tuza_leak_root_add(const void *address);
void tuza_leak_root_remove(const void *address);

// ---- simulated runs -----------------------------------------------------------------------------

/*
 * tuza_run with a schedule and a clock of its own. The order in which goroutines run follows from
 * the seed: another seed, another order; the same seed, the same order again. Time stands still
 * while any goroutine can run, and jumps to what the next one waits for when none can. So a test
 * tries orders that hardly ever occur, what it waits for takes no time, and a failure can be
 * repeated:
 *
 *	for (uint64_t seed = 1; seed <= 1000; seed++)
 *		tuza_sim_run(seed, test, NULL);
 *
 * A panic, a dump and the report of a deadlock tell the seed.
 *
 *   seed  any number.
 *   fn, arg  as in tuza_run.
 *
 * In such a run
 *   - goroutines run one at a time, and tuza_gomaxprocs has no effect. Each may lose its turn, and
 *     get it back much later, at each call that sends, receives, selects, locks, unlocks, waits,
 *     starts a goroutine or yields. (Lock calls of an optimised program are inlined and seldom
 *     looked at: compile it with -DTUZA_WATCH_LOCKS=1.)
 *   - tuza_now begins at one hour. A loop that asks it until some time has come never ends, unless
 *     it sleeps; nor does one that waits for another goroutine without any such call. After
 *     tuza_sleep(1) every other goroutine waits for something, or for a time that is not past.
 *   - blocking sections and file calls keep the others waiting, and take no time; one that lasts
 *     longer than a second of real time lets them run.
 *   - descriptors, plain threads, processes and signals are real: what they do is not repeated, and
 *     while a goroutine waits for a descriptor time goes on as it really does. Connections of
 *     tuza_pipe are simulated. Plain threads, and goroutines in blocking sections, sleep really;
 *     other time limits of plain threads are of simulated time until the run ends.
 *   - whatever asks the system for time or random numbers gets what there is. Timers, tickers and
 *     contexts that were made before do not fire, and those made in it do not fire afterwards.
 *
 * Returns  what fn returned.
 * Errors   as tuza_run.
 * Panics   "tuza_sim_run: already running" in another run; "tuza_sim_run: goroutines are running"
 *          when there are some that plain threads have started, or a plain thread waits that may
 *          wait for a timer.
 * Blocks, Callable from, Orders   as tuza_run.
 * Go       testing/synctest.Test, with a seed
 */
int tuza_sim_run(uint64_t seed, int (*fn)(void *), void *arg);

// ---- how TUZA_LEAK_CHECK works: private ------------------------------------------------------

struct tuza_leak_scope *tuza_leak_scope_begin_(const tuza_leak_options *options);
void tuza_leak_scope_end_(struct tuza_leak_scope *scope);

#ifdef __cplusplus
}

namespace tuza_detail {
inline const tuza_leak_options *leak_options(const tuza_leak_options *options = nullptr)
{
	return options;
}
} // namespace tuza_detail
#define TUZA_LEAK_OPTIONS_(...) ::tuza_detail::leak_options(__VA_ARGS__)
#else
// The argument, or NULL without one.
#define TUZA_LEAK_OPTIONS_(...) (((const tuza_leak_options *const[2]){NULL, __VA_ARGS__})[1])
#endif

#endif
