// SPDX-License-Identifier: MIT
/*
 * Starting processes.
 *
 * All that may fail is made before the child, but the call at the context's end, which needs it:
 * so what cannot be started leaves nothing behind.
 */
#include "process/process.h"

#include "net/descriptor.h"
#include "sys/files.h"
#include "sys/process.h"
#include <tuza/goroutine.h>
#include <tuza/panic.h>
#include <tuza/time.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

// What the child is to have, and what of that is ours to close.
struct files {
	int at[SYS_SPAWN_FILES];
	int count;
	bool is_ours[STREAMS];
};

// ---- options -----------------------------------------------------------------------------------

static bool stream_makes_sense(const tuza_process_stream *s, int number)
{
	switch (s->kind_) {
	case TUZA_PROCESS_NULL_:
	case TUZA_PROCESS_INHERIT_:
	case TUZA_PROCESS_PIPE_:
		return true;
	case TUZA_PROCESS_FD_:
		return s->fd_ >= 0;
	case TUZA_PROCESS_BYTES_:
		return number == 0;
	case TUZA_PROCESS_BUFFER_:
		return number > 0 && s->buffer_;
	case TUZA_PROCESS_CALL_:
		return number > 0 && s->fn_;
	case TUZA_PROCESS_SAME_:
		return number == 2;
	default:
		return false;
	}
}

static int check_options(const char *const *argv, const tuza_process_options *o)
{
	// A signal that there is not would never end it.
	if (!argv || !argv[0] || o->wait_delay < 0 || o->cancel_signal < 0 ||
		o->cancel_signal >= NSIG)
		return -EINVAL;
	if (!stream_makes_sense(&o->in, 0) || !stream_makes_sense(&o->out, 1) ||
		!stream_makes_sense(&o->err, 2))
		return -EINVAL;
	if (o->file_count > SYS_SPAWN_FILES - STREAMS)
		return -EMFILE;
	if (o->file_count > 0 && !o->files)
		return -EINVAL;
	for (size_t i = 0; i < o->file_count; i++)
		if (o->files[i] < 0)
			return -EBADF;
	return 0;
}

// ---- files -------------------------------------------------------------------------------------

static void close_ours(struct files *f)
{
	for (int i = 0; i < STREAMS; i++)
		if (f->is_ours[i])
			(void)sys_close(f->at[i]);
	memset(f->is_ours, 0, sizeof f->is_ours);
}

// A pipe, its far end the child's, ours the caller's or a copier's.
static int open_pipe(
	tuza_process *p, int number, const tuza_process_stream *stream, struct files *f)
{
	int ends[2];
	tuza_conn *conn;
	int error = sys_pipe(ends);

	if (error)
		return error;
	f->at[number] = ends[number ? 1 : 0];
	f->is_ours[number] = true;
	int our_end = ends[number ? 0 : 1];
	error = descriptor_conn(our_end, &conn);
	if (error) {
		(void)sys_close(our_end);
		return error;
	}
	if (stream->kind_ == TUZA_PROCESS_PIPE_)
		p->pipes[number] = conn;
	else
		error = copier_start(p, conn, stream);
	if (error)
		(void)tuza_conn_close(conn);
	return error;
}

static int open_stream(
	tuza_process *p, int number, const tuza_process_stream *stream, struct files *f)
{
	int fd;

	switch (stream->kind_) {
	case TUZA_PROCESS_NULL_:
		do
			fd = sys_open("/dev/null", number ? O_WRONLY : O_RDONLY, 0);
		while (fd == -EINTR);
		f->is_ours[number] = fd >= 0;
		break;
	case TUZA_PROCESS_INHERIT_:
		fd = number;
		break;
	case TUZA_PROCESS_FD_:
		fd = stream->fd_;
		break;
	case TUZA_PROCESS_SAME_:
		fd = f->at[1];
		break;
	default:
		return open_pipe(p, number, stream, f);
	}
	f->at[number] = fd;
	return fd < 0 ? fd : 0;
}

static int open_files(tuza_process *p, const tuza_process_options *o, struct files *f)
{
	int error = open_stream(p, 0, &o->in, f);

	if (!error)
		error = open_stream(p, 1, &o->out, f);
	if (!error)
		error = open_stream(p, 2, &o->err, f);
	for (size_t i = 0; i < o->file_count; i++)
		f->at[STREAMS + i] = o->files[i];
	f->count = STREAMS + (int)o->file_count;
	return error;
}

