// SPDX-License-Identifier: MIT
/*
 * Patterns: the usual shapes of concurrent programs, ready made. None of them leaves a goroutine
 * behind: each ends when its input is closed, when its context ends or when its work fails.
 *
 *	static int square(tuza_context *ctx, const void *in, void *out, void *arg)
 *	{
 *		*(int *)out = *(const int *)in * *(const int *)in;
 *		return 0;
 *	}
 *
 *	tuza_context *ctx = tuza_context_with_cancel(parent);
 *	TUZA_DEFER(tuza_context_free, ctx);
 *	tuza_chan *squares = tuza_pipeline_stage(ctx, numbers, sizeof(int), square, NULL);
 *	for (int v; tuza_recv(squares, &v);)
 *		printf("%d\n", v);
 *	tuza_chan_release(squares);
 *	return tuza_context_cause(ctx);         // 0, or why the values ended early
 *
 * Two kinds. Those that return a code (tuza_worker_pool, tuza_parallel, a scope, tuza_supervise)
 * return when every goroutine of theirs has ended; they borrow what they are given. Those that
 * return channels return at once, and work on in goroutines of their own:
 *
 *   - they take over the caller's reference to their input, so that calls can be nested; retain the
 *     input first if it is needed for something else. Whoever sends to it closes
 *     it, whatever happens, and needs no reference for that: an input that nobody else holds when
 *     the context ends stays until then;
 *   - the caller owns the channels that it gets and releases them. Each is closed at the end, and
 *     by then the pattern has let go of everything else: its input, its context, `arg`;
 *   - they hold a reference to the context: its maker may free it, which stops them;
 *   - a channel that nobody receives from any more keeps them waiting: end the context.
 *
 * Work fails by returning anything but 0, or with TUZA_EPANIC by a panic or tuza_goexit, which are
 * contained. The first failure counts. It ends the context that work is called with, with the code
 * as its cause: a context of the pattern's own, derived from the caller's.
 *
 * Values are copied by the sizes of their channels. A value that was received is always given to
 * work, which owns it from then on. One that was made, but that nobody takes because the context
 * ends, goes to the on_drop function of the channel that it was meant for, if there is one; so do,
 * as in any channel, those in a buffer that is released. What work left in `out` when it failed is
 * not looked at.
 *
 * A NULL context panics "nil context", a NULL channel for input "… of nil channel", and a NULL
 * function is fatal, "go of nil func value". Everything here may be called from any goroutine or
 * thread, but not from a signal handler.
 */
#ifndef TUZA_PATTERN_H
#define TUZA_PATTERN_H

#include <tuza/chan.h>
#include <tuza/context.h>
#include <tuza/macros.h>
#include <tuza/panic.h>
#include <tuza/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The work on one value.
 *
 *   ctx  ends when the caller's does, or by the first failure: work that takes long watches it.
 *   in   the value: an element of the input. work owns what it refers to.
 *   out  room for one element of the output, zeroed; NULL if there is no output.
 *   arg  that of the pattern: shared by all goroutines of it.
 *
 * Returns  0: *out is the result. Any other value is a failure.
 */
typedef int (*tuza_work_fn)(tuza_context *ctx, const void *in, void *out, void *arg);

// ---- worker pool -------------------------------------------------------------------------------

/*
 * Has `workers` goroutines work on the values of `jobs` and send what they make to `results`, in
 * no order, then closes `results`.
 *
 *   workers  how many values are worked on at the same time, at most: once the pool is over, or the
 *            jobs are drained, no more are started.
 *   jobs     whoever sends to it closes it. What is in it when the pool ends early stays there: its
 *            senders should watch the caller's context.
 *   results  closed by nobody else. NULL: work has no output.
 *
 * Returns  0 when `jobs` was closed and every job done; else the code of the first failure, or the
 *          context's, when that ended first. -ENOMEM if not one worker could be had; if only some
 *          could, they do.
 * Panics   "tuza_worker_pool: no workers"; in the caller's name when `results` is closed already.
 * Blocks   until all workers have ended; each finishes the job that it is at.
 * Orders   everything that work did is visible after the return, and what it did for one job to
 *          the receiver of its result.
 */
int tuza_worker_pool(tuza_context *ctx, size_t workers, tuza_chan *jobs, tuza_chan *results,
	tuza_work_fn work, void *arg);

// ---- loops -------------------------------------------------------------------------------------

