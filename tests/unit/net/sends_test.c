// SPDX-License-Identifier: MIT
// not-under: valgrind it does not know the system call well: sys_sends_open says no
/*
 * Many sends by one call of the kernel: each result is its own. Skipped where the kernel refuses.
 */
#include "test.h"

#include "sys/sends.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool open_or_skip(struct sys_sends *s)
{
	int error = sys_sends_open(s);
	if (error) {
		CHECK(error == -ENOSYS || error == -EPERM || error == -ENOMEM);
		SKIP("the kernel has it not, or forbids it");
	}
	return error == 0;
}

static void make_pair(int pair[2]) { CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); }

static void close_both(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

// As many as there may be, twice as often as the kernel's rings are long.
TEST(every_send_reaches_its_own_socket_in_order)
{
	struct sys_sends s;
	int pairs[SYS_SENDS_MOST / 2][2];
	ssize_t results[SYS_SENDS_MOST];
	char bytes[SYS_SENDS_MOST], got[3];

	if (!open_or_skip(&s))
		return;
	for (int i = 0; i < SYS_SENDS_MOST / 2; i++)
		make_pair(pairs[i]);
	for (int turn = 0; turn < 6; turn++) {
		for (int i = 0; i < SYS_SENDS_MOST; i++) {
			bytes[i] = (char)(i + turn);
			sys_sends_add(&s, pairs[i / 2][0], &bytes[i], 1, &results[i]);
		}
		sys_sends_submit(&s);
		for (int i = 0; i < SYS_SENDS_MOST; i++)
			CHECK_EQ(results[i], 1);
		for (int i = 0; i < SYS_SENDS_MOST / 2; i++) {
			CHECK_EQ(recv(pairs[i][1], got, sizeof got, MSG_DONTWAIT), 2);
			CHECK_EQ(got[0], (char)(2 * i + turn));
			CHECK_EQ(got[1], (char)(2 * i + 1 + turn));
		}
	}
	for (int i = 0; i < SYS_SENDS_MOST / 2; i++)
		close_both(pairs[i]);
	close(s.fd);
}

TEST(one_that_fails_or_would_block_does_not_touch_the_others)
{
	struct sys_sends s;
	int good[2], gone[2], full[2], none = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ssize_t results[6];
	char bytes[4096] = {0}, got[8];

	if (!open_or_skip(&s))
		return;
	make_pair(good);
	make_pair(gone);
	make_pair(full);
	close(gone[1]);
	while (send(full[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	sys_sends_add(&s, good[0], "a", 1, &results[0]);
	sys_sends_add(&s, gone[0], "b", 1, &results[1]);
	sys_sends_add(&s, full[0], bytes, sizeof bytes, &results[2]);
	sys_sends_add(&s, -1, "c", 1, &results[3]);
	sys_sends_add(&s, none, "d", 1, &results[4]);
	sys_sends_add(&s, good[0], "e", 1, &results[5]);
	sys_sends_submit(&s);
	CHECK_EQ(results[0], 1);
	CHECK_EQ(results[1], -EPIPE); // and no signal
	CHECK_EQ(results[2], -EAGAIN);
	CHECK_EQ(results[3], -EBADF);
	CHECK_EQ(results[4], -ENOTSOCK);
	CHECK_EQ(results[5], 1);
	CHECK_EQ(recv(good[1], got, sizeof got, MSG_DONTWAIT), 2);
	CHECK(got[0] == 'a' && got[1] == 'e');
	close_both(good);
	close_both(full);
	close(gone[0]);
	close(none);
	close(s.fd);
}

TEST(what_the_kernel_does_not_take_is_to_be_tried_again)
{
	struct sys_sends s;
	int pair[2], spare;
	ssize_t results[2];
	char got[4];

	if (!open_or_skip(&s))
		return;
	make_pair(pair);
	sys_sends_add(&s, pair[0], "x", 1, &results[0]);
	sys_sends_add(&s, pair[0], "y", 1, &results[1]);
	spare = s.fd;
	s.fd = -1;
	sys_sends_submit(&s);
	CHECK_EQ(results[0], -EINTR);
	CHECK_EQ(results[1], -EINTR);
	s.fd = spare;
	sys_sends_add(&s, pair[0], "z", 1, &results[0]);
	sys_sends_submit(&s);
	CHECK_EQ(results[0], 1);
	CHECK_EQ(recv(pair[1], got, sizeof got, MSG_DONTWAIT), 1);
	CHECK_EQ(got[0], 'z');
	close_both(pair);
	close(s.fd);
}
