// SPDX-License-Identifier: MIT
/*
 * Child processes, as the files of this folder see them.
 *
 * A process is started, ends, is reaped, is over. Its number is its own until it is reaped, so
 * signals are sent, and it is reaped, under `lock`. Whoever waits first does the work of waiting:
 * it holds `turn`, and the others wait for that.
 *
 * Goroutines that belong to it: the copiers, one for each stream that goes to or comes from
 * memory, and while the context's end is dealt with the canceller. The wait returns when they have
 * ended, so nothing of them outlives it.
 */
#ifndef TUZA_PROCESS_PROCESS_H
#define TUZA_PROCESS_PROCESS_H

#include "base/compiler.h"
#include <tuza/chan.h>
#include <tuza/context.h>
#include <tuza/net.h>
#include <tuza/process.h>
#include <tuza/sync.h>
#include <tuza/time.h>

enum { STREAMS = 3, NO_STATUS = -1 };

// Between a stream's pipe and memory.
struct copier {
	// constant
	tuza_process *process;
	tuza_conn *conn; // closed by the copier when it is done
	tuza_process_stream stream;
	// written before the copier says that it is done
	int error;
	bool gave_up; // before the end: somebody keeps the pipe open
};

struct tuza_process {
	// constant after the start
	tuza_context *ctx; // one reference; NULL when it is over
	tuza_chan *done;   // the context's
	int pid;
	int descriptor; // readable when it has ended; -1: none to be had
	bool has_group;
	int cancel_signal;
	int (*cancel)(tuza_process *p, void *arg);
	void *cancel_arg;
	int64_t wait_delay;
	tuza_conn *pipes[STREAMS]; // the caller's; NULL: no pipe
	tuza_context_after *after; // calls canceller_run
	tuza_chan *reaped;         // closed when it is

	struct copier copiers[STREAMS];
	int copier_count;  // that were started
	tuza_chan *copied; // one value for each that is done: room for all

	tuza_waitgroup canceller; // 1 until it has ended, or will not begin

	tuza_mutex lock;
	// guarded by lock
	bool is_reaped;
	bool interrupted;     // the context's end has reached it
	bool killed;          // … or the wait delay: SIGKILL was sent
	int64_t interrupt_at; // when
	int cancel_error;     // what options.cancel returned

	tuza_mutex turn;
	// guarded by turn
	bool is_over;
	int result;
	tuza_process_state state;
};

// The time `delay` from now; INT64_MAX is never, and nothing comes after it.
static inline int64_t process_after(int64_t delay)
{
	int64_t now = tuza_now();

	return delay < INT64_MAX - now ? now + delay : INT64_MAX;
}

// ---- wait.c ----

// Deals with the end of the context, in a goroutine of its own.
void canceller_run(void *process);

// Frees a process that was reaped, or never started; closes the pipes.
void process_destroy(tuza_process *p);

// ---- copy.c ----

// Starts the copier of one stream. On failure the conn stays the caller's.
MUST_USE int copier_start(tuza_process *p, tuza_conn *conn, const tuza_process_stream *stream);

// Waits until the copiers have ended; gives up when the time comes, or `delay` after the context's
// end. until: absolute; INT64_MAX: never.
void copiers_await(tuza_process *p, int64_t until, int64_t delay);

// The first failure; TUZA_EWAITDELAY if one gave up; 0.
int copiers_error(const tuza_process *p);

// ---- path.c ----

// The file that `name` stands for, in `path`. Blocks the thread.
MUST_USE int path_find(const char *name, char *path, size_t bytes);

// `env` or this process's environment, and `more`: to be freed with free(). NULL: no memory.
const char **environment_make(const char *const *env, const char *const *more);

#endif
