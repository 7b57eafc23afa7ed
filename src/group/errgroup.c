// SPDX-License-Identifier: MIT
/*
 * Error groups: a context, a waitgroup of the tasks under way, a semaphore if there is a limit, and
 * the first failure under a mutex. A task that succeeds touches only the waitgroup and, with a
 * limit, the semaphore.
 *
 * A panic is recorded by a deferred call inside the task's try, where its text and stack are still
 * to be had, and recorded only if the try is going to contain it. Asking the try for them would
 * need room for both in every task's first page of stack. One that nothing contains, a fault, ends
 * the process; the task then never counts as ended, so that nobody goes on as if all were well.
 *
 * Locks: the group's mutex, held over no other call than formatting a message or a stack. After
 * golang.org/x/sync/errgroup.
 */
#include <tuza/errgroup.h>

#include "base/fatal.h"
#include "base/race_hooks.h"
#include "context/context.h"
#include "debug/dump.h"
#include "panic/panic.h"
#include "sched/current.h"
#include "sync/waitgroup_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/error.h>

struct tuza_errgroup {
	tuza_context *context; // constant

	// any thread
	tuza_waitgroup tasks;
	tuza_semaphore slots; // if limited
	tuza_mutex lock;

	bool limited; // changed while no task is under way

	// guarded by lock
	int code;               // the first failure's; 0: none
	const char *message;    // its words, in one of the next three; NULL: none were left
	char *long_message;     // malloc'ed
	tuza_panic_info *panic; // the first one, malloc'ed; NULL: none
	char short_message[96]; // room for most words: a guess
};

// ---- failures ------------------------------------------------------------------------------

// Whether this is the first failure. Needs: the lock.
static bool record(tuza_errgroup *group, int code)
{
	if (group->code != 0)
		return false;
	group->code = code;
	return true;
}

// Tells the others. Without the lock: calls at the context's end are started by it.
static void stop_others(tuza_errgroup *group, int code)
{
	tuza_context_cancel_cause(group->context, code);
}

static void fail_without_words(tuza_errgroup *group, int code)
{
	tuza_mutex_lock(&group->lock);
	bool first = record(group, code);
	tuza_mutex_unlock(&group->lock);
	if (first)
		stop_others(group, code);
}

// Keeps the words of the first failure; without memory as many as there is room for. Needs: the
// lock.
static void PRINTF(2, 0) keep_words(tuza_errgroup *group, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	group->message = group->short_message;
	int length = vsnprintf(group->short_message, sizeof group->short_message, format, args);
	if (length >= (int)sizeof group->short_message) {
		group->long_message = malloc((size_t)length + 1);
		if (group->long_message) {
			vsnprintf(group->long_message, (size_t)length + 1, format, again);
			group->message = group->long_message;
		}
	}
	va_end(again);
}

EXPORT int tuza_errgroup_fail(tuza_errgroup *group, int code, const char *format, ...)
{
	int saved_errno = errno;
	va_list args;

	if (code == 0)
		return 0;
	tuza_mutex_lock(&group->lock);
	bool first = record(group, code);
	if (first) {
		va_start(args, format);
		keep_words(group, format, args);
		va_end(args);
	}
	tuza_mutex_unlock(&group->lock);
	if (first)
		stop_others(group, code);
	errno = saved_errno;
	return code;
}

// ---- a task --------------------------------------------------------------------------------

struct task {
	tuza_errgroup *group;
	int (*fn)(void *);
	void *arg;
	int code;
};

static void task_left(tuza_errgroup *group)
{
	if (group->limited)
		tuza_semaphore_release(&group->slots, 1);
	tuza_waitgroup_done(&group->tasks);
	// From here on the group may be gone.
}

// However it ended; but a panic is here only on its way to end the process.
static void task_end(tuza_errgroup *group)
{
	if (!(goroutine_current()->flags & GOROUTINE_PANICKING))
		task_left(group);
}

// Keeps text and stack of the first panic, if there is memory. Needs: the lock.
static void keep_panic(tuza_errgroup *group, const char *text)
{
	if (group->panic)
		return;
	group->panic = malloc(sizeof *group->panic);
	if (unlikely(!group->panic))
		return;
	snprintf(group->panic->message, sizeof group->panic->message, "%s", text);
	report_stack_text(group->panic->stack, sizeof group->panic->stack, 0);
}

static void task_meet_panic(tuza_errgroup *group)
{
	const struct goroutine *self = goroutine_current();

	if (likely(!(self->flags & GOROUTINE_PANICKING)))
		return;
	const char *text = panic_contained_text(self);
	if (!text)
		return;
	tuza_mutex_lock(&group->lock);
	bool first = record(group, TUZA_EPANIC);
	keep_panic(group, text);
	if (first && group->panic) {
		group->message = group->panic->message;
	} else if (first) {
		snprintf(group->short_message, sizeof group->short_message, "%s", text);
		group->message = group->short_message;
	}
	tuza_mutex_unlock(&group->lock);
	if (first)
		stop_others(group, TUZA_EPANIC);
}

