// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [chan receive]:
/*
 * A descriptor that others wait for turns out to be closed, between two system calls of ours (a
 * filter of the kernel plays that). Those who wait are counted right all the same, or nobody would
 * ever again be taken for deadlocked.
 */
#include <tuza/io.h>
#include <tuza/tuza.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends[2];

static void wait_to_read(tuza_chan *done) { tuza_send(done, tuza_wait_fd(ends[0], POLLIN, 0)); }

// From now on what the kernel is asked to report of a descriptor cannot be changed.
static int close_underneath(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_MOD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBADF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) !=
		       0;
}

static int program(void *arg)
{
	tuza_chan *done = tuza_chan_new(sizeof(int), 1);
	tuza_statistics statistics;
	int result;

	(void)arg;
	if (pipe(ends) != 0)
		return 1;
	TUZA_GO(wait_to_read, done);
	do {
		tuza_yield();
		tuza_stats(&statistics);
	} while (statistics.waiting == 0);
	if (close_underneath() == 0) // else there is nothing to be shown
		result = tuza_wait_fd(ends[0], POLLIN, 0);
	else
		result = -EBADF;
	if (result != -EBADF)
		printf("%d\n", result);
	if (write(ends[1], "x", 1) != 1 || !tuza_recv(done, &result))
		return 1;
	tuza_recv(done, &result);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
