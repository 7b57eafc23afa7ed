// SPDX-License-Identifier: MIT
/*
 * Waiting for a process, signals to it, and its end by a context.
 *
 * The kernel tells by the process's descriptor that it has ended. Then it is a zombie, with its
 * number still its own, until it is reaped under `lock`; under the same lock signals are sent. So
 * none ever reaches another process. Where there is no such descriptor, a thread blocks until then.
 *
 * The context's end starts the canceller. The wait takes that back before it returns, or waits for
 * it if it is on its way.
 *
 * Go: src/os/exec/exec.go, watchCtx and Wait; src/os/pidfd_linux.go
 */
#include "process/process.h"

#include "sys/process.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/io.h>
#include <tuza/panic.h>
#include <tuza/select.h>
#include <tuza/time.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

// ---- signals -----------------------------------------------------------------------------------

// Needs: p->lock.
static int send_signal(tuza_process *p, int sig)
{
	if (p->is_reaped)
		return -ESRCH;
	return sys_kill(p->has_group ? -p->pid : p->pid, sig);
}

EXPORT int tuza_process_signal(tuza_process *p, int sig)
{
	tuza_mutex_lock(&p->lock);
	int error = send_signal(p, sig);
	tuza_mutex_unlock(&p->lock);
	return error;
}

static void kill_it(tuza_process *p)
{
	tuza_mutex_lock(&p->lock);
	p->killed = send_signal(p, SIGKILL) == 0;
	tuza_mutex_unlock(&p->lock);
}

// ---- the end of the context --------------------------------------------------------------------

// Returns false when the process was faster.
static bool interrupt(tuza_process *p)
{
	tuza_mutex_lock(&p->lock);
	bool goes_on = !p->is_reaped;
	p->interrupt_at = tuza_now();
	if (goes_on && p->cancel) {
		p->interrupted = true;
	} else if (goes_on && send_signal(p, p->cancel_signal) == 0) {
		p->interrupted = true;
		p->killed = p->cancel_signal == SIGKILL;
	}
	tuza_mutex_unlock(&p->lock);
	return goes_on;
}

static void cancel_and_kill(tuza_process *p)
{
	if (!interrupt(p))
		return;
	int64_t until = p->wait_delay ? process_after(p->wait_delay) : INT64_MAX;
	int error = p->cancel ? p->cancel(p, p->cancel_arg) : 0;

	tuza_mutex_lock(&p->lock);
	p->cancel_error = error;
	bool killed = p->killed;
	tuza_mutex_unlock(&p->lock);
	if (!killed &&
		TUZA_SELECT(tuza_select_recv_(p->reaped, NULL, 0, NULL), TUZA_UNTIL(until)) == 1)
		kill_it(p);
}

void canceller_run(void *process)
{
	tuza_process *p = process;

	cancel_and_kill(p);
	tuza_waitgroup_done(&p->canceller);
}

// Whether the context's end is what ended it. One that SIGKILL was sent to and that exits was
// faster.
static bool ended_by_context(const tuza_process *p, const tuza_process_state *s)
{
	return p->interrupted && !(p->cancel_signal == SIGKILL && !p->cancel && !s->signal);
}

// ---- the end of the process --------------------------------------------------------------------

static void await_end(tuza_process *p)
{
	if (p->descriptor >= 0 && tuza_wait_fd(p->descriptor, POLLIN, 0) >= 0)
		return;
	tuza_blocking_begin();
	(void)sys_process_await(p->pid);
	tuza_blocking_end();
}

static void describe(tuza_process_state *s, int status, const struct sys_usage *u)
{
	s->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : NO_STATUS;
	s->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	s->core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
	s->user_time = u->user_time;
	s->system_time = u->system_time;
	s->most_memory = u->most_memory;
}

