// SPDX-License-Identifier: MIT
/*
 * The child of a fork, in the middle of a program whose threads hold locks all the time: whatever
 * it calls does its work or says at once that it cannot, and the parent is none the wiser.
 */
#include "../test.h"

#include <tuza/context.h>
#include <tuza/io.h>
#include <tuza/net.h>
#include <tuza/pprof.h>
#include <tuza/process.h>
#include <tuza/sync.h>
#include <tuza/trace.h>

#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

enum { DONE = 42, PATIENCE = 20 };
#define REFUSED "after fork: the child may only exec"

static tuza_chan *busy_chan, *empty_chan;
static tuza_mutex busy_mutex;
static tuza_context *busy_ctx;
static tuza_timer *busy_timer;
static int ends[2];
static tuza_conn *near, *far;

// Stacks of hundreds of children take their time.
__attribute__((constructor)) static void show_no_stacks(void)
{
	setenv("TUZA_TRACEBACK", "none", 0);
}

// ---- what a child may call ---------------------------------------------------------------------

static void nothing(void *arg) { (void)arg; }
static int nothing_to_run(void *arg) { return arg != NULL; }
static int null_device(void) { return open("/dev/null", O_WRONLY | O_CLOEXEC); }

static void call_go(void) { (void)!tuza_go(nothing, NULL); }
static void call_spawn(void) { (void)!tuza_join(tuza_spawn(nothing, NULL)); }
static void call_yield(void) { tuza_yield(); }
static void call_sleep(void) { tuza_sleep(1); }
static void call_run(void) { (void)!tuza_run(nothing_to_run, NULL); }
static void call_shutdown(void) { (void)!tuza_shutdown(); }
static void call_receive(void) { (void)!tuza_recv(empty_chan, (int *)NULL); }
static void call_close_chan(void) { tuza_chan_close(empty_chan); }
static void call_select(void) { tuza_select(NULL, 0); }
static void call_gomaxprocs(void) { tuza_gomaxprocs(3); }
static void call_cancel(void) { tuza_context_cancel(busy_ctx); }
static void call_stop(void) { tuza_timer_stop(busy_timer); }
static void call_dump(void) { tuza_dump(null_device()); }
static void call_metrics(void) { (void)!tuza_metrics_write(null_device()); }
static void call_profile(void) { (void)!tuza_pprof_write(null_device(), "goroutine", 1); }
static void call_scan(void) { (void)!tuza_leak_scan(-1); }
static void call_wait_fd(void) { (void)!tuza_wait_fd(ends[0], POLLIN, tuza_now()); }
static void call_read(void) { (void)!tuza_conn_read(near, (char[1]){0}, 1); }
static void call_write(void) { (void)!tuza_conn_write(near, "x", 1); }
static void call_close_fd(void) { (void)!tuza_close(ends[0]); }
static void call_close_conn(void) { (void)!tuza_conn_close(far); }
static void call_return(void) {}

static void call_try(void)
{
	for (int i = 0, v = 0; i < 100; i++) {
		(void)!tuza_chan_try_recv(busy_chan, &v);
		(void)!tuza_chan_try_send(busy_chan, &v);
	}
}

static void call_lock(void)
{
	tuza_mutex_lock(&busy_mutex);
	tuza_mutex_unlock(&busy_mutex);
}

static void call_deadline(void)
{
	tuza_context_free(tuza_context_with_timeout(tuza_context_background(), TUZA_SECOND));
}

static void call_section(void)
{
	tuza_blocking_begin();
	usleep(1);
	tuza_blocking_end();
}

static void call_statistics(void)
{
	tuza_statistics s;

	tuza_stats(&s);
}

static void call_trace(void)
{
	(void)!tuza_trace_start(null_device());
	(void)!tuza_trace_stop();
}

static void call_process(void)
{
	static const char *const argv[] = {"true", NULL};

	(void)!tuza_process_run(tuza_context_background(), argv, NULL, NULL);
}

static void call_listen(void)
{
	tuza_listener *l;

	(void)!tuza_listen("tcp", "127.0.0.1:0", &l);
}

static void call_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 42", (char *)NULL);
	_exit(1);
}

