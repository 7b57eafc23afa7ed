// SPDX-License-Identifier: MIT
/*
 * Child processes, after Go's os/exec.
 *
 *	tuza_context *ctx = tuza_context_with_timeout(parent, 10 * TUZA_SECOND);
 *	TUZA_DEFER(tuza_context_free, ctx);
 *	char *listing;
 *	size_t bytes;
 *
 *	int error = tuza_process_output(ctx, TUZA_ARGV("ls", "-l", dir), NULL, &listing, &bytes);
 *	if (error)
 *		printf("ls: %s\n", tuza_strerror(error)); // "exit status 2"
 *
 * A child starts with exactly three descriptors, each of them /dev/null unless the options say
 * otherwise, and those in options.files: no other that this process has open is inherited, whoever
 * opened it and in whatever mode. No signal is blocked in it and each does what it does by default;
 * only SIGHUP, SIGINT and SIGQUIT stay ignored where they are (nohup; jobs in the background). It
 * starts in the time of a vfork, whatever memory this process has, and may be started from any
 * goroutine or thread while others run.
 *
 * What keeps a program from being executed is an error of the start: -ENOENT, -EACCES, -ENOEXEC …
 *
 * A process is waited for by its own number alone: children that the program starts by other means
 * are not touched. The program must not wait for any child (waitpid(-1, …)) nor ignore SIGCHLD
 * meanwhile: then the result is -ECHILD.
 *
 * All functions may be called from any goroutine or thread, not from a signal handler. Results are
 * 0 or codes; besides the kernel's
 *
 *	TUZA_EEXIT(n)      the process has ended with status n    TUZA_ESIGNAL(n)  a signal ended it
 *	TUZA_EWAITDELAY    it has ended, and somebody else keeps its output open
 */
#ifndef TUZA_PROCESS_H
#define TUZA_PROCESS_H

#include <tuza/macros.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_context tuza_context; // tuza/context.h
typedef struct tuza_conn tuza_conn;       // tuza/net.h

// A child, from its start to tuza_process_free or tuza_process_detach.
typedef struct tuza_process tuza_process;

// How it ended.
typedef struct tuza_process_state {
	int pid;
	int exit_status;     // 0 to 255; -1: a signal ended it
	int signal;          // that ended it; 0: none
	bool core_dumped;    // by that signal
	int64_t user_time;   // CPU time, ns, of itself and of children that it has waited for
	int64_t system_time; // the same, in the kernel
	int64_t most_memory; // bytes resident, at most
} tuza_process_state;

// ---- what its input, output and errors are ------------------------------------------------------

/*
 * What a process wrote. Zeroed, perhaps but for the limit, before the start; belongs to the process
 * until the wait has returned.
 */
typedef struct tuza_process_buffer {
	char *bytes; // a NUL follows them; NULL if nothing was written. The caller frees it: free()
	size_t count;   // without the NUL
	size_t limit;   // in bytes; 0: none. What comes after it is read and dropped
	bool truncated; // that happened
} tuza_process_buffer;

// One of the three. Zeroed: /dev/null.
typedef struct tuza_process_stream {
	int kind_, fd_;
	const void *bytes_;
	size_t count_;
	tuza_process_buffer *buffer_;
	int (*fn_)(void *arg, const void *bytes, size_t count);
	void *arg_;
} tuza_process_stream;

enum {
	TUZA_PROCESS_NULL_,
	TUZA_PROCESS_INHERIT_,
	TUZA_PROCESS_FD_,
	TUZA_PROCESS_PIPE_,
	TUZA_PROCESS_BYTES_,
	TUZA_PROCESS_BUFFER_,
	TUZA_PROCESS_CALL_,
	TUZA_PROCESS_SAME_,
};

static inline tuza_process_stream tuza_process_stream_(int kind, int fd)
{
	tuza_process_stream s = {kind, fd, NULL, 0, NULL, NULL, NULL};
	return s;
}

// /dev/null: nothing to read, and what is written is lost. Go: nil
static inline tuza_process_stream tuza_process_null(void)
{
	return tuza_process_stream_(TUZA_PROCESS_NULL_, -1);
}

// This process's own: its standard input for `in`, and so on. Go: cmd.Stdout = os.Stdout
static inline tuza_process_stream tuza_process_inherit(void)
{
	return tuza_process_stream_(TUZA_PROCESS_INHERIT_, -1);
}

// A descriptor, which stays the caller's and may be closed after the start. Go: an *os.File
static inline tuza_process_stream tuza_process_fd(int fd)
{
	return tuza_process_stream_(TUZA_PROCESS_FD_, fd);
}

