// SPDX-License-Identifier: MIT
/*
 * Contexts: how work is cancelled. A context carries a cancellation, a deadline and the values of a
 * request to everything that works for it, after Go's context.
 *
 *	tuza_context *ctx = tuza_context_with_timeout(parent, 2 * TUZA_SECOND);
 *	TUZA_DEFER(tuza_context_free, ctx);     // what `defer cancel()` is in Go
 *
 *	switch (TUZA_SELECT(TUZA_RECV(answers, &answer), TUZA_DONE(ctx))) {
 *	case 0: return use(&answer);
 *	case 1: return tuza_context_err(ctx);   // -ECANCELED or -ETIMEDOUT
 *	}
 *
 * Contexts form trees. When one ends, all contexts derived from it have ended when the call that
 * ended it returns; its parent goes on.
 *
 * Whoever makes a context frees it, with tuza_context_free: that ends it and gives up the maker's
 * reference. A child holds its parent, so they may be freed in any order. Hand a context to a
 * goroutine that may outlive its maker's free with tuza_context_retain, for which the goroutine
 * calls tuza_context_release. tuza_leak_check (tuza/testing.h) lists those that nobody has freed.
 *
 * A NULL context panics "nil context" everywhere. All functions may be called from any goroutine
 * or thread, at the same time, but not from a signal handler. None blocks unless it says so.
 * Errors are codes: -ECANCELED ("context canceled") and -ETIMEDOUT ("context deadline exceeded").
 */
#ifndef TUZA_CONTEXT_H
#define TUZA_CONTEXT_H

#include <tuza/chan.h>
#include <tuza/goroutine.h>
#include <tuza/macros.h>
#include <tuza/select.h>
#include <tuza/sync.h>
#include <tuza/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_context tuza_context;

/*
 * Ends the context, if it can be cancelled, and gives up its maker's reference: the maker must not
 * use it any more.
 *
 * Panics   "tuza: context freed twice", when others still hold it.
 * Go       `defer cancel()`
 */
void tuza_context_free(tuza_context *ctx);

// ---- roots -------------------------------------------------------------------------------------

/*
 * The root of contexts: never ends, has no deadline and no values. Its free and release do nothing.
 *
 * Go       context.Background   (X2)
 */
tuza_context *tuza_context_background(void);

/*
 * The same under another name: for where it is not clear yet which context to use.
 *
 * Go       context.TODO   (X2)
 */
tuza_context *tuza_context_todo(void);

// ---- derived contexts --------------------------------------------------------------------------

/*
 * These return a context that ends when its parent does, or earlier by the means that the name
 * says. One that is derived from an ended parent has ended from the start, with the parent's error
 * and cause.
 *
 * Returns  a context that the caller owns; never NULL.
 * Panics   "cannot create context from nil parent"; "tuza: out of memory".
 * Orders   everything before the end is visible to whoever has seen it: by the done channel, by
 *          tuza_context_err, or in a function of tuza_context_after_func.
 * Owns/frees  tuza_context_free.
 */

// Ends by tuza_context_cancel. Go: context.WithCancel, WithCancelCause (X3)
TUZA_MUST_USE tuza_context *tuza_context_with_cancel(tuza_context *parent)
	TUZA_FREED_BY_(tuza_context_free);

/*
 * Ends with -ETIMEDOUT once tuza_now() >= deadline (ns). If the parent's deadline is earlier, it is
 * as tuza_context_with_cancel. A deadline that has passed gives a context that has ended.
 * Costs one allocation and no goroutine.
 *
 * Go       context.WithDeadline   (X7)
 */
TUZA_MUST_USE tuza_context *tuza_context_with_deadline(tuza_context *parent, int64_t deadline)
	TUZA_FREED_BY_(tuza_context_free);

// The deadline is `timeout` (ns) from now. Go: context.WithTimeout
TUZA_MUST_USE tuza_context *tuza_context_with_timeout(tuza_context *parent, tuza_duration timeout)
	TUZA_FREED_BY_(tuza_context_free);

/*
 * The same with `cause`, a nonzero code, which tuza_context_cause returns if the deadline ended
 * it. Ended by a cancel, the context has the cancel's cause.
 *
 * Go       context.WithDeadlineCause, WithTimeoutCause
 */
TUZA_MUST_USE tuza_context *tuza_context_with_deadline_cause(
	tuza_context *parent, int64_t deadline, int cause) TUZA_FREED_BY_(tuza_context_free);
TUZA_MUST_USE tuza_context *tuza_context_with_timeout_cause(
	tuza_context *parent, tuza_duration timeout, int cause) TUZA_FREED_BY_(tuza_context_free);