/*
 * Calls fn(ctx, i, arg) for each i below `n`, at most `limit` of them at the same time; they begin
 * in order.
 *
 *   limit  SIZE_MAX: all at the same time. Once the loop is over no more goroutines are started.
 *
 * Returns  0 when all have been called and returned 0; else the code of the first failure, after
 *          which none begins, or the context's, when it ended before the last one began. -ENOMEM if
 *          not one goroutine could be had.
 * Panics   "tuza_parallel: a limit of 0", unless n is 0.
 * Blocks   until all that began have ended.
 * Orders   everything that fn did is visible after the return.
 */
int tuza_parallel(tuza_context *ctx, size_t n, size_t limit,
	int (*fn)(tuza_context *ctx, size_t i, void *arg), void *arg);

// ---- pipelines ---------------------------------------------------------------------------------

/*
 * A stage of a pipeline: a goroutine that works on the values of `in` and sends what it makes to a
 * new channel, in the same order.
 *
 *   in         its reference is taken over.
 *   out_bytes  the size of what work makes.
 *
 * A failure ends `ctx` with the code as its cause, and so every stage that was given the same; make
 * one for each pipeline. A context that cannot be cancelled (a root, a value) cannot tell: then the
 * output ends, what still comes in is received and dropped until it is closed, and a panic is not
 * contained, as in any goroutine.
 *
 * Returns  the output, closed when `in` is closed and drained, when `ctx` has ended or when work
 *          has failed: tuza_context_cause(ctx) tells. Its capacity is that of `in`, at most 256. A
 *          drop function may be set at once.
 * Panics   "makechan: size out of range"; "tuza: out of memory". `in` is the caller's then.
 * Blocks   never.
 * Orders   everything that work did for a value is visible to its receiver.
 * Owns/frees  tuza_chan_release.
 */
TUZA_MUST_USE tuza_chan *tuza_pipeline_stage(
	tuza_context *ctx, tuza_chan *in, size_t out_bytes, tuza_work_fn work, void *arg);

/*
 * `n` stages that share one input: each value is worked on by one of them, whichever is free.
 *
 *   outs  gets n channels, as tuza_pipeline_stage makes them. One stage that fails ends all.
 *
 * Returns  0; -ENOMEM, and then `outs` are NULL and `in` is still the caller's.
 * Panics   "tuza_fan_out: no outputs"; "makechan: size out of range".
 * Blocks   never.
 * Otherwise as tuza_pipeline_stage.
 */
TUZA_MUST_USE int tuza_fan_out(tuza_context *ctx, tuza_chan *in, size_t n, size_t out_bytes,
	tuza_work_fn work, void *arg, tuza_chan *outs[]);

/*
 * Merges `n` channels into one: values of the same input stay in order.
 *
 *   in  channels of the same element size; the references are taken over, the array is not kept.
 *
 * Returns  the output, closed when all inputs are closed and drained or when ctx has ended, and
 *          then perhaps before those who feed the inputs have. Its capacity and its drop function
 *          are those of in[0], the capacity at most 256.
 * Panics   "tuza_fan_in: no channels", "tuza_fan_in: channels of 4 and 8 bytes"; "tuza: out of
 *          memory". The inputs are the caller's then.
 * Blocks   never.
 * Owns/frees  tuza_chan_release.
 */
TUZA_MUST_USE tuza_chan *tuza_fan_in(tuza_context *ctx, size_t n, tuza_chan *const in[]);

/*
 * The same values as `in`, until it is closed or ctx ends: a receive in a plain loop ends with the
 * context, too.
 *
 *	tuza_chan *c = tuza_or_done(ctx, tuza_chan_retain(events));
 *	while (tuza_recv(c, &event)) …
 *
 * What is left in `in` stays there if somebody else holds it.
 *
 * Returns, Panics, Blocks, Owns/frees   as tuza_fan_in.
 */
TUZA_MUST_USE tuza_chan *tuza_or_done(tuza_context *ctx, tuza_chan *in);

/*
 * Copies each value of `in` to all of `n` outputs. An output that nobody receives from holds the
 * others back once its buffer is full; tuza_broadcast does not.
 *
 *   outs    gets n channels, as tuza_or_done makes them.
 *   retain  called on each copy but the first, for values that own something: it counts one more
 *           owner, or replaces the copy by a deep one. The outputs then have the drop function of
 *           `in`. NULL: bytes are copied, the values own nothing, and the outputs have no drop
 *           function (unless n is 1). Must not panic.
 *
 * Returns  0; -ENOMEM, and then `outs` are NULL and `in` is still the caller's.
 * Panics   "tuza_tee: no outputs", "tuza_tee: too many outputs (max 65535)".
 * Blocks   never.
 */
TUZA_MUST_USE int tuza_tee(
	tuza_context *ctx, tuza_chan *in, size_t n, tuza_chan *outs[], void (*retain)(void *elem));