enum answer { EITHER, WORKS, IS_REFUSED };

// EITHER where it depends on who held the lock.
static const struct call {
	const char *name;
	void (*fn)(void);
	enum answer answer;
} calls[] = {
	{"go", call_go, IS_REFUSED},
	{"spawn", call_spawn, IS_REFUSED},
	{"yield", call_yield, WORKS},
	{"sleep", call_sleep, EITHER}, // as a thread, except on one that was plain before
	{"run", call_run, IS_REFUSED},
	{"shutdown", call_shutdown, WORKS},
	{"receive", call_receive, IS_REFUSED},
	{"close of a channel", call_close_chan, EITHER},
	{"try to send and receive", call_try, EITHER},
	{"select", call_select, IS_REFUSED},
	{"lock", call_lock, EITHER},
	{"gomaxprocs", call_gomaxprocs, IS_REFUSED},
	{"cancel", call_cancel, EITHER},
	{"context", call_deadline, EITHER},
	{"timer", call_stop, EITHER},
	{"dump", call_dump, EITHER},
	{"metrics", call_metrics, EITHER},
	{"profile", call_profile, EITHER},
	{"scan", call_scan, EITHER},
	{"trace", call_trace, EITHER},
	{"statistics", call_statistics, WORKS},
	{"section", call_section, WORKS},
	{"wait for a descriptor", call_wait_fd, IS_REFUSED},
	{"read", call_read, IS_REFUSED},
	{"write", call_write, EITHER},
	{"close", call_close_fd, EITHER},
	{"close of a connection", call_close_conn, EITHER},
	{"listen", call_listen, IS_REFUSED},
	{"process", call_process, EITHER},
	{"return", call_return, IS_REFUSED},
	{"exec", call_exec, WORKS},
};

// ---- children ----------------------------------------------------------------------------------

static atomic_bool stop;
static tuza_waitgroup crowd;

// What the child writes goes into text.
static int child_of(const struct call *c, char *text, size_t bytes)
{
	int out[2], status = 0;
	size_t have = 0;
	ssize_t n;

	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(PATIENCE);
		dup2(out[1], 2);
		close(out[0]);
		close(out[1]);
		c->fn();
		if (c->fn != call_return)
			_exit(DONE);
		return -1;
	}
	close(out[1]);
	tuza_blocking_begin();
	while ((n = read(out[0], text + have, bytes - 1 - have)) > 0)
		have += (size_t)n;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	tuza_blocking_end();
	close(out[0]);
	text[have] = 0;
	return status;
}

static bool check_child(const struct call *c, const char *from)
{
	char text[1024];
	int status = child_of(c, text, sizeof text);

	if (status == -1)
		return false; // the child returns
	bool works = WIFEXITED(status) && WEXITSTATUS(status) == DONE;
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 2 && strstr(text, REFUSED);
	if (!CHECK((works && c->answer != IS_REFUSED) || (refused && c->answer != WORKS)))
		printf("  %s from %s: status %x, %s\n", c->name, from, (unsigned)status, text);
	return true;
}

// A goroutine, so that the child may return from it.
static void from_goroutine(void *call) { (void)check_child(call, "a goroutine"); }

static void from_section(void *call)
{
	tuza_blocking_begin();
	(void)check_child(call, "a section");
	tuza_blocking_end();
}

static void *from_thread(void *call)
{
	const struct call *c = call;

	if (c->fn != call_return && !check_child(c, "a thread"))
		_exit(DONE);
	return NULL;
}

static void work(void)
{
	for (int v = 0; !atomic_load(&stop); tuza_yield()) {
		call_try();
		call_lock();
		call_deadline();
		tuza_timer_reset(busy_timer, TUZA_HOUR + v++);
		(void)tuza_num_goroutine();
	}
	tuza_waitgroup_done(&crowd);
}

static void crowd_begin(void)
{
	busy_chan = tuza_chan_new(sizeof(int), 4);
	empty_chan = tuza_chan_new(sizeof(int), 0);
	busy_ctx = tuza_context_with_cancel(tuza_context_background());
	busy_timer = tuza_timer_new(TUZA_HOUR);
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(tuza_pipe(&near, &far), 0);
	tuza_waitgroup_add(&crowd, 8);
	for (int i = 0; i < 8; i++)
		TUZA_GO(work);
}

