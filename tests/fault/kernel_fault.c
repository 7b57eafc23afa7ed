// SPDX-License-Identifier: MIT
/*
 * System calls that a filter forbids, one at a time, as sandboxes and older kernels do: a program
 * goes on without, or hears of it in a code or in a clear error. Nothing hangs.
 *
 * A filter stays for good, so each has a process of its own. None sends a signal by number: where
 * getpid is forbidden, that would be everybody.
 */
#include "../test.h"

#include <tuza/context.h>
#include <tuza/io.h>
#include <tuza/net.h>
#include <tuza/pprof.h>
#include <tuza/signal.h>
#include <tuza/sync.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// By number where the C library's headers are older than the call.
enum { PROCESS_MADVISE = 440, EPOLL_PWAIT2 = 441 };
enum { PATIENCE = 30, SECOND_STEP = 10 };

__attribute__((constructor)) static void set_environment(void)
{
	setenv("TUZA_TRACEBACK", "none", 0);
	setenv("TUZA_MAXPROCS", "2", 0);
}

static bool forbid(unsigned call, unsigned error, unsigned flags)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0;
}

// ---- what the program does ---------------------------------------------------------------------

// Each: 0, or a negative code. Whatever is left behind ends with the process.
typedef int step(void);

static unsigned chosen; // of the steps
static int expected;    // what each gives

static tuza_waitgroup group;
static tuza_mutex mutex;
static long sum;

static void add(void)
{
	for (int i = 0; i < 100; i++) {
		tuza_mutex_lock(&mutex);
		sum++;
		if (i % 25 == 0)
			tuza_yield();
		tuza_mutex_unlock(&mutex);
	}
	tuza_waitgroup_done(&group);
}

static void sleep_in_section(void)
{
	tuza_blocking_begin();
	usleep(1000);
	tuza_blocking_end();
	tuza_waitgroup_done(&group);
}

static void burn(void)
{
	int64_t end = tuza_now() + 15 * TUZA_MILLISECOND;

	while (tuza_now() < end)
		;
	tuza_waitgroup_done(&group);
}

static int schedule_all(void)
{
	int n = tuza_gomaxprocs(0);

	sum = 0;
	tuza_waitgroup_add(&group, 20 + 4 + n);
	for (int i = 0; i < 20; i++)
		TUZA_GO(add);
	for (int i = 0; i < 4; i++)
		TUZA_GO(sleep_in_section);
	for (int i = 0; i < n; i++)
		TUZA_GO(burn);
	tuza_sleep(TUZA_MILLISECOND); // while all are busy
	tuza_gomaxprocs(n + 1);
	tuza_waitgroup_wait(&group);
	tuza_gomaxprocs(n);
	return sum == 2000 ? 0 : -EPROTO;
}

static int use_memory(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	tuza_dump(fd);
	int result =
		(int)lseek(fd, 0, SEEK_END) > 0 ? tuza_pprof_write(fd, "goroutine", 1) : -EPROTO;
	close(fd);
	return result;
}

static int use_file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	char text[8] = "";
	bool works = tuza_write(fd, "abcd", 4) == 4 && tuza_pread(fd, text, 4, 0) == 4 &&
		     lseek(fd, 2, SEEK_SET) == 2 && tuza_read(fd, text + 4, 2) == 2 &&
		     strcmp(text, "abcdcd") == 0;

	return tuza_close(fd) == 0 && works ? 0 : -EPROTO;
}

static void write_later(int fd)
{
	tuza_sleep(TUZA_MILLISECOND);
	(void)!tuza_write(fd, "x", 1);
}

static int use_pipe(void)
{
	int ends[2], result = -EPROTO;
	char byte;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	if (!expected) // what is ready needs no poller
		TUZA_GO(write_later, ends[1]);
	int ready = tuza_wait_fd(ends[0], POLLIN, 0);
	if (ready < 0 || tuza_read(ends[0], &byte, 1) == 1)
		result = ready < 0 ? ready : 0;
	(void)!tuza_close(ends[0]);
	(void)!tuza_close(ends[1]);
	return result;
}

static void echo(tuza_listener *l)
{
	tuza_conn *conn;
	char byte;

	if (tuza_accept(l, &conn) == 0) {
		while (tuza_conn_read(conn, &byte, 1) == 1 && tuza_conn_write(conn, &byte, 1) == 1)
			;
		(void)!tuza_conn_close(conn);
	}
	tuza_waitgroup_done(&group);
}

