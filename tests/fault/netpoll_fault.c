// SPDX-License-Identifier: MIT
/*
 * Polling under shortage and on older kernels: no descriptor left when somebody first waits, or for
 * connections, and a kernel without epoll_pwait2. Checklist 30 (the poller's start fails or races),
 * seccomp.
 */
#include "../test.h"

#include <tuza/io.h>
#include <tuza/net.h>
#include <tuza/sync.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#define MS TUZA_MILLISECOND

static int ends[2];
static atomic_int results[64], done;

static void wait_for(int i)
{
	atomic_store(&results[i], tuza_wait_fd(ends[0], POLLIN, tuza_now() + 10 * MS));
	atomic_fetch_add(&done, 1);
}

static pthread_barrier_t all_are_there;

static void *wait_at_once(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&all_are_there);
	CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, tuza_now() + MS), TUZA_EIOTIMEOUT);
	return NULL;
}

static int count_pollers(void)
{
	char path[64], link[64] = "";
	int n = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", i);
		memset(link, 0, sizeof link);
		n += readlink(path, link, sizeof link - 1) > 0 &&
		     strcmp(link, "anon_inode:[eventpoll]") == 0;
	}
	return n;
}

static void wait_in_threads(void)
{
	pthread_t threads[8];

	pthread_barrier_init(&all_are_there, NULL, 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_at_once, NULL), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(count_pollers(), 1);
}

// Each child's first: many threads begin at once, and have one poller. Before the parent's own.
TEST_PLAIN(process_has_one_poller_whoever_waits_first)
{
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	for (int i = 0; i < 20; i++) {
		int status = 1;
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			wait_in_threads();
			fflush(stdout);
			_exit(test_failures != 0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
	}
	CHECK_EQ(close(ends[0]), 0);
	CHECK_EQ(close(ends[1]), 0);
}

static void first_waits(int want)
{
	atomic_store(&done, 0);
	for (int i = 0; i < 64; i++)
		TUZA_GO(wait_for, i);
	WAIT_UNTIL(done == 64);
	for (int i = 0; i < 64; i++)
		CHECK_EQ(results[i], want);
}

static int first_waits_without_descriptors(void *arg)
{
	struct rlimit limit, low;

	(void)arg;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)ends[1] + 1;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	first_waits(-EMFILE);
	low.rlim_cur++; // room for the poller, none for what interrupts it
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	first_waits(-EMFILE);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	first_waits(TUZA_EIOTIMEOUT);
	return 0;
}

// golang/go#22606. It must be the first of this program.
TEST_PLAIN(first_wait_fails_without_descriptors_and_works_with_them)
{
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(tuza_run(first_waits_without_descriptors, NULL), 0);
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
}

static void write_later(void)
{
	tuza_sleep(5 * MS);
	CHECK_EQ(write(ends[1], "x", 1), 1);
}

static int wait_and_sleep(void *arg)
{
	char byte;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		int64_t deadline = tuza_now() + 3 * MS;

		CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, deadline), TUZA_EIOTIMEOUT);
		CHECK(tuza_now() >= deadline);
		TUZA_GO(write_later);
		CHECK_EQ(tuza_wait_fd(ends[0], POLLIN, 0), POLLIN);
		CHECK_EQ(read(ends[0], &byte, 1), 1);
	}
	return 0;
}

// ---- accepting without descriptors -------------------------------------------------------------

enum { CLIENTS = 60, SPARE = 3 };

static tuza_waitgroup gate;
static atomic_int accepted, served;

static void serve(tuza_conn *conn)
{
	char byte;

	accepted++;
	tuza_waitgroup_wait(&gate); // which costs nothing
	served += tuza_conn_read(conn, &byte, 1) == 1 && tuza_conn_write(conn, &byte, 1) == 1;
	CHECK_EQ(tuza_conn_close(conn), 0);
}

static void accept_all(tuza_listener *l)
{
	for (tuza_conn *conn; tuza_accept(l, &conn) == 0;)
		TUZA_GO(serve, conn);
}

static int highest_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return fd - 1;
}

static int serve_without_descriptors(void *arg)
{
	int clients[CLIENTS];
	struct rlimit limit, low;
	tuza_listener *l;
	char byte = 'x';
	struct sockaddr_in address;
	socklen_t bytes = sizeof address;

	(void)arg;
	tuza_gomaxprocs(tuza_gomaxprocs(0)); // nobody opens files to look for the CPU's limit
	CHECK_EQ(tuza_listen("tcp4", "127.0.0.1:0", &l), 0);
	CHECK_EQ(getsockname(tuza_listener_fd(l), (struct sockaddr *)&address, &bytes), 0);
	for (int i = 0; i < CLIENTS; i++) { // they wait in the system's queue
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK_EQ(connect(clients[i], (struct sockaddr *)&address, bytes), 0);
		CHECK_EQ(write(clients[i], &byte, 1), 1);
	}
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = (rlim_t)highest_descriptor() + 1 + SPARE;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	tuza_waitgroup_add(&gate, 1);
	TUZA_GO(accept_all, l);
	WAIT_UNTIL(accepted == SPARE);
	clock_t before = clock();
	tuza_sleep(TUZA_SECOND); // the fourth is tried and tried again
	CHECK(clock() - before < CLOCKS_PER_SEC * 3 / 20);
	CHECK_EQ(accepted, SPARE);
	tuza_waitgroup_done(&gate);
	WAIT_UNTIL(served == CLIENTS);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(tuza_listener_close(l), 0);
	for (int i = 0; i < CLIENTS; i++) {
		CHECK_EQ(read(clients[i], &byte, 1), 1);
		close(clients[i]);
	}
	// Those who have served close afterwards; whom the end of the run drops does not.
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	return 0;
}

TEST_PLAIN(listener_without_descriptors_burns_nothing_and_serves_all_in_the_end)
{
	CHECK_EQ(tuza_run(serve_without_descriptors, NULL), 0);
}

// The filter stays for good: the last of this program.
TEST_PLAIN(kernel_without_epoll_pwait2_waits_by_the_millisecond)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
		SKIP("no seccomp here");
		return;
	}
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	CHECK_EQ(tuza_run(wait_and_sleep, NULL), 0);
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
}
