// SPDX-License-Identifier: MIT
/*
 * Children on older kernels and under seccomp filters: without descriptors of processes and without
 * close_range; and when the system has no room for a process.
 *
 * A filter stays for good, so they come one after another.
 */
#include "../test.h"

#include "process_support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// From now on the call gives the error, in all threads; if `flag` is not 0, when its first argument
// has it. False: this system has no filters (emulators).
static bool forbid(unsigned call, unsigned flag, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flag ? flag : ~0u, 0, flag ? 1 : 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
		       0;
}

TEST(without_descriptors_of_processes_threads_wait)
{
	char *out;
	tuza_process *p;

	if (!forbid(SYS_pidfd_open, 0, ENOSYS)) {
		SKIP("no seccomp filters");
		return;
	}
	CHECK_EQ(syscall(SYS_pidfd_open, getpid(), 0), -1);
	CHECK_EQ(output("echo out; exit 3", NULL, &out), TUZA_EEXIT(3));
	CHECK_STR(out, "out\n");
	free(out);
	// On a slow machine the context may end before there is a process.
	tuza_context *ctx = NULL;
	int error = -ETIMEDOUT;
	for (int64_t timeout = 500 * TUZA_MILLISECOND;
		error == -ETIMEDOUT && timeout < 20 * TUZA_SECOND; timeout *= 2) {
		if (ctx)
			tuza_context_free(ctx);
		ctx = tuza_context_with_timeout(tuza_context_background(), timeout);
		error = tuza_process_start(ctx, TUZA_ARGV("sleep", "1000"), NULL, &p);
	}
	CHECK_EQ(error, 0);
	CHECK_EQ(tuza_process_wait(p, NULL), -ETIMEDOUT);
	tuza_process_free(p);
	tuza_context_free(ctx);
	CHECK(no_zombies());
}

TEST(without_close_range_no_descriptor_is_inherited_either)
{
	int leaky[20];
	char *out;

	if (!forbid(SYS_close_range, 0, ENOSYS)) {
		SKIP("no seccomp filters");
		return;
	}
	for (int i = 0; i < 20; i++)
		leaky[i] = open("/dev/null", O_RDONLY); // not close-on-exec
	CHECK_EQ(output("ls /proc/self/fd | tr '\\n' ' '", NULL, &out), 0);
	CHECK_STR(out, "0 1 2 3 ");
	free(out);
	for (int i = 0; i < 20; i++)
		close(leaky[i]);
}

TEST(no_room_for_a_process_is_an_error_of_the_start)
{
	tuza_process *p;
	tuza_process_options o = {.in = tuza_process_bytes("x", 1), .out = tuza_process_pipe()};

	if (!forbid(SYS_clone, CLONE_VFORK, EAGAIN)) {
		SKIP("no seccomp filters");
		return;
	}
	CHECK_EQ(start(TUZA_ARGV("true"), &o, &p), -EAGAIN);
	CHECK(!p);
}