static int use_network(void)
{
	char address[TUZA_ADDRESS_TEXT], byte = 'x';
	tuza_listener *l;
	tuza_conn *conn;
	int result = tuza_listen("tcp", "127.0.0.1:0", &l);

	if (result)
		return result;
	(void)!tuza_listener_address(l, address, sizeof address);
	tuza_waitgroup_add(&group, 1);
	TUZA_GO(echo, l);
	result = tuza_dial(tuza_context_background(), "tcp", address, &conn);
	for (int i = 0; i < 3 && !result; i++)
		if (tuza_conn_write(conn, &byte, 1) != 1 || tuza_conn_read(conn, &byte, 1) != 1)
			result = -EPROTO;
	if (conn)
		(void)!tuza_conn_close(conn);
	(void)!tuza_listener_close(l);
	tuza_waitgroup_wait(&group);
	return result;
}

static int use_cpu_profile(void)
{
	int fd = memfd_create("profile", MFD_CLOEXEC), result = tuza_pprof_cpu_start(fd);

	if (!result)
		result = tuza_pprof_cpu_stop();
	close(fd);
	return result;
}

static int use_scan(void) { return tuza_leak_scan(-1); }

static int use_signals(void)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	int sig = 0;

	tuza_signal_notify(c, SIGUSR1);
	raise(SIGUSR1);
	(void)!tuza_recv(c, &sig);
	tuza_signal_stop(c);
	tuza_chan_release(c);
	return sig == SIGUSR1 ? 0 : -EPROTO;
}

static void wait_for_close(void *c)
{
	tuza_waitgroup_done(&group);
	(void)!tuza_recv((tuza_chan *)c, (int *)NULL);
}

// More stacks than Linux allows mappings, two for each, should guards split them.
static int start_many(void)
{
	enum { MANY_STACKS = 40000 };
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int result = 0;

	tuza_waitgroup_add(&group, MANY_STACKS);
	for (int i = 0; i < MANY_STACKS && !result; i++)
		result = tuza_go(wait_for_close, c);
	if (result)
		return result;
	tuza_waitgroup_wait(&group); // all have a stack
	// The program has mappings left for what it needs itself.
	for (int i = 0; i < 100; i++)
		if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) == MAP_FAILED)
			result = -errno;
	tuza_chan_close(c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
	return result;
}

enum {
	SCHEDULE = 1,
	MEMORY = 2,
	FILES = 4,
	PIPES = 8,
	NET = 16,
	PROFILE = 32,
	SCAN = 64,
	SIGS = 128,
	MANY = 256
};

static step *const steps[] = {schedule_all, use_memory, use_file, use_pipe, use_network,
	use_cpu_profile, use_scan, use_signals, start_many};

static int do_steps(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		int result = chosen & 1u << i ? steps[i]() : expected;
		if (result != expected) {
			dprintf(2, "step %u gives %d\n", i, result);
			return SECOND_STEP + (int)i;
		}
	}
	return 0;
}

// ---- what is forbidden -------------------------------------------------------------------------

struct ban {
	const char *name;
	unsigned call;
	unsigned works;   // these steps work all the same
	unsigned refused; // these give the code
	const char *dies; // instead of all this: with this text
};

#define CALL(name) #name, SYS_##name
static const struct ban bans[] = {
	{CALL(membarrier), SCHEDULE | MEMORY | SCAN, 0, NULL},
	{CALL(io_uring_setup), NET, 0, NULL},
	{CALL(madvise), SCHEDULE | MEMORY | MANY, 0, NULL},
	{"process_madvise", PROCESS_MADVISE, SCHEDULE, 0, NULL},
	{CALL(statx), FILES | PIPES, 0, NULL},
	{CALL(preadv2), FILES | PIPES, 0, NULL},
	{CALL(sched_getaffinity), SCHEDULE, 0, NULL},
	{CALL(sched_yield), SCHEDULE | MEMORY | SIGS, 0, NULL},
	{CALL(prctl), SCHEDULE | NET, 0, NULL},
	{CALL(getrandom), SCHEDULE | NET, 0, NULL},
	{CALL(clock_nanosleep), SCHEDULE | MEMORY, 0, NULL},
	{CALL(setsockopt), NET, 0, NULL},
	{CALL(tgkill), MEMORY | SCAN, 0, NULL},
	{CALL(process_vm_readv), MEMORY | PROFILE, 0, NULL},
	{"epoll_pwait2", EPOLL_PWAIT2, PIPES | NET, 0, NULL},
	{CALL(clone), SCHEDULE, 0, NULL},
	{CALL(timer_create), SCHEDULE, PROFILE, NULL},
	{CALL(rt_tgsigqueueinfo), MEMORY, SCAN, NULL},
	{CALL(recvfrom), FILES | PIPES, 0, NULL},
	{CALL(sendto), FILES | PIPES, 0, NULL},
	{CALL(socket), PIPES, NET, NULL},
	{CALL(epoll_create1), SCHEDULE | FILES, PIPES | NET, NULL},
	{CALL(eventfd2), SCHEDULE | FILES, PIPES | NET, NULL},
	{CALL(epoll_ctl), FILES, PIPES | NET, NULL},
	{CALL(epoll_pwait), PIPES, 0, "cannot wait for descriptors"},
	{CALL(sigaltstack), SCHEDULE, 0, "cannot set a signal stack"},
	{CALL(mprotect), SCHEDULE, 0, "cannot start a thread"},
	{CALL(rt_sigaction), SIGS, 0, "signals cannot be had"},
};

