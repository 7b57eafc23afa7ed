// SPDX-License-Identifier: MIT
/*
 * Child processes: starting, waiting, what a child finds, what cannot be started. Go: os/exec
 */
#include "../test.h"

#include "process_support.h"

#include <spawn.h>
#include <sys/stat.h>

TEST(status_0_is_success)
{
	tuza_process_state state;

	CHECK_EQ(sh("exit 0", NULL, &state), 0);
	CHECK_EQ(state.exit_status, 0);
	CHECK_EQ(state.signal, 0);
	CHECK(state.pid > 0);
	CHECK(!state.core_dumped);
	CHECK(no_zombies());
}

TEST(another_status_is_a_code)
{
	tuza_process_state state;

	CHECK_EQ(sh("exit 3", NULL, &state), TUZA_EEXIT(3));
	CHECK_EQ(state.exit_status, 3);
	CHECK_EQ(state.signal, 0);
	CHECK_STR(tuza_strerror(TUZA_EEXIT(3)), "exit status 3");
	CHECK_EQ(sh("exit 255", NULL, NULL), TUZA_EEXIT(255));
	CHECK_STR(tuza_strerror(TUZA_EEXIT(1)), "exit status 1");
	CHECK_STR(tuza_strerror(TUZA_EEXIT(10)), "exit status 10");
	CHECK_STR(tuza_strerror(TUZA_EEXIT(199)), "exit status 199");
	CHECK_STR(tuza_strerror(TUZA_EEXIT(255)), "exit status 255");
	CHECK_STR(tuza_strerror(TUZA_EEXIT(256)), "unknown error");
}

TEST(death_by_a_signal_is_a_code)
{
	tuza_process_state state;

	CHECK_EQ(sh("kill -TERM $$", NULL, &state), TUZA_ESIGNAL(SIGTERM));
	CHECK_EQ(state.exit_status, -1);
	CHECK_EQ(state.signal, SIGTERM);
	CHECK(no_zombies());
}

TEST(what_cannot_be_executed_is_an_error_of_the_start)
{
	char path[] = "/tmp/tuza-test-XXXXXX";
	int fd = mkstemp(path);
	tuza_process *p = (tuza_process *)path;

	CHECK_EQ(start(TUZA_ARGV("/nowhere/at/all"), NULL, &p), -ENOENT);
	CHECK(!p);
	CHECK_EQ(start(TUZA_ARGV("no-such-program-anywhere"), NULL, &p), -ENOENT);
	CHECK_EQ(start(TUZA_ARGV(""), NULL, &p), -ENOENT);
	CHECK_EQ(start(TUZA_ARGV(path), NULL, &p), -EACCES);
	CHECK_EQ(start(TUZA_ARGV("/tmp/"), NULL, &p), -EACCES);
	CHECK_EQ(write(fd, "not a program", 13), 13);
	fchmod(fd, 0700);
	close(fd);
	CHECK_EQ(start(TUZA_ARGV(path), NULL, &p), -ENOEXEC);
	tuza_process_options nowhere = {.dir = "/nowhere"};
	CHECK_EQ(start(TUZA_ARGV("true"), &nowhere, &p), -ENOENT);
	CHECK_EQ(start(TUZA_ARGV(NULL), NULL, &p), -EINVAL);
	unlink(path);
	CHECK(no_zombies());
}

TEST(options_without_sense_are_refused)
{
	tuza_process_buffer buffer = {.bytes = NULL};
	int none = -1;
	tuza_process_options wrong[] = {
		{.in = tuza_process_collect(&buffer)},
		{.in = tuza_process_same()},
		{.out = tuza_process_same()},
		{.out = tuza_process_bytes("x", 1)},
		{.err = tuza_process_fd(-1)},
		{.err = tuza_process_collect(NULL)},
		{.wait_delay = -1},
		{.cancel_signal = -1},
		{.cancel_signal = 65},
		{.file_count = 1},
	};
	tuza_process *p;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_EQ(start(TUZA_ARGV("true"), &wrong[i], &p), -EINVAL);
	CHECK_EQ(start(TUZA_ARGV("true"), &(tuza_process_options){.files = &none, .file_count = 1},
			 &p),
		-EBADF);
	none = 1000; // not open
	CHECK_EQ(start(TUZA_ARGV("true"), &(tuza_process_options){.files = &none, .file_count = 1},
			 &p),
		-EBADF);
	CHECK_EQ(start(TUZA_ARGV("true"), &(tuza_process_options){.file_count = 254}, &p), -EMFILE);
}