// ---- broadcast ---------------------------------------------------------------------------------

/*
 * Sends each value to all who are subscribed at that moment. They come and go at any time.
 *
 *	tuza_broadcast *news = tuza_broadcast_new(sizeof(struct item));
 *
 *	tuza_subscription *s = tuza_subscribe(news, 16, TUZA_SLOW_SKIP);
 *	TUZA_DEFER(tuza_unsubscribe, s);
 *	while (tuza_recv(tuza_subscription_chan(s), &item)) …
 *
 * All subscribers see the values in the same order.
 */
typedef struct tuza_broadcast tuza_broadcast;
typedef struct tuza_subscription tuza_subscription;

// What is done for a subscriber whose channel is full.
typedef enum tuza_slow_policy {
	TUZA_SLOW_WAIT,        // the sender waits for it
	TUZA_SLOW_SKIP,        // it misses this value
	TUZA_SLOW_DROP_OLDEST, // it misses the oldest value of its buffer, and gets this one
	TUZA_SLOW_UNSUBSCRIBE, // it gets nothing more: its channel is closed
} tuza_slow_policy;

/*
 * Makes a broadcast.
 *
 * Returns  a broadcast without subscribers; never NULL.
 * Panics   "makechan: size out of range" for elem_bytes above 65535; "tuza: out of memory".
 * Owns/frees  tuza_broadcast_free.
 */
void tuza_broadcast_free(tuza_broadcast *b);
TUZA_MUST_USE tuza_broadcast *tuza_broadcast_new(size_t elem_bytes)
	TUZA_FREED_BY_(tuza_broadcast_free);

/*
 * For values that own something. Set before the first subscription. Both are called under the
 * broadcast's lock: they must neither panic nor use it.
 *
 *   retain  called on the copy of each subscriber: counts one more owner, or replaces it by a deep
 *           copy. The value that was sent stays the sender's.
 *   drop    called on each copy that is not received.
 */
void tuza_broadcast_on_copy(
	tuza_broadcast *b, void (*retain)(void *elem), void (*drop)(void *elem));

/*
 * Sends *v to all subscribers: first to all that have room, then to those that it has to wait for.
 *
 * Returns  0; the context's code when that ended first, and then some have not got the value;
 *          TUZA_ECLOSED after tuza_broadcast_close.
 * Blocks   for other senders, and for subscribers with TUZA_SLOW_WAIT, each until it receives,
 *          unsubscribes, or ctx ends.
 * Orders   as sends to the subscribers' channels.
 */
int tuza_broadcast_send(tuza_broadcast *b, tuza_context *ctx, const void *v);

/*
 * No value will be sent any more: the channels of all subscribers are closed. May be called again.
 *
 * Blocks   for a send that is under way.
 */
void tuza_broadcast_close(tuza_broadcast *b);

/*
 * tuza_broadcast_free, above: closes it and gives it up. Subscriptions live on until they are
 * unsubscribed, and may still be drained.
 *
 * Blocks   as tuza_broadcast_close.
 */

/*
 * Subscribes: from now on.
 *
 *   capacity  of the subscriber's channel.
 *   policy    for when it is full.
 *
 * Returns  never NULL; its channel is closed if the broadcast is.
 * Panics   "tuza: out of memory"; "makechan: size out of range"; "tuza_subscribe: no such policy".
 * Owns/frees  tuza_unsubscribe.
 */
void tuza_unsubscribe(tuza_subscription *s);
TUZA_MUST_USE tuza_subscription *tuza_subscribe(tuza_broadcast *b, size_t capacity,
	tuza_slow_policy policy) TUZA_FREED_BY_(tuza_unsubscribe);

/*
 * tuza_unsubscribe, above: ends the subscription and frees it. A sender that waits for it goes on;
 * values that were not received are dropped. Whoever still holds the channel finds it closed, as
 * soon as that sender has left it.
 *
 * Blocks   never for long: not for senders that wait.
 */

// The channel, borrowed until tuza_unsubscribe.
tuza_chan *tuza_subscription_chan(tuza_subscription *s);

// How many values it has missed, and would have got with TUZA_SLOW_WAIT.
uint64_t tuza_subscription_missed(const tuza_subscription *s);

// ---- scope -------------------------------------------------------------------------------------

/*
 * Goroutines that do not outlive a block (structured concurrency). The first failure ends the
 * scope's context, which tells the others to stop; closing waits for all.
 *
 *	tuza_scope *s = tuza_scope_open(ctx);
 *	TUZA_DEFER(tuza_scope_close, s);        // whichever way the block is left
 *	tuza_scope_go(s, fetch, &left);
 *	tuza_scope_go(s, fetch, &right);
 *	int code = tuza_scope_wait(s);
 */