/*
 * Carries one value more than its parent. It ends with its parent only: cancelling it panics.
 *
 *   key    compared by address, so that of a static variable: nobody else's is equal.
 *   value  borrowed, may be NULL; must live as long as the context and those derived from it.
 *
 * Panics   "nil key" besides.
 * Go       context.WithValue   (X11)
 */
TUZA_MUST_USE tuza_context *tuza_context_with_value(tuza_context *parent, const void *key,
	void *value) TUZA_FREED_BY_(tuza_context_free) TUZA_ADDRESS_ONLY_(2);

// The same, but it owns the value: free_fn(value) is called when the last reference to the context
// and to those derived from it is gone.
TUZA_MUST_USE tuza_context *tuza_context_with_value_free(
	tuza_context *parent, const void *key, void *value, void (*free_fn)(void *value))
	TUZA_FREED_BY_(tuza_context_free) TUZA_ADDRESS_ONLY_(2);

/*
 * Has the values of its parent, but neither ends with it nor has its deadline: for work that has to
 * be finished for a request that is over. Cancelling it panics.
 *
 * Go       context.WithoutCancel   (X12)
 */
TUZA_MUST_USE tuza_context *tuza_context_without_cancel(tuza_context *parent)
	TUZA_FREED_BY_(tuza_context_free);

// ---- the end -----------------------------------------------------------------------------------

/*
 * Ends the context with -ECANCELED, and everything derived from it. Whoever waits is woken; nobody
 * is waited for. Does nothing if it has ended.
 *
 * Panics   "tuza: cancel of a context that only ends with its parent": the roots, values and
 *          tuza_context_without_cancel.
 * Go       the CancelFunc   (X5)
 */
void tuza_context_cancel(tuza_context *ctx);

/*
 * The same with a cause, which tuza_context_cause returns for the context and for those that end
 * with it. The first end counts.
 *
 *   code  any nonzero code; 0 is read as -ECANCELED.
 *
 * Go       the CancelCauseFunc   (X3, X6)
 */
void tuza_context_cancel_cause(tuza_context *ctx, int code);

// Takes one more reference; returns ctx.
tuza_context *tuza_context_retain(tuza_context *ctx);

// Gives up a reference of tuza_context_retain. Ends nothing. Panics "tuza: context released more
// often than retained".
void tuza_context_release(tuza_context *ctx);

// ---- looking at it -----------------------------------------------------------------------------

/*
 * The channel that is closed when the context ends: for a select, where TUZA_DONE is shorter.
 *
 * Returns  a borrowed channel, the same each time, of elements of 0 bytes; valid as long as the
 *          context. NULL if the context can never end.
 * Panics   "tuza: out of memory".
 * Go       Done   (X1)
 */
tuza_chan *tuza_context_done(tuza_context *ctx);

// The case of a select that is ready when the context has ended.
#define TUZA_DONE(ctx) tuza_select_recv_(tuza_context_done(ctx), NULL, 0, NULL)

/*
 * Returns  0 while the context goes on; then, for good, -ECANCELED or -ETIMEDOUT. When it is not 0,
 *          the done channel is closed.
 * Go       Err   (X4, X14)
 */
int tuza_context_err(tuza_context *ctx);

/*
 * Returns  why it ended: the code given to tuza_context_cancel_cause or to a constructor, of this
 *          context or of the one whose end ended it; else as tuza_context_err.
 * Go       context.Cause   (X6)
 */
int tuza_context_cause(tuza_context *ctx);

/*
 * When the context ends at the latest.
 *
 *   deadline  set to the time (tuza_now, ns) if there is one, else left alone. May be NULL.
 *
 * Returns  whether there is one.
 * Go       Deadline   (X1)
 */
bool tuza_context_deadline(tuza_context *ctx, int64_t *deadline);

/*
 * Returns  the value of the nearest tuza_context_with_value with this key, from the context
 *          upwards; NULL if there is none.
 * Panics   "nil key".
 * Go       Value   (X1)
 */
void *tuza_context_value(tuza_context *ctx, const void *key) TUZA_ADDRESS_ONLY_(2);

/*
 * Writes how the context came about, such as "context.Background.WithCancel.WithValue", cut to
 * bytes - 1 characters.
 *
 * Returns  the length of the whole text, as snprintf.
 * Go       String   (X13)
 */
size_t tuza_context_string(tuza_context *ctx, char *text, size_t bytes);

// ---- calls at the end --------------------------------------------------------------------------

// A call that waits for the end of a context.
typedef struct tuza_context_after tuza_context_after;

