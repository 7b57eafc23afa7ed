// SPDX-License-Identifier: MIT
/*
 * Error groups: goroutines that work on parts of one task. The first failure ends the others'
 * context, and is what the wait for all of them returns. After golang.org/x/sync/errgroup.
 *
 *	static int fetch_one(void *arg)
 *	{
 *		struct fetch *f = arg;
 *		int code = fetch(tuza_errgroup_context(f->group), f->url, &f->page);
 *		if (code != 0)
 *			return tuza_errgroup_fail(f->group, code, "fetch %s: %s", f->url,
 *				tuza_strerror(code));
 *		return 0;
 *	}
 *
 *	tuza_errgroup *group = tuza_errgroup_new(ctx);
 *	TUZA_DEFER(tuza_errgroup_free, group);
 *	for (int i = 0; i < n; i++) {
 *		fetches[i].group = group;
 *		tuza_errgroup_go(group, fetch_one, &fetches[i]);
 *	}
 *	if (tuza_errgroup_wait(group) != 0)
 *		fprintf(stderr, "%s\n", tuza_errgroup_message(group));
 *
 * A failure is a nonzero return of a task, a call of tuza_errgroup_fail, a task that could not be
 * started for want of memory (-ENOMEM), or a panic in a task, which is contained (TUZA_EPANIC). The
 * first one counts, for good: it ends the group's context, with its code as the cause, before the
 * task ends. The other tasks are not stopped; they watch the context.
 *
 * All functions, except tuza_errgroup_free, may be called from any goroutine or thread, at the same
 * time, also from the group's own tasks; a task that waits for its group waits for itself.
 */
#ifndef TUZA_ERRGROUP_H
#define TUZA_ERRGROUP_H

#include <tuza/context.h>
#include <tuza/macros.h>
#include <tuza/panic.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_errgroup tuza_errgroup;

/*
 * Ends the group's context, waits for its tasks and frees it. NULL is allowed.
 *
 * Blocks   until all tasks have ended. Nobody else may be using the group any more.
 */
void tuza_errgroup_free(tuza_errgroup *group);

/*
 * Makes a group without tasks and without a limit.
 *
 *   parent  what the group's context is derived from: when it ends, the group's does.
 *
 * Returns  the group; never NULL.
 * Panics   "cannot create context from nil parent"; "tuza: out of memory".
 * Blocks   never.
 * Owns/frees  tuza_errgroup_free.
 * Go       errgroup.WithContext   (E1)
 */
TUZA_MUST_USE tuza_errgroup *tuza_errgroup_new(tuza_context *parent)
	TUZA_FREED_BY_(tuza_errgroup_free);

/*
 * The context that tells the tasks to stop. It ends at the first failure, when a
 * tuza_errgroup_wait returns, at the free, or with the parent. Its cause is the first failure's
 * code, if that was what ended it, else -ECANCELED or the parent's.
 *
 * Returns  a borrowed context, the same each time, valid as long as the group.
 * Go       errgroup.WithContext's
 */
tuza_context *tuza_errgroup_context(tuza_errgroup *group);

// ---- tasks -------------------------------------------------------------------------------------

/*
 * Starts fn(arg) as a goroutine of the group.
 *
 *   fn  a nonzero return is a failure, of either sign. tuza_goexit ends it without one.
 *
 * Errors   out of memory is a failure of the group, -ENOMEM, and fn is not called. Fatal "go of nil
 *          func value".
 * Blocks   while as many tasks as the limit allows are under way; for ever if that is 0. The end of
 *          the context does not end this wait.
 * Orders   everything before is visible to fn; everything fn did is visible after the wait.
 * Go       (*errgroup.Group).Go   (E1, E2)
 */
void tuza_errgroup_go(tuza_errgroup *group, int (*fn)(void *arg), void *arg);

/*
 * The same with a pointer to a copy of `args`, as tuza_go_copy.
 *
 *   args   `bytes` bytes, copied now. May be NULL when bytes is 0.
 *
 * Errors, Blocks, Orders   as tuza_errgroup_go.
 * Owns     the copy is the task's, aligned as malloc aligns, and freed when it has ended.
 */
void tuza_errgroup_go_copy(
	tuza_errgroup *group, int (*fn)(void *args), const void *args, size_t bytes);

/*
 * Starts fn(arg) if the limit allows it now.
 *
 * Returns  true when it was started; false at the limit, and out of memory, which is a failure.
 * Errors   as tuza_errgroup_go.
 * Blocks   never.
 * Go       (*errgroup.Group).TryGo
 */
bool tuza_errgroup_try_go(tuza_errgroup *group, int (*fn)(void *arg), void *arg);

/*
 * Limits how many tasks are under way at the same time.
 *
 *   n  the limit. 0: none can be started. Negative: no limit, as at first.
 *
 * Panics   "errgroup: modify limit while 3 goroutines in the group are still active". Nor may
 *          anybody be starting tasks meanwhile.
 * Blocks   never.
 * Go       (*errgroup.Group).SetLimit   (E1)
 */
void tuza_errgroup_set_limit(tuza_errgroup *group, int n);

// ---- the outcome -------------------------------------------------------------------------------

/*
 * Waits for all tasks, then ends the group's context.
 *
 * Returns  0 when nothing failed, else the first failure's code, each time. TUZA_EPANIC: a task
 *          panicked.
 * Blocks   until no task is under way.
 * Orders   everything the tasks did is visible after the return.
 * Go       (*errgroup.Group).Wait   (E1)
 *
 * Tasks that are started after it find their context ended, and a failure stays: a new piece of
 * work is better given a new group.
 */
int tuza_errgroup_wait(tuza_errgroup *group);

/*
 * Records a failure and its words now, not at the task's return, and ends the group's context; if
 * there was a failure before, does nothing.
 *
 *   code    what tuza_errgroup_wait is to return. 0 is no failure: does nothing.
 *   format  printf's, the words for tuza_errgroup_message.
 *
 * Returns  code, so that a task may end by returning it.
 * Blocks   never.
 * Go       return fmt.Errorf(…)
 */
int tuza_errgroup_fail(tuza_errgroup *group, int code, const char *format, ...) TUZA_PRINTF_(3, 4);

/*
 * The words for the first failure.
 *
 * Returns  those of tuza_errgroup_fail; a panic's text; tuza_strerror of the code when nobody left
 *          any, so "success" when nothing failed. Valid until tuza_errgroup_free.
 * Go       err.Error()
 */
const char *tuza_errgroup_message(tuza_errgroup *group);

/*
 * What the first panic in a task said, and where, whether or not it was the first failure.
 *
 * Returns  a borrowed pointer, valid until tuza_errgroup_free; NULL when no task has panicked, or
 *          there was no memory for it.
 */
const tuza_panic_info *tuza_errgroup_panic(tuza_errgroup *group);

#ifdef __cplusplus
}
#endif
#endif