// The child's status, or -1 if there are no filters here.
static int run_under(const struct ban *ban, unsigned error, unsigned the_steps, int result,
	char *text, size_t bytes)
{
	int out[2], status = 0;
	size_t have = 0;

	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		dup2(out[1], 2);
		signal(SIGALRM, SIG_DFL);
		alarm(PATIENCE);
		if (!forbid(ban->call, error, 0))
			_exit(77);
		chosen = the_steps;
		expected = result;
		_exit(tuza_run(do_steps, NULL));
	}
	close(out[1]);
	for (ssize_t n; (n = read(out[0], text + have, bytes - 1 - have)) > 0;)
		have += (size_t)n;
	text[have] = 0;
	close(out[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? -1 : status;
}

static bool check_run(const struct ban *ban, unsigned error, unsigned the_steps, int result)
{
	char text[1024];
	int status = run_under(ban, error, the_steps, result, text, sizeof text);
	bool dies = WIFEXITED(status) && WEXITSTATUS(status) == 2;

	if (status == -1) {
		SKIP("no filters of system calls here");
		return false;
	}
	if (!CHECK(ban->dies ? dies && strstr(text, ban->dies) : status == 0))
		printf("  %s %s: status %x, %s\n", ban->name, tuza_error_name(-(int)error),
			(unsigned)status, text);
	return true;
}

// The program's own thread has made none before: its children may use the runtime.
TEST_PLAIN(a_call_that_is_forbidden_is_done_without_or_told)
{
	static const unsigned errors[] = {ENOSYS, EPERM};

	for (size_t i = 0; i < sizeof bans / sizeof bans[0]; i++) {
		unsigned error = errors[i % 2];

		if (!check_run(&bans[i], error, bans[i].works, bans[i].dies ? -1 : 0))
			return;
		if (bans[i].refused)
			check_run(&bans[i], error, bans[i].refused, -(int)error);
	}
}

// ---- forbidden later ---------------------------------------------------------------------------

static void lock_and_unlock(void *m)
{
	tuza_mutex_lock(m);
	tuza_mutex_unlock(m);
}

// As if nobody had waited for it in a long time.
static bool make_quiet(tuza_mutex *m)
{
	for (int i = 0; i < 40000; i++)
		lock_and_unlock(m);
	return __atomic_load_n(&m->state, __ATOMIC_RELAXED) & TUZA_MUTEX_QUIET_;
}

static uint32_t alarms(void) { return __atomic_load_n(&tuza_mutex_alarms_, __ATOMIC_RELAXED); }

static int lose_barriers(void *arg)
{
	tuza_mutex m = {0};

	(void)arg;
	if (alarms() != 0)
		return 77; // there are none anyway
	if (!make_quiet(&m))
		return 3;
	if (!forbid(SYS_membarrier, EPERM, SECCOMP_FILTER_FLAG_TSYNC))
		return 77;
	for (int i = 0; i < 10; i++) {
		if (!make_quiet(&m))
			return 4;
		tuza_mutex_lock(&m);
		tuza_goroutine *h = tuza_spawn(lock_and_unlock, &m);
		if (!wait_parked("sync.Mutex.Lock", 1))
			return 5;
		tuza_mutex_unlock(&m);
		if (tuza_join(h) != 0)
			return 6;
	}
	return alarms() == 1 ? 0 : 7; // one for ever: nobody needs a barrier
}

// What threads read beside a quiet mutex takes a barrier's place.
TEST_PLAIN(waiters_of_a_quiet_mutex_are_woken_when_barriers_have_been_forbidden)
{
	int status = 0;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(PATIENCE);
		_exit(tuza_run(lose_barriers, NULL));
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no barriers, or no filters of system calls");
	else
		CHECK_EQ(status, 0);
}
