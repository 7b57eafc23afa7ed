// SPDX-License-Identifier: MIT
// The writer of reports: nothing is lost on a descriptor that takes bytes, and nothing hangs on one
// that does not.
#include "test.h"

#include "debug/writer.h"

#include <pthread.h>

TEST_PLAIN(text_ends_with_a_zero_at_all_times)
{
	char text[8];
	struct writer w;

	memset(text, 'x', sizeof(text));
	writer_to_text(&w, text, sizeof(text));
	CHECK_STR(text, "");
	writer_text(&w, "abc");
	CHECK_STR(text, "abc");
	CHECK(!w.is_cut);
}

TEST_PLAIN(text_is_cut_when_it_does_not_fit)
{
	char text[8];
	struct writer w;

	memset(text, 'x', sizeof(text));
	writer_to_text(&w, text, 5);
	writer_text(&w, "abcdef");
	writer_text(&w, "g");
	CHECK_STR(text, "abcd");
	CHECK_EQ(w.length, 4);
	CHECK(w.is_cut);
	CHECK_EQ(text[5], 'x');
}

TEST_PLAIN(text_of_one_byte_holds_nothing)
{
	char text[1] = {'x'};
	struct writer w;

	writer_to_text(&w, text, 1);
	writer_text(&w, "a");
	CHECK_EQ(text[0], 0);
}

TEST_PLAIN(numbers_have_all_their_digits_and_no_more)
{
	char text[128];
	struct writer w;

	writer_to_text(&w, text, sizeof(text));
	writer_number(&w, 0);
	writer_text(&w, " ");
	writer_number(&w, 1090);
	writer_text(&w, " ");
	writer_number(&w, UINT64_MAX);
	writer_text(&w, " ");
	writer_hex(&w, 0);
	writer_text(&w, " ");
	writer_hex(&w, 0x9f0);
	writer_text(&w, " ");
	writer_hex(&w, UINT64_MAX);
	CHECK_STR(text, "0 1090 18446744073709551615 0x0 0x9f0 0xffffffffffffffff");
}

TEST_PLAIN(descriptor_receives_more_than_the_buffer_holds_in_order)
{
	char buffer[3], got[64] = "";
	struct writer w;
	int fd = memfd_create("writer", MFD_CLOEXEC);

	writer_to_fd(&w, fd, buffer, sizeof(buffer));
	writer_text(&w, "0123456789");
	writer_text(&w, "a");
	writer_text(&w, "bcd");
	CHECK(lseek(fd, 0, SEEK_CUR) >= 11);
	writer_flush(&w);
	CHECK_EQ(pread(fd, got, sizeof(got) - 1, 0), 14);
	CHECK_STR(got, "0123456789abcd");
	CHECK(!w.is_cut);
	close(fd);
}

enum { MANY = 300000 }; // a pipe holds 65,536

struct reading {
	int fd;
	size_t total;
	int64_t since;   // when it read last
	int64_t longest; // ns without a read: for so long the machine did not let it run, perhaps
};

static void *read_slowly(void *reading)
{
	struct reading *r = reading;
	char bytes[1000];

	for (ssize_t n; (n = read(r->fd, bytes, sizeof(bytes))) > 0; r->total += (size_t)n) {
		int64_t now = tuza_now();

		if (now - r->since > r->longest)
			r->longest = now - r->since;
		r->since = now;
		if (r->total < 20 * sizeof(bytes))
			usleep(1000);
	}
	return NULL;
}

// The writer gives up after a second: what it wrote to a reader that was away for nearly so long
// tells nothing, and is written again.
TEST_PLAIN(full_pipe_is_waited_for_when_it_does_not_block)
{
	static char bytes[MANY];
	char buffer[4096];
	struct writer w;
	struct reading r;

	do {
		int fds[2];
		pthread_t reader;

		CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		fcntl(fds[0], F_SETFL, 0);
		r = (struct reading){.fd = fds[0], .since = tuza_now()};
		pthread_create(&reader, NULL, read_slowly, &r);
		writer_to_fd(&w, fds[1], buffer, sizeof(buffer));
		writer_bytes(&w, bytes, MANY);
		writer_flush(&w);
		close(fds[1]);
		pthread_join(reader, NULL);
		close(fds[0]);
	} while (r.longest > 500 * TUZA_MILLISECOND);
	CHECK_EQ(r.total, MANY);
	CHECK(!w.is_cut);
}

TEST_PLAIN(full_pipe_without_a_reader_is_given_up)
{
	static char bytes[MANY];
	char buffer[4096];
	struct writer w;
	int fds[2];

	CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	writer_to_fd(&w, fds[1], buffer, sizeof(buffer));
	alarm(5);
	writer_bytes(&w, bytes, MANY);
	CHECK(w.is_cut);
	close(fds[0]);
	close(fds[1]);
}

TEST_PLAIN(closed_descriptor_is_given_up_and_errno_stays)
{
	char buffer[16];
	struct writer w;

	writer_to_fd(&w, 1000, buffer, sizeof(buffer));
	errno = ENOTTY;
	writer_text(&w, "more than the buffer can hold");
	writer_flush(&w);
	CHECK(w.is_cut);
	CHECK_EQ(errno, ENOTTY);
}