// Its end, as a code. -ECHILD: somebody else has taken it.
static int reap(tuza_process *p)
{
	tuza_process_state *s = &p->state;
	struct sys_usage usage;
	int status = 0, n;

	*s = (tuza_process_state){.pid = p->pid, .exit_status = NO_STATUS};
	for (;;) {
		await_end(p);
		tuza_mutex_lock(&p->lock);
		// What the context's end was to end goes with the first of the group.
		if (p->interrupted && p->has_group)
			(void)send_signal(p, SIGKILL);
		n = sys_process_reap(p->pid, &status, &usage);
		p->is_reaped = n != 0;
		tuza_mutex_unlock(&p->lock);
		if (n != 0)
			break;
		tuza_sleep(TUZA_MILLISECOND); // a tracer has it, which may take its time
	}
	tuza_chan_close(p->reaped);
	if (n < 0)
		return n;
	describe(s, status, &usage);
	if (s->signal)
		return TUZA_ESIGNAL(s->signal);
	return s->exit_status ? TUZA_EEXIT(s->exit_status) : 0;
}

// How long to wait for what others keep open: after the end of the process, or of the context.
static int64_t copy_deadline(tuza_process *p)
{
	tuza_mutex_lock(&p->lock);
	int64_t from = p->interrupted ? p->interrupt_at : tuza_now();
	bool for_ever = !p->interrupted && p->wait_delay == 0;
	tuza_mutex_unlock(&p->lock);
	if (for_ever || p->wait_delay > INT64_MAX - from)
		return INT64_MAX;
	return from + p->wait_delay;
}

static int result_of(tuza_process *p, int ended)
{
	if (ended_by_context(p, &p->state))
		return p->cancel_error ? p->cancel_error : tuza_context_err(p->ctx);
	if (ended)
		return ended;
	int copying = copiers_error(p);
	int context = tuza_context_err(p->ctx);
	return copying == TUZA_EWAITDELAY && context ? context : copying;
}

static void finish(tuza_process *p)
{
	int ended = reap(p);

	copiers_await(p, copy_deadline(p), p->wait_delay);
	if (p->after && tuza_context_after_stop(p->after))
		tuza_waitgroup_done(&p->canceller);
	tuza_waitgroup_wait(&p->canceller);
	if (p->descriptor >= 0)
		tuza_close(p->descriptor);
	p->descriptor = -1;
	p->result = result_of(p, ended);
	p->is_over = true;
	tuza_context_release(p->ctx);
	p->ctx = NULL;
}

EXPORT int tuza_process_wait(tuza_process *p, tuza_process_state *state)
{
	tuza_mutex_lock(&p->turn);
	if (!p->is_over)
		finish(p);
	if (state)
		*state = p->state;
	int result = p->result;
	tuza_mutex_unlock(&p->turn);
	return result;
}

// ---- freeing -----------------------------------------------------------------------------------

void process_destroy(tuza_process *p)
{
	for (int i = 0; i < STREAMS; i++)
		if (p->pipes[i])
			(void)tuza_conn_close(p->pipes[i]);
	if (p->copied)
		tuza_chan_release(p->copied);
	if (p->reaped)
		tuza_chan_release(p->reaped);
	if (p->ctx)
		tuza_context_release(p->ctx);
	free(p);
}

// Output that others keep open is not waited for.
EXPORT void tuza_process_free(tuza_process *p)
{
	if (!p)
		return;
	kill_it(p);
	tuza_mutex_lock(&p->lock);
	for (int i = 0; i < p->copier_count && !p->is_reaped; i++)
		(void)tuza_conn_set_deadline(p->copiers[i].conn, 1);
	tuza_mutex_unlock(&p->lock);
	(void)tuza_process_wait(p, NULL);
	process_destroy(p);
}

static void wait_and_free(void *process)
{
	tuza_process *p = process;

	(void)tuza_process_wait(p, NULL);
	process_destroy(p);
}

EXPORT int tuza_process_detach(tuza_process *p)
{
	static const tuza_go_options options = {.name = "detached process"};
	tuza_conn *pipes[STREAMS];

	// Before others can free it. Their handles are harmless when it is done.
	for (int i = 0; i < STREAMS; i++)
		pipes[i] = p->pipes[i];
	int error = tuza_go_with(&options, wait_and_free, p);
	for (int i = 0; i < STREAMS && !error; i++)
		if (pipes[i])
			(void)tuza_conn_close(pipes[i]);
	return error;
}