// A pipe, whose other end tuza_process_in, _out or _err give. Go: StdinPipe, StdoutPipe
static inline tuza_process_stream tuza_process_pipe(void)
{
	return tuza_process_stream_(TUZA_PROCESS_PIPE_, -1);
}

// `in` only: these bytes, then the end. They must stay until the wait has returned; a process that
// does not read them all is none the worse for it. Go: bytes.Reader
static inline tuza_process_stream tuza_process_bytes(const void *bytes, size_t count)
{
	tuza_process_stream s = {TUZA_PROCESS_BYTES_, -1, bytes, count, NULL, NULL, NULL};
	return s;
}

// `out`, `err`: is kept in memory. Go: bytes.Buffer
static inline tuza_process_stream tuza_process_collect(tuza_process_buffer *buffer)
{
	tuza_process_stream s = {TUZA_PROCESS_BUFFER_, -1, NULL, 0, buffer, NULL, NULL};
	return s;
}

/*
 * `out`, `err`: `fn` is called with what was written, piece by piece, by a goroutine of its own.
 * Nonzero ends it: nobody reads any more, the process gets SIGPIPE when it goes on to write, and
 * the wait returns that code unless the process failed. Go: an io.Writer
 */
static inline tuza_process_stream tuza_process_call(
	int (*fn)(void *arg, const void *bytes, size_t count), void *arg)
{
	tuza_process_stream s = {TUZA_PROCESS_CALL_, -1, NULL, 0, NULL, fn, arg};
	return s;
}

// `err` only: where `out` goes, in the order in which it is written. Go: cmd.Stderr = cmd.Stdout
static inline tuza_process_stream tuza_process_same(void)
{
	return tuza_process_stream_(TUZA_PROCESS_SAME_, -1);
}

// ---- starting and waiting -----------------------------------------------------------------------

// How to start one. Zeroed: as Go's Cmd.
typedef struct tuza_process_options {
	/*
	 * What to execute, if not what argv[0] says. Either way a name without a slash is looked
	 * for in PATH (tuza_process_look_path), and one that is not absolute is meant from `dir`.
	 */
	const char *path;
	const char *dir; // where it starts; NULL: where this process is

	/*
	 * "NAME=value" strings, NULL at the end. NULL: this process's environment, which must not
	 * be changed during the start.
	 */
	const char *const *env;
	// The same, in addition: what `env` has of these names is left out.
	const char *const *env_more;

	tuza_process_stream in, out, err;
	// Descriptors that become 3, 4, … in the child. They stay the caller's. At most 253.
	const int *files;
	size_t file_count;

	bool group;  // it leads a process group of its own, which tuza_process_signal signals
	bool setsid; // as setsid(2): without a terminal; it leads a group as well

	/*
	 * At the end of the context: `cancel`, called by a goroutine of its own, or, if NULL, the
	 * signal, SIGKILL if that is 0, to the process or its group. What cancel returns nonzero
	 * is what the wait returns, rather than the context's code.
	 */
	int cancel_signal;
	int (*cancel)(tuza_process *p, void *arg);
	void *cancel_arg;

	/*
	 * How long the wait puts up with what goes on too long. Counted from the end of the
	 * context: then the process is killed, if it was told to end in a softer way; and from the
	 * end of the process, or of the context if that was first: then the pipes behind bytes,
	 * collect and call are given up, if another process keeps them open.
	 * 0: for ever, but after the context's end pipes are given up with the process.
	 */
	tuza_duration wait_delay;
} tuza_process_options;

// A list of arguments where one is wanted: TUZA_ARGV("ls", "-l"). Not in C++.
#define TUZA_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * Starts a process.
 *
 *   ctx      its end ends the process, see options.cancel; kept until the wait has returned.
 *   argv     the arguments, NULL at the end; argv[0] is what to execute.
 *   options  NULL: all zero. Of what it points to only the bytes and the buffer have to stay.
 *   p        set to the process, for tuza_process_free or _detach; else to NULL.
 *
 * Returns  0 or a code.
 * Errors   -ENOENT, -EACCES, -ENOEXEC, -ENOTDIR, -E2BIG …: it could not be executed; -EAGAIN,
 *          -ENOMEM, -EMFILE: no room for another process, or its pipes; -EBADF: options.files;
 *          -EINVAL: options that make no sense; the context's code if it has ended.
 * Panics   "nil context".
 * Blocks   the thread, in a blocking section, until the program is executed: most often less than a
 *          millisecond. One that is being written to (-ETXTBSY) is tried again for a while.
 * Go       exec.CommandContext, Cmd.Start   (X16)
 */
TUZA_MUST_USE int tuza_process_start(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, tuza_process **p);