static void start_without_context(void *arg)
{
	tuza_process *p;

	(void)arg;
	(void)!tuza_process_start(NULL, TUZA_ARGV("true"), NULL, &p);
}

TEST(null_context_panics) { CHECK_PANICS("nil context", start_without_context, NULL); }

TEST(ended_context_starts_nothing)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_process *p;

	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_process_start(ctx, TUZA_ARGV("true"), NULL, &p), -ECANCELED);
	CHECK(!p);
	tuza_context_free(ctx);
}

TEST(arguments_environment_and_directory_are_given)
{
	const char *env[] = {"A=1", "B=2", "PATH=/bin:/usr/bin", NULL};
	const char *more[] = {"B=old", "B=3", "C=4", NULL};
	tuza_process_options o = {.env = env, .env_more = more, .dir = "/usr"};
	char *out;
	size_t n;

	CHECK_EQ(tuza_process_output(tuza_context_background(),
			 TUZA_ARGV("sh", "-c", "echo $0 $1 $A $B $C; pwd", "x y", "z"), &o, &out,
			 &n),
		0);
	CHECK_STR(out, "x y z 1 3 4\n/usr\n");
	CHECK_EQ(n, strlen(out));
	free(out);

	setenv("TUZA_TEST_INHERITED", "here", 1);
	CHECK_EQ(output("echo $TUZA_TEST_INHERITED", NULL, &out), 0);
	CHECK_STR(out, "here\n");
	free(out);
	unsetenv("TUZA_TEST_INHERITED");
}

TEST(path_may_differ_from_the_first_argument)
{
	tuza_process_options o = {.path = "sh"};
	char *out;

	CHECK_EQ(tuza_process_output(tuza_context_background(),
			 TUZA_ARGV("another-name", "-c", "echo $0"), &o, &out, NULL),
		0);
	CHECK_STR(out, "another-name\n");
	free(out);
	// One that is not absolute is meant from the directory.
	o = (tuza_process_options){.dir = "/bin"};
	CHECK_EQ(tuza_process_output(tuza_context_background(), TUZA_ARGV("./sh", "-c", "echo $0"),
			 &o, &out, NULL),
		0);
	CHECK_STR(out, "./sh\n");
	free(out);
}

TEST(look_path_finds_what_may_be_executed)
{
	char path[256], *before = strdup(getenv("PATH") ? getenv("PATH") : "/bin:/usr/bin");
	char dir[] = "/tmp/tuza-test-XXXXXX", file[64];

	CHECK_EQ(tuza_process_look_path("sh", path, sizeof path), 0);
	CHECK_EQ(access(path, X_OK), 0);
	CHECK_EQ(tuza_process_look_path("/bin/sh", path, sizeof path), 0);
	CHECK_STR(path, "/bin/sh");
	CHECK_EQ(tuza_process_look_path("/bin", path, sizeof path), -EACCES);
	CHECK_EQ(tuza_process_look_path("sh", path, 3), -ENAMETOOLONG);
	CHECK_EQ(tuza_process_look_path("no-such-program", path, sizeof path), -ENOENT);

	CHECK(mkdtemp(dir));
	snprintf(file, sizeof file, "%s/tuza-tool", dir);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	setenv("PATH", dir, 1);
	CHECK_EQ(tuza_process_look_path("tuza-tool", path, sizeof path), -EACCES);
	chmod(file, 0700);
	CHECK_EQ(tuza_process_look_path("tuza-tool", path, sizeof path), 0);
	CHECK_STR(path, file);
	CHECK_EQ(chdir(dir), 0);
	setenv("PATH", ".::", 1); // what is executed does not depend on where one is
	CHECK_EQ(tuza_process_look_path("tuza-tool", path, sizeof path), -ENOENT);
	unsetenv("PATH");
	CHECK_EQ(tuza_process_look_path("sh", path, sizeof path), 0);
	setenv("PATH", before, 1);
	CHECK_EQ(chdir("/"), 0);
	unlink(file);
	rmdir(dir);
	free(before);
}