/*
 * Starts fn(arg) as a goroutine when the context ends; at once if it has.
 *
 * Returns  what tuza_context_after_stop takes; never NULL.
 * Panics   "tuza: out of memory". When there is no memory for the goroutine at the end, fn runs in
 *          the goroutine that ended the context. "go of nil func value" is fatal.
 * Owns/frees  tuza_context_after_stop, exactly once; also after the context's end, and after fn.
 * Go       context.AfterFunc   (X9)
 */
bool tuza_context_after_stop(tuza_context_after *after);
TUZA_MUST_USE tuza_context_after *tuza_context_after_func(
	tuza_context *ctx, void (*fn)(void *), void *arg) TUZA_FREED_BY_(tuza_context_after_stop);

/*
 * tuza_context_after_stop, above: prevents the call, if it has not begun, and frees `after`.
 *
 * Returns  true when fn will not run; false when it was started. (Its end is not awaited.)
 * Panics   "tuza: stop of a NULL tuza_context_after".
 * Go       the stop function of context.AfterFunc
 */

// ---- waiting with a context --------------------------------------------------------------------

/*
 * Like the function without _ctx, unless the context ends first.
 *
 * Returns  0 when it was done; the context's code, nothing done, when the context has ended: also
 *          when both were possible at the call.
 * Blocks   until either.
 */
TUZA_MUST_USE int tuza_mutex_lock_ctx(tuza_mutex *m, tuza_context *ctx)
	TUZA_TSA_(try_acquire_capability(false, m));
TUZA_MUST_USE int tuza_rwmutex_lock_ctx(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(try_acquire_capability(false, rw));
TUZA_MUST_USE int tuza_rwmutex_rlock_ctx(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(try_acquire_shared_capability(false, rw));
TUZA_MUST_USE int tuza_waitgroup_wait_ctx(tuza_waitgroup *wg, tuza_context *ctx);

// `m` is locked again in either case. 0: it was signalled, and no signal is lost otherwise.
TUZA_MUST_USE int tuza_cond_wait_ctx(tuza_cond *cond, tuza_mutex *m, tuza_context *ctx);

// A weight above the size waits for the context, without keeping others from theirs. Go: Acquire
// of x/sync/semaphore (E3)
TUZA_MUST_USE int tuza_semaphore_acquire(tuza_semaphore *s, tuza_context *ctx, int64_t n);

// Returns 0 or TUZA_EPANIC and frees the handle, as tuza_join; or the context's code, and the
// handle stays. Panics as tuza_join.
TUZA_MUST_USE int tuza_join_ctx(tuza_context *ctx, tuza_goroutine *h);

// 0 when all of d has passed. d <= 0: the context's code, at once.
int tuza_sleep_ctx(tuza_context *ctx, tuza_duration d);

/*
 * Sends *v, or receives into *v (NULL: drops it), as tuza_chan_send and tuza_chan_recv.
 *
 * Returns  besides: tuza_chan_recv_ctx TUZA_ECLOSED, *v zeroed, when the channel is closed and
 *          drained. Of a ready channel and an ended context the context is reported.
 * Panics   as tuza_chan_send and tuza_chan_recv.
 * Blocks   until it was done or the context ends.
 * Go       select { case c <- v: case <-ctx.Done(): }
 */
TUZA_MUST_USE int tuza_chan_send_ctx(tuza_chan *c, tuza_context *ctx, const void *v);
TUZA_MUST_USE int tuza_chan_recv_ctx(tuza_chan *c, tuza_context *ctx, void *v);

// ---- for TUZA_DEBUG=lockorder: private, as in tuza/sync.h ---------------------------------------

TUZA_MUST_USE int tuza_mutex_lock_ctx_watched_(tuza_mutex *m, tuza_context *ctx)
	TUZA_TSA_(try_acquire_capability(false, m));
TUZA_MUST_USE int tuza_rwmutex_lock_ctx_watched_(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(try_acquire_capability(false, rw));
TUZA_MUST_USE int tuza_rwmutex_rlock_ctx_watched_(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(try_acquire_shared_capability(false, rw));
#if TUZA_WATCH_LOCKS
#define tuza_mutex_lock_ctx tuza_mutex_lock_ctx_watched_
#define tuza_rwmutex_lock_ctx tuza_rwmutex_lock_ctx_watched_
#define tuza_rwmutex_rlock_ctx tuza_rwmutex_rlock_ctx_watched_
#endif

#ifdef __cplusplus
}
#endif

// The context that ends with a signal.
#include <tuza/signal.h>

#endif