typedef struct tuza_scope tuza_scope;

/*
 * Waits for all goroutines of the scope, then ends its context and frees it. When a panic or
 * tuza_goexit leaves the block, the context is ended first.
 *
 * Returns  0 or the code of the first failure.
 * Blocks   until all have ended. A goroutine of the scope must not close it.
 * Orders   everything that they did is visible after the return.
 */
int tuza_scope_close(tuza_scope *s);

/*
 * Opens a scope.
 *
 *   ctx  what the scope's context is derived from.
 *
 * Returns  a scope without goroutines; never NULL.
 * Panics   "tuza: out of memory".
 * Owns/frees  tuza_scope_close.
 */
TUZA_MUST_USE tuza_scope *tuza_scope_open(tuza_context *ctx) TUZA_FREED_BY_(tuza_scope_close);

// The scope's own context, borrowed: ends with the one it was opened with, by the first failure,
// by tuza_scope_cancel, or when the scope is closed.
tuza_context *tuza_scope_context(tuza_scope *s);

/*
 * Starts fn(ctx, arg) in the scope, `ctx` the scope's; also when that has ended. Goroutines of the
 * scope may start more.
 *
 * Returns  0; -ENOMEM, a failure of the scope: fn is not called.
 * Blocks   never.
 * Orders   everything before is visible to fn.
 */
int tuza_scope_go(tuza_scope *s, int (*fn)(tuza_context *ctx, void *arg), void *arg);

// The same with a pointer to a copy of `args`, valid until fn returns: see tuza_go_copy. Returns as
// tuza_scope_go.
int tuza_scope_go_copy(
	tuza_scope *s, int (*fn)(tuza_context *ctx, void *args), const void *args, size_t bytes);

// Tells all to stop: ends the scope's context. No failure by itself.
void tuza_scope_cancel(tuza_scope *s);

/*
 * Waits until none is left. More may be started afterwards.
 *
 * Returns, Blocks, Orders   as tuza_scope_close.
 */
int tuza_scope_wait(tuza_scope *s);

// ---- supervisor --------------------------------------------------------------------------------

// A failure, valid during on_failure.
typedef struct tuza_supervisor_failure {
	int code;            // what the function returned, or TUZA_EPANIC
	const char *message; // the words of the panic, or of the code
	const char *stack;   // where the panic was raised; ""
	uint64_t failures;   // how many there were, with this one
	tuza_duration pause; // until the restart, ns; -1: there will be none
} tuza_supervisor_failure;

// Options of a supervisor. Zeroed means the defaults.
typedef struct tuza_supervisor_options {
	size_t restarts;           // the most within the time below; 0: 5; SIZE_MAX: no limit
	tuza_duration within;      // ns; 0: 10 s
	tuza_duration backoff;     // ns, before the first restart; doubles each time; 0: 50 ms
	tuza_duration backoff_max; // ns; 0: 5 s
	unsigned flags;            // of tuza_try_with: TUZA_RECOVER_FAULTS
	// Called at each failure, before the pause; may be NULL.
	void (*on_failure)(const tuza_supervisor_failure *failure, void *arg);
	void *on_failure_arg;
} tuza_supervisor_options;

/*
 * Runs fn(ctx, arg) in a goroutine, and again, in a new one, after each failure. Between the two it
 * waits: `backoff`, twice as long each time up to `backoff_max`, less a random part of up to a half
 * of it, so that what failed together is not started together. A run that lasted longer than
 * `within` starts the back-off anew.
 *
 * Supervises one function. For several, of which each is restarted by itself, a scope:
 * tuza_scope_supervise.
 *
 *   options  read now; NULL: the defaults.
 *
 * Returns  0 when fn returned 0; the context's code when fn failed or was waited for after the
 *          context's end; the code of the last failure when there were more than `restarts` within
 *          the time; -ENOMEM.
 * Panics   "tuza_supervise: a negative time".
 * Blocks   until then; fn should watch ctx.
 * Orders   everything that fn did is visible after the return, and to its next run.
 */
int tuza_supervise(tuza_context *ctx, const tuza_supervisor_options *options,
	int (*fn)(tuza_context *ctx, void *arg), void *arg);

/*
 * tuza_supervise in a goroutine of the scope: a function whose restarts are used up is a failure of
 * the scope, which ends the others.
 *
 * Returns  as tuza_scope_go.
 */
int tuza_scope_supervise(tuza_scope *s, const tuza_supervisor_options *options,
	int (*fn)(tuza_context *ctx, void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