// ---- the child ---------------------------------------------------------------------------------

static int spawn(const char *const *argv, const tuza_process_options *o, const struct files *f)
{
	char path[PATH_MAX];
	const char **environment = environment_make(o->env, o->env_more);
	struct sys_spawn s = {
		.path = path,
		.argv = argv,
		.environment = environment,
		.directory = o->dir,
		.files = f->at,
		.file_count = f->count,
		.new_group = o->group,
		.new_sid = o->setsid,
	};

	if (!environment)
		return -ENOMEM;
	tuza_blocking_begin();
	int pid = path_find(o->path ? o->path : argv[0], path, sizeof path);
	if (pid == 0)
		pid = sys_spawn(&s);
	tuza_blocking_end();
	free(environment);
	return pid;
}

/*
 * A file that somebody has just written cannot be executed while it is open for writing; and a
 * child that another goroutine starts has it open until it executes its own program. So that
 * passes (golang/go#22315).
 */
static int spawn_patiently(
	const char *const *argv, const tuza_process_options *o, const struct files *f)
{
	const int64_t longest = 100 * TUZA_MILLISECOND; // a guess
	int pid = spawn(argv, o, f);

	for (int64_t pause = TUZA_MILLISECOND; pid == -ETXTBSY && pause < longest; pause *= 2) {
		tuza_sleep(pause);
		pid = spawn(argv, o, f);
	}
	return pid;
}

static void watch_context(void *process)
{
	tuza_process *p = process;

	p->done = tuza_context_done(p->ctx);
	p->after = tuza_context_after_func(p->ctx, canceller_run, p);
}

// ---- the call ----------------------------------------------------------------------------------

static tuza_process *make(tuza_context *ctx, const tuza_process_options *o)
{
	tuza_process *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	if (tuza_chan_try_new(0, 0, &p->reaped) != 0) {
		free(p);
		return NULL;
	}
	p->ctx = tuza_context_retain(ctx);
	p->descriptor = -1;
	p->has_group = o->group || o->setsid;
	p->cancel_signal = o->cancel_signal ? o->cancel_signal : SIGKILL;
	p->cancel = o->cancel;
	p->cancel_arg = o->cancel_arg;
	p->wait_delay = o->wait_delay;
	return p;
}

// There is no child (any more): the copiers' pipes have no other end.
static void undo(tuza_process *p)
{
	if (!p->is_over)
		copiers_await(p, INT64_MAX, INT64_MAX);
	process_destroy(p);
}

static int start(tuza_process *p, const char *const *argv, const tuza_process_options *o)
{
	struct files files = {.count = 0};
	int pid = open_files(p, o, &files);

	if (pid == 0)
		pid = spawn_patiently(argv, o, &files);
	close_ours(&files);
	if (pid < 0)
		return pid;
	p->pid = pid;
	int descriptor = sys_process_descriptor(pid);
	p->descriptor = descriptor >= 0 ? descriptor : -1;
	tuza_waitgroup_add(&p->canceller, 1);
	// Nothing but the lack of memory panics there.
	if (tuza_try(watch_context, p, NULL) == 0)
		return 0;
	tuza_waitgroup_done(&p->canceller);
	(void)tuza_process_signal(p, SIGKILL);
	(void)tuza_process_wait(p, NULL);
	return -ENOMEM;
}

EXPORT int tuza_process_start(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, tuza_process **result)
{
	static const tuza_process_options none = {.path = NULL};
	const tuza_process_options *o = options ? options : &none;

	*result = NULL;
	int error = tuza_context_err(ctx); // panics for NULL
	if (!error)
		error = check_options(argv, o);
	if (error)
		return error;
	tuza_process *p = make(ctx, o);
	if (!p)
		return -ENOMEM;
	error = start(p, argv, o);
	if (error)
		undo(p);
	else
		*result = p;
	return error;
}

EXPORT int tuza_process_pid(const tuza_process *p) { return p->pid; }
EXPORT tuza_conn *tuza_process_in(const tuza_process *p) { return p->pipes[0]; }
EXPORT tuza_conn *tuza_process_out(const tuza_process *p) { return p->pipes[1]; }
EXPORT tuza_conn *tuza_process_err(const tuza_process *p) { return p->pipes[2]; }