/*
 * Waits until the process has ended and all that it wrote is where it was to go. After that there
 * is no zombie. Pipes of tuza_process_out and _err are not awaited: read them before, or a process
 * that has much to say never ends.
 *
 * Any number of goroutines may wait, also again when it is over: all get the same.
 *
 *   state  set to how it ended; may be NULL.
 *
 * Returns  0 if the process ended with status 0. Else the first of: the context's code, if its end
 *          ended the process (Go says "signal: killed"); TUZA_EEXIT(n), TUZA_ESIGNAL(n); what went
 *          wrong with input or output: the code of a callback, -ENOMEM, TUZA_EWAITDELAY.
 * Errors   -ECHILD: somebody else has waited for it; *state has the pid, and an exit_status of -1.
 * Blocks   parks the goroutine. Where the kernel has no descriptors of processes (before 5.3), a
 *          thread blocks in a blocking section.
 * Cancel   by the context of the start, see options.wait_delay.
 * Go       Cmd.Wait, Cmd.Cancel, Cmd.WaitDelay   (N14)
 */
int tuza_process_wait(tuza_process *p, tuza_process_state *state);

/*
 * Kills the process (its group, if it has one) unless it was waited for, waits, and frees it: made
 * for TUZA_DEFER. Closes the ends of pipes that are still open. Nobody else may use `p` any more.
 * NULL is ignored.
 *
 * Blocks   as tuza_process_wait.
 */
void tuza_process_free(tuza_process *p);

/*
 * Lets it run on its own: its context still ends it, and when it has ended a goroutine waits for it
 * and frees it. Nobody may use `p` any more; the ends of pipes are closed.
 *
 * Returns  0; -ENOMEM: nothing has happened.
 * Go       Process.Release, which leaves a zombie
 */
TUZA_MUST_USE int tuza_process_detach(tuza_process *p);

/*
 * Sends it, or its whole group if it has one, a signal. Never another process: its number stays
 * its own until the wait.
 *
 *   sig  0 sends none, and only checks whether it could be sent.
 *
 * Returns  0 or a code.
 * Errors   -ESRCH: it was waited for ("os: process already finished"); -EPERM, -EINVAL.
 * Go       Process.Signal, Process.Kill
 */
int tuza_process_signal(tuza_process *p, int sig);

// Its number. Go: Process.Pid
int tuza_process_pid(const tuza_process *p);

/*
 * Our end of its pipe: to write to, or to read from. The handle may be closed by the caller, as
 * tuza_process_in must be for the process to read an end; tuza_process_free closes what is open.
 * Deadlines work; there is nothing to peek at. Writing what nobody reads is -EPIPE, no signal.
 *
 * Returns  a borrowed handle; NULL if that stream is no pipe.
 * Go       Cmd.StdinPipe, StdoutPipe, StderrPipe
 */
tuza_conn *tuza_process_in(const tuza_process *p);
tuza_conn *tuza_process_out(const tuza_process *p);
tuza_conn *tuza_process_err(const tuza_process *p);

// ---- in one call --------------------------------------------------------------------------------

// Start, wait, free: returns and blocks as tuza_process_start and tuza_process_wait. Go: Cmd.Run
int tuza_process_run(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, tuza_process_state *state);

/*
 * Runs it and gives what it wrote to its output; or, combined, to output and errors.
 *
 *   options  .out (combined: and .err) are not looked at.
 *   bytes    set to what it wrote, also on failure, with a NUL behind; the caller frees it: free().
 *            NULL only without memory, or if it was not started.
 *   count    its length; may be NULL.
 *
 * Returns, Panics, Blocks   as tuza_process_start and tuza_process_wait.
 * Go       Cmd.Output, Cmd.CombinedOutput
 */
TUZA_MUST_USE int tuza_process_output(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, char **bytes, size_t *count);
TUZA_MUST_USE int tuza_process_combined_output(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, char **bytes, size_t *count);

/*
 * Looks for an executable file: `name` itself if there is a slash in it, else in the directories of
 * PATH, "/bin:/usr/bin" if that is not set. Directories that are not absolute are passed over: what
 * is executed should not depend on where one is.
 *
 *   path  gets it; `bytes` of room.
 *
 * Returns  0 or a code.
 * Errors   -ENOENT; -EACCES: there is one that may not be executed; -ENAMETOOLONG.
 * Blocks   the thread, in a blocking section, for the file system.
 * Go       exec.LookPath
 */
TUZA_MUST_USE int tuza_process_look_path(const char *name, char *path, size_t bytes);

#ifdef __cplusplus
}
#endif

// What a program gets from others, as values in a channel.
#include <tuza/signal.h>

#endif