static void crowd_end(void)
{
	atomic_store(&stop, true);
	tuza_waitgroup_wait(&crowd);
	tuza_chan_release(busy_chan);
	tuza_chan_release(empty_chan);
	tuza_context_free(busy_ctx);
	tuza_timer_free(busy_timer);
	CHECK_EQ(tuza_conn_close(near), 0);
	CHECK_EQ(tuza_conn_close(far), 0);
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
}

TEST(a_child_is_served_or_refused_whatever_it_calls_and_wherever_it_was_forked)
{
	crowd_begin();
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		struct call c = calls[i];
		pthread_t thread;

		(void)!tuza_join(tuza_spawn(from_goroutine, &c));
		(void)!tuza_join(tuza_spawn(from_section, &c));
		CHECK_EQ(pthread_create(&thread, NULL, from_thread, &c), 0);
		tuza_blocking_begin();
		pthread_join(thread, NULL);
		tuza_blocking_end();
	}
	crowd_end();
}

// ---- the parent --------------------------------------------------------------------------------

static tuza_listener *listener;
static tuza_conn *dialled, *accepted;
static atomic_int woken;

static void wait_for_pipe(void) { woken += tuza_wait_fd(ends[0], POLLIN, 0) == POLLIN; }

static void wait_for_conn(void)
{
	char byte;

	woken += tuza_conn_read(accepted, &byte, 1) == 1;
}

static void close_all(void)
{
	(void)!tuza_close(ends[0]);
	(void)!tuza_conn_close(accepted);
	(void)!tuza_listener_close(listener);
}

// The kernel's poller is shared with the child, which must not take the parent's descriptors out.
TEST(descriptors_that_the_child_closes_are_still_watched_for_the_parent)
{
	static const struct call closes = {"close", close_all, WORKS};
	char address[64], text[1024];

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &listener), 0);
	CHECK_EQ(tuza_listener_address(listener, address, sizeof address), 0);
	CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &dialled), 0);
	CHECK_EQ(tuza_accept(listener, &accepted), 0);
	TUZA_GO(wait_for_pipe);
	TUZA_GO(wait_for_conn);
	wait_parked("IO wait", 2);
	int status = child_of(&closes, text, sizeof text);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == DONE);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(tuza_conn_write(dialled, "x", 1), 1);
	WAIT_UNTIL(woken == 2);
	CHECK_EQ(tuza_conn_close(dialled), 0);
	CHECK_EQ(tuza_conn_close(accepted), 0);
	CHECK_EQ(tuza_listener_close(listener), 0);
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
}

static char trace_path[64];

static void remove_trace(void) { unlink(trace_path); }
static void exit_early(void) { exit(DONE); }
static void panic_late(void) { tuza_panic("the child's own"); }

static int forks_under_a_trace(void *arg)
{
	static const struct call exits = {"exit", exit_early, WORKS},
				 panics = {"panic", panic_late, WORKS};
	char text[1024];
	int status;

	(void)arg;
	status = child_of(&exits, text, sizeof text);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == DONE);
	status = child_of(&panics, text, sizeof text);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	CHECK_CONTAINS(text, "the child's own");
	CHECK(access(trace_path, F_OK) != 0);
	return 0;
}

// It has the parent's memory, and would write what the parent had done until then.
TEST_PLAIN(the_file_of_a_trace_is_not_written_by_a_child)
{
	snprintf(trace_path, sizeof trace_path, "/tmp/tuza-fork-trace.%d", (int)getpid());
	CHECK_EQ(setenv("TUZA_TRACE", trace_path, 1), 0);
	CHECK_EQ(atexit(remove_trace), 0); // after the runtime's, which writes it once more
	CHECK_EQ(tuza_run(forks_under_a_trace, NULL), 0);
	CHECK_EQ(unsetenv("TUZA_TRACE"), 0);
	CHECK_EQ(access(trace_path, F_OK), 0);
}