// A child has its three descriptors and no other, whoever opened it.
TEST(no_descriptor_is_inherited_but_those_named)
{
	int leaky[32], named[2];
	char *out;

	for (size_t i = 0; i < 32; i++)
		leaky[i] = open("/dev/null", O_RDONLY); // not close-on-exec
	CHECK_EQ(output("ls /proc/self/fd | tr '\\n' ' '", NULL, &out), 0);
	CHECK_STR(out, "0 1 2 3 "); // 3: ls reads the directory
	free(out);

	CHECK_EQ(pipe2(named, O_CLOEXEC), 0);
	CHECK_EQ(write(named[1], "through 4\n", 10), 10);
	tuza_process_options o = {.files = (int[]){leaky[7], named[0]}, .file_count = 2};
	CHECK_EQ(output("read line <&4; echo $line; ls /proc/self/fd | tr '\\n' ' '", &o, &out), 0);
	CHECK_STR(out, "through 4\n0 1 2 3 4 5 ");
	free(out);
	close(named[0]);
	close(named[1]);
	for (size_t i = 0; i < 32; i++)
		close(leaky[i]);
}

// Each combination of places, those that cross included.
TEST(descriptors_may_be_given_crosswise)
{
	int a[2], b[2];
	char text[16] = "";

	CHECK_EQ(pipe2(a, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(b, O_CLOEXEC), 0);
	tuza_process_options o = {
		.out = tuza_process_fd(b[1]),
		.err = tuza_process_fd(a[1]),
		.files = (int[]){b[1], a[1], 2, 1, 0, a[1], a[1]},
		.file_count = 7,
	};
	CHECK_EQ(sh("echo 1; echo 2 >&2; echo 3 >&3; echo 4 >&4; echo 8 >&8", &o, NULL), 0);
	CHECK_EQ(read(a[0], text, sizeof text), 6);
	CHECK_STR(text, "2\n4\n8\n");
	memset(text, 0, sizeof text);
	CHECK_EQ(read(b[0], text, sizeof text), 4);
	CHECK_STR(text, "1\n3\n");
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void on_signal(int sig) { (void)sig; }

// The program's own ways with signals are none of the child's.
TEST(signals_are_as_in_a_fresh_program)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, handle = {.sa_handler = on_signal};
	struct sigaction pipe_before, user_before, hup_before;
	sigset_t set, before;
	char *out;
	unsigned long blocked, ignored;

	sigaction(SIGPIPE, &ignore, &pipe_before);
	sigaction(SIGUSR1, &handle, &user_before);
	sigaction(SIGHUP, &ignore, &hup_before);
	tuza_lock_os_thread();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	CHECK_EQ(tuza_process_output(tuza_context_background(),
			 TUZA_ARGV("grep", "^Sig[BI]", "/proc/self/status"), NULL, &out, NULL),
		0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	tuza_unlock_os_thread();
	sigaction(SIGPIPE, &pipe_before, NULL);
	sigaction(SIGUSR1, &user_before, NULL);
	sigaction(SIGHUP, &hup_before, NULL);
	CHECK_EQ(sscanf(out, "SigBlk: %lx SigIgn: %lx", &blocked, &ignored), 2);
	CHECK_EQ(blocked, 0);
	CHECK_EQ(ignored & ~(1ul << (SIGINT - 1) | 1ul << (SIGQUIT - 1)), 1ul << (SIGHUP - 1));
	free(out);
}

TEST(times_and_memory_are_told)
{
	tuza_process_state state;

	CHECK_EQ(sh("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done", NULL, &state), 0);
	CHECK(state.user_time + state.system_time > 0);
	CHECK(state.user_time < 60 * TUZA_SECOND);
	CHECK(state.most_memory > 100000);
}

TEST(result_stays_for_all_who_wait)
{
	tuza_process *p;
	tuza_process_state state;

	CHECK_EQ(start(TUZA_ARGV("sh", "-c", "exit 7"), NULL, &p), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(tuza_process_wait(p, &state), TUZA_EEXIT(7));
		CHECK_EQ(state.pid, tuza_process_pid(p));
		CHECK_EQ(state.exit_status, 7);
	}
	CHECK_EQ(tuza_process_signal(p, 0), -ESRCH);
	CHECK_EQ(tuza_process_signal(p, SIGKILL), -ESRCH);
	tuza_process_free(p);
}

TEST(child_of_somebody_else_is_not_taken)
{
	pid_t other;
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"exit 5"}, NULL};

	CHECK_EQ(posix_spawnp(&other, "sh", NULL, NULL, argv, environ), 0);
	CHECK_EQ(sh("exit 1", NULL, NULL), TUZA_EEXIT(1));
	int status = 0;
	CHECK_EQ(waitpid(other, &status, 0), other);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

TEST(child_that_somebody_else_has_taken_is_an_error)
{
	tuza_process *p;
	tuza_process_state state;

	CHECK_EQ(start(TUZA_ARGV("true"), NULL, &p), 0);
	tuza_blocking_begin();
	CHECK_EQ(waitpid(tuza_process_pid(p), NULL, 0), tuza_process_pid(p));
	tuza_blocking_end();
	CHECK_EQ(tuza_process_wait(p, &state), -ECHILD);
	CHECK_EQ(state.exit_status, -1);
	tuza_process_free(p);
}

TEST(group_is_signalled_as_a_whole)
{
	tuza_process *p;
	char line[32] = "";
	tuza_process_options o = {.group = true, .out = tuza_process_pipe()};

	// Its own child holds the pipe, so an end means that it is dead, too.
	CHECK_EQ(start(TUZA_ARGV("sh", "-c", "sleep 100 & echo started; wait"), &o, &p), 0);
	CHECK_EQ(getpgid(tuza_process_pid(p)), tuza_process_pid(p));
	CHECK(tuza_conn_read(tuza_process_out(p), line, sizeof line) > 0);
	CHECK_EQ(tuza_process_signal(p, SIGTERM), 0);
	CHECK_EQ(tuza_conn_read(tuza_process_out(p), line, sizeof line), 0);
	CHECK_EQ(tuza_process_wait(p, NULL), TUZA_ESIGNAL(SIGTERM));
	tuza_process_free(p);

	o = (tuza_process_options){.setsid = true};
	CHECK_EQ(start(TUZA_ARGV("sleep", "100"), &o, &p), 0);
	CHECK_EQ(getsid(tuza_process_pid(p)), tuza_process_pid(p));
	tuza_process_free(p);
	CHECK(no_zombies());
}

TEST(free_of_what_did_not_start_does_nothing)
{
	tuza_process *p;
	CHECK_EQ(tuza_process_start(tuza_context_background(),
			 TUZA_ARGV("/nowhere/no_such_program"), NULL, &p),
		-ENOENT);
	CHECK(!p);
	tuza_process_free(p);
}

TEST(free_kills_what_goes_on)
{
	tuza_process *p;

	CHECK_EQ(start(TUZA_ARGV("sleep", "1000"), NULL, &p), 0);
	tuza_process_free(p);
	CHECK(no_zombies());
}

TEST(detached_process_goes_on_and_leaves_no_zombie)
{
	tuza_process *p;
	int ends[2];
	char text[8] = "";

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	tuza_process_options o = {.in = tuza_process_pipe(), .out = tuza_process_fd(ends[1])};
	CHECK_EQ(start(TUZA_ARGV("sh", "-c", "cat; echo end"), &o, &p), 0);
	CHECK_EQ(tuza_process_detach(p), 0); // which closes its input
	close(ends[1]);
	CHECK_EQ(read(ends[0], text, sizeof text), 4);
	CHECK_STR(text, "end\n");
	WAIT_UNTIL(no_zombies());
	close(ends[0]);
}

// In a plain thread, without a goroutine in the program.
TEST_PLAIN(plain_thread_runs_a_process)
{
	char *out;

	CHECK_EQ(sh("exit 4", NULL, NULL), TUZA_EEXIT(4));
	CHECK_EQ(output("echo plain", NULL, &out), 0);
	CHECK_STR(out, "plain\n");
	free(out);
	CHECK(no_zombies());
}