static void task_call(void *arg)
{
	struct task *task = arg;

	TUZA_DEFER(task_meet_panic, task->group);
	task->code = task->fn(task->arg);
}

static void task_run(tuza_errgroup *group, int (*fn)(void *), void *arg)
{
	struct task task = {group, fn, arg, 0};

	TUZA_DEFER(task_end, group);
	if (likely(tuza_try(task_call, &task, NULL) == 0) && unlikely(task.code != 0))
		fail_without_words(group, task.code);
}

// ---- starting tasks ------------------------------------------------------------------------

// Needs: a slot, if limited. `owned`: freed when the task has ended. False: out of memory.
static bool task_start(
	tuza_errgroup *group, int (*fn)(void *), void *arg, void *owned, uintptr_t created_at)
{
	struct arch_registers r = {.gpr = {(uintptr_t)group, (uintptr_t)fn, (uintptr_t)arg}};

	tuza_waitgroup_add(&group->tasks, 1);
	if (likely(goroutine_start((void (*)(void))task_run, &r, owned, created_at) == 0))
		return true;
	fail_without_words(group, -ENOMEM);
	task_left(group);
	return false;
}

static void check_function(int (*fn)(void *))
{
	if (unlikely(!fn))
		fatal("go of nil func value");
}

EXPORT void tuza_errgroup_go(tuza_errgroup *group, int (*fn)(void *), void *arg)
{
	check_function(fn);
	if (group->limited)
		tuza_semaphore_wait(&group->slots, 1);
	(void)task_start(group, fn, arg, NULL, (uintptr_t)__builtin_return_address(0));
}

EXPORT void tuza_errgroup_go_copy(
	tuza_errgroup *group, int (*fn)(void *), const void *args, size_t bytes)
{
	int saved_errno = errno;

	check_function(fn);
	void *copy = malloc(bytes ? bytes : 1);
	errno = saved_errno;
	if (unlikely(!copy)) {
		fail_without_words(group, -ENOMEM);
		return;
	}
	if (bytes)
		memcpy(copy, args, bytes);
	race_release(copy); // pairs with schedule_ended, which frees it
	if (group->limited)
		tuza_semaphore_wait(&group->slots, 1);
	if (!task_start(group, fn, copy, copy, (uintptr_t)__builtin_return_address(0)))
		free(copy);
}

EXPORT bool tuza_errgroup_try_go(tuza_errgroup *group, int (*fn)(void *), void *arg)
{
	check_function(fn);
	if (group->limited && !tuza_semaphore_try_acquire(&group->slots, 1))
		return false;
	return task_start(group, fn, arg, NULL, (uintptr_t)__builtin_return_address(0));
}

EXPORT void tuza_errgroup_set_limit(tuza_errgroup *group, int n)
{
	// Relaxed: who orders it right finds 0; others find their mistake if they are lucky.
	int32_t active = waitgroup_counter(load_relaxed(&group->tasks.state));

	if (unlikely(active != 0))
		tuza_panic("errgroup: modify limit while %d goroutines in the group are still "
			   "active",
			active);
	group->limited = n >= 0;
	if (n >= 0)
		tuza_semaphore_init(&group->slots, n);
}

// ---- the group -----------------------------------------------------------------------------

EXPORT tuza_errgroup *tuza_errgroup_new(tuza_context *parent)
{
	int saved_errno = errno;
	tuza_context *ctx = context_with_cancel(parent, (uintptr_t)__builtin_return_address(0));
	tuza_errgroup *group = malloc(sizeof *group);

	errno = saved_errno;
	if (unlikely(!group)) {
		tuza_context_free(ctx);
		tuza_panic("tuza: out of memory");
	}
	*group = (tuza_errgroup){.context = ctx};
	return group;
}

EXPORT tuza_context *tuza_errgroup_context(tuza_errgroup *group) { return group->context; }

EXPORT int tuza_errgroup_wait(tuza_errgroup *group)
{
	tuza_waitgroup_wait(&group->tasks);
	tuza_mutex_lock(&group->lock);
	int code = group->code;
	tuza_mutex_unlock(&group->lock);
	stop_others(group, code);
	return code;
}

EXPORT const char *tuza_errgroup_message(tuza_errgroup *group)
{
	tuza_mutex_lock(&group->lock);
	const char *message = group->message ? group->message : tuza_strerror(group->code);
	tuza_mutex_unlock(&group->lock);
	return message;
}

EXPORT const tuza_panic_info *tuza_errgroup_panic(tuza_errgroup *group)
{
	tuza_mutex_lock(&group->lock);
	const tuza_panic_info *panic = group->panic;
	tuza_mutex_unlock(&group->lock);
	return panic;
}

EXPORT void tuza_errgroup_free(tuza_errgroup *group)
{
	if (!group)
		return;
	tuza_context_cancel(group->context);
	tuza_waitgroup_wait(&group->tasks);
	tuza_context_free(group->context);
	free(group->long_message);
	free(group->panic);
	free(group);
}
