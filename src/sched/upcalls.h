// SPDX-License-Identifier: MIT
/*
 * What the layers above provide to the scheduler: panic/ and debug/ for the start and the end of
 * the runtime and of its threads; chan/, context/, net/ and sync/ for goroutines that are dropped
 * while they wait; signal/ for the monitor; trace/ for events.
 */
#ifndef TUZA_SCHED_UPCALLS_H
#define TUZA_SCHED_UPCALLS_H

#include "sched/goroutine.h"

// panic/faults.c: handlers of SIGSEGV, SIGBUS, SIGFPE (and SIGQUIT's dump), chained to those found.
// Idempotent.
void faults_install(void);
// Gives back what faults_install took, at the end of the runtime.
void faults_uninstall(void);
// The alternate signal stack of this thread; prefaulted. Called on a machine's own thread; 0 or
// a negative code.
MUST_USE int faults_thread_start(void);
void faults_thread_end(void);

// panic/exit_guard.c: between arm and disarm the end of this thread is fatal: pthread_exit in a
// goroutine.
void exit_guard_arm(void);
void exit_guard_disarm(void);

/*
 * panic/panic.c: for goroutine 1 when the function of tuza_run has returned. Lets uncaught panics
 * of others finish their deferred calls (for 1 s at most); if one is being reported, waits for the
 * end of the process, whose status is then 2 (L6).
 */
void panic_settle(void);

/*
 * debug/leak.c: for goroutine 1 when the function of tuza_run has returned, if TUZA_DEBUG has
 * leakcheck. Gives the others half a second to end, reports those that have not on standard error.
 * Returns how many.
 */
size_t leak_check_at_end(void);

/*
 * debug/leak_scan.c: the same if TUZA_DEBUG has leakscan. Reports those that can never go on.
 * Returns how many, or a code.
 */
int leak_scan_at_end(void);

/*
 * debug/deadlock_report.c: tells of a cycle on standard error. Called by a goroutine, outside of
 * blocking sections. is_fatal: the process ends, with status 2.
 */
struct deadlock;
void deadlock_report(const struct deadlock *d, bool is_fatal);

/*
 * debug/lock_order.c, with TUZA_DEBUG=lockorder: whether the goroutine has been seen to take the
 * lock, and not to give it back.
 */
bool lock_order_is_held(uint64_t by, const void *lock);

/*
 * chan/chan.c, chan/select_wait.c: a goroutine is dropped while it waits; its waiter
 * (goroutine.waiting) leaves the queues of channels that live on. Nobody runs goroutines any more;
 * plain threads may use the channels. False: one of them has taken it out, and nothing was done.
 *
 * select_unlink_losers: it was taken out of one queue, and has not run since.
 */
bool chan_unlink_waiter(void *waiting);
bool select_unlink_waiters(void *waiting);
void select_unlink_losers(void *waiting);
// The same before the goroutine has parked. Needs: the channels' locks.
void chan_withdraw(void *waiting);
void select_withdraw(void *waiting);

/*
 * chan/chan.c, chan/select_wait.c: calls fn for each channel that a goroutine waits for (`waiting`
 * is goroutine.waiting). False: somebody has woken it. Both take no lock: for one who has stopped
 * all threads.
 */
bool chan_each_awaited(const void *waiting, void (*fn)(const void *channel, void *arg), void *arg);
bool select_each_awaited(
	const void *waiting, void (*fn)(const void *channel, void *arg), void *arg);

/*
 * context/registry.c: calls fn for all memory by which the runtime, and not the program, knows the
 * contexts. False, and nothing was called: a lock is held. As above.
 */
bool context_each_hidden(void (*fn)(const void *low, size_t bytes, void *arg), void *arg);

// context/registry.c: goroutines that waited with a context were dropped: their waits leave it.
void context_forget_waits(void);
/*
 * net/conn_table.c: a goroutine is dropped. Its operations on connections that live on are over
 * when net_forget_operations is called; both by one thread at a time.
 */
void net_drop_operations(struct goroutine *g);
void net_forget_operations(void);
// net/resolve.c: questions of goroutines that were dropped will not be answered. is_last: no
// goroutine exists that could know any of them.
void net_forget_lookups(bool is_last);
// net/gather.c: sends that dropped goroutines were gathering are not made. No goroutine runs.
void net_forget_sends(void);

// sync/mutex.c: once, before there are machines: threads can be made to pass a barrier.
void mutex_may_be_quiet(void);

/*
 * sync/: a goroutine is dropped that was taken out of a queue and has not run since. What it was
 * given there (`waiting`, its struct queued, tells) goes to the next waiter of `object`. As above.
 */
void mutex_pass_on(void *waiting, const void *object);
void rwmutex_pass_on(void *waiting, const void *object, bool is_writer);
void semaphore_pass_on(void *waiting, const void *object);

// sync/: a goroutine is dropped that had this to call when it would end. As above.
void once_dropped(const tuza_defer_record *deferred);
void singleflight_dropped(const tuza_defer_record *deferred);

// signal/signal.c: sends the signals that have arrived; on the monitor's thread, each time it
// looks.
void signals_deliver(void);
// Whether the program waits for signals, so that it is not deadlocked. A hint.
bool signals_are_awaited(void);

/*
 * trace/note.c: notes an event; see events.h. Of events_readied those that start are spawned;
 * `by_current`: by the machine's goroutine, on its stack.
 */
struct machine;
struct processor;
void trace_spawned(struct machine *m, const struct goroutine *g, bool by_current);
void trace_readied(struct machine *m, const struct goroutine *g, uint32_t cause);
void trace_entering(struct machine *m, const struct goroutine *g, bool first);
void trace_parking(struct machine *m, const struct goroutine *g);
void trace_yielding(struct machine *m, const struct goroutine *g);
void trace_ended(struct machine *m, const struct goroutine *g);
void trace_blocking_began(struct machine *m, const struct goroutine *g);
void trace_blocking_ended(struct machine *m, const struct goroutine *g);
void trace_processor_idles(const struct processor *p);
// The machine's thread, or a plain one that has used tuza, ends.
void trace_machine_ends(struct machine *m);

/*
 * trace/trace.c: the runtime starts, before there are processors, and ends, when nobody runs any
 * more: the trace that the environment asks for. And the process ends by a panic, a fatal error or
 * SIGQUIT: in a signal handler, perhaps.
 */
void trace_start_of_run(void);
void trace_end_of_run(void);
void trace_at_death(bool in_signal_handler);

#endif
