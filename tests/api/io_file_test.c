// SPDX-License-Identifier: MIT
/*
 * Reading and writing descriptors of any kind, and files.
 */
#include "../test.h"

#include <tuza/io.h>

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#define MS TUZA_MILLISECOND

struct transfer {
	int fd;
	char *bytes;
	size_t count;
	ssize_t result;
	atomic_int done;
};

static void read_now(struct transfer *t)
{
	t->result = tuza_read(t->fd, t->bytes, t->count);
	atomic_store(&t->done, 1);
}

static void write_now(struct transfer *t)
{
	t->result = tuza_write(t->fd, t->bytes, t->count);
	atomic_store(&t->done, 1);
}

// Kinds of connected descriptors: a pipe and a socket pair, blocking and not.
enum { KINDS = 4 };
static void make_ends(int kind, int ends[2])
{
	int flags = kind & 1 ? O_NONBLOCK : 0;

	if (kind & 2) {
		CHECK_EQ(
			socketpair(AF_UNIX, SOCK_STREAM | (flags ? SOCK_NONBLOCK : 0), 0, ends), 0);
		int swap = ends[0];
		ends[0] = ends[1];
		ends[1] = swap;
	} else {
		CHECK_EQ(pipe2(ends, flags), 0);
	}
}

static bool is_blocking(int fd) { return !(fcntl(fd, F_GETFL) & O_NONBLOCK); }

TEST(read_waits_for_bytes_in_any_mode)
{
	for (int kind = 0; kind < KINDS; kind++) {
		int ends[2];
		char bytes[8] = "";
		struct transfer r = {.bytes = bytes, .count = sizeof(bytes)};

		make_ends(kind, ends);
		bool blocking = is_blocking(ends[0]);
		r.fd = ends[0];
		TUZA_GO(read_now, &r);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_write(ends[1], "abc", 3), 3);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, 3);
		CHECK_STR(bytes, "abc");
		CHECK_EQ(tuza_read(ends[0], bytes, 0), 0);
		CHECK_EQ(tuza_close(ends[1]), 0);
		CHECK_EQ(tuza_read(ends[0], bytes, 8), 0);
		CHECK_EQ(is_blocking(ends[0]), blocking); // never changed
		CHECK_EQ(tuza_close(ends[0]), 0);
	}
}

TEST(write_waits_for_room_in_any_mode)
{
	enum { BYTES = 1 << 20 };
	char *sent = malloc(BYTES), *got = malloc(BYTES);

	for (size_t i = 0; i < BYTES; i++)
		sent[i] = (char)(i * 31 >> 4);
	for (int kind = 0; kind < KINDS; kind++) {
		int ends[2];
		struct transfer w = {.bytes = sent, .count = BYTES};
		size_t n = 0;

		make_ends(kind, ends);
		w.fd = ends[1];
		TUZA_GO(write_now, &w);
		wait_parked("IO wait", 1);
		while (n < BYTES) {
			ssize_t r = tuza_read(ends[0], got + n, BYTES - n);
			if (!CHECK(r > 0))
				break;
			n += (size_t)r;
		}
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.result, BYTES);
		CHECK(memcmp(sent, got, BYTES) == 0);
		CHECK_EQ(tuza_close(ends[0]), 0);
		CHECK_EQ(tuza_close(ends[1]), 0);
	}
	free(sent);
	free(got);
}

// N3, T9.5.
TEST(close_ends_reads_and_writes)
{
	enum { BYTES = 1 << 20 };
	char *bytes = calloc(1, BYTES);

	for (int kind = 0; kind < KINDS; kind++) {
		int ends[2];
		struct transfer r = {.bytes = bytes, .count = 1};
		struct transfer w = {.bytes = bytes, .count = BYTES};

		make_ends(kind, ends);
		r.fd = ends[0];
		TUZA_GO(read_now, &r);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_close(ends[0]), 0);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, TUZA_EFDCLOSED);
		CHECK_EQ(tuza_close(ends[1]), 0);

		make_ends(kind, ends);
		w.fd = ends[1];
		TUZA_GO(write_now, &w);
		wait_parked("IO wait", 1);
		CHECK_EQ(tuza_close(ends[1]), 0);
		WAIT_UNTIL(w.done);
		CHECK(w.result == TUZA_EFDCLOSED || (w.result > 0 && w.result < BYTES));
		CHECK_EQ(tuza_close(ends[0]), 0);
	}
	free(bytes);
}

TEST(broken_ends_are_errors)
{
	int ends[2];
	char byte = 0;

	signal(SIGPIPE, SIG_IGN);
	for (int kind = 0; kind < KINDS; kind++) {
		make_ends(kind, ends);
		CHECK_EQ(tuza_close(ends[0]), 0);
		CHECK_EQ(tuza_write(ends[1], &byte, 1), -EPIPE);
		CHECK_EQ(tuza_close(ends[1]), 0);
	}
	signal(SIGPIPE, SIG_DFL);
	CHECK_EQ(tuza_read(-1, &byte, 1), -EBADF);
	CHECK_EQ(tuza_write(-1, &byte, 1), -EBADF);
	make_ends(2, ends); // a socket raises no signal
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_write(ends[1], &byte, 1), -EPIPE);
	CHECK_EQ(tuza_close(ends[1]), 0);
}

// What is open for the other direction alone is never ready for this one: nobody waits for it.
TEST(direction_that_a_descriptor_is_not_open_for_is_an_error)
{
	int pipe_ends[2], path = open("/tmp", O_PATH | O_CLOEXEC);
	char byte = 0;

	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		CHECK_EQ(pipe2(pipe_ends, O_CLOEXEC | (nonblocking ? O_NONBLOCK : 0)), 0);
		CHECK_EQ(tuza_read(pipe_ends[1], &byte, 1), -EBADF);
		CHECK_EQ(tuza_write(pipe_ends[0], &byte, 1), -EBADF);
		tuza_blocking_begin();
		CHECK_EQ(tuza_read(pipe_ends[1], &byte, 1), -EBADF);
		CHECK_EQ(tuza_write(pipe_ends[0], &byte, 1), -EBADF);
		tuza_blocking_end();
		CHECK_EQ(tuza_write(pipe_ends[1], &byte, 1), 1);
		CHECK_EQ(tuza_read(pipe_ends[0], &byte, 1), 1);
		CHECK_EQ(tuza_close(pipe_ends[0]), 0);
		CHECK_EQ(tuza_close(pipe_ends[1]), 0);
	}
	CHECK_EQ(tuza_read(path, &byte, 1), -EBADF);
	CHECK_EQ(tuza_write(path, &byte, 1), -EBADF);
	CHECK_EQ(tuza_close(path), 0);
}

static void count_turns(atomic_int *stop, atomic_long *turns)
{
	while (!atomic_load(stop)) {
		atomic_fetch_add(turns, 1);
		tuza_yield();
	}
}

// A blocking descriptor stops no processor.
TEST(others_run_while_one_reads)
{
	int processors = tuza_gomaxprocs(1), ends[2];
	char byte;
	atomic_int stop = 0;
	atomic_long turns = 0;
	struct transfer r = {.bytes = &byte, .count = 1};

	make_ends(0, ends);
	r.fd = ends[0];
	TUZA_GO(read_now, &r);
	TUZA_GO(count_turns, &stop, &turns);
	WAIT_UNTIL(turns > 1000);
	CHECK_EQ(r.done, 0);
	CHECK_EQ(tuza_write(ends[1], "x", 1), 1);
	WAIT_UNTIL(r.done);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
	tuza_gomaxprocs(processors);
}

TEST(files_are_written_and_read_at_offsets)
{
	char path[] = "/tmp/tuza-test-XXXXXX", bytes[16] = "";
	int made = mkstemp(path);

	close(made);
	int fd = tuza_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(tuza_pwrite(fd, "world", 5, 6), 5);
	CHECK_EQ(tuza_pwrite(fd, "hello ", 6, 0), 6);
	CHECK_EQ(tuza_fsync(fd), 0);
	CHECK_EQ(tuza_pread(fd, bytes, sizeof(bytes), 0), 11);
	CHECK_STR(bytes, "hello world");
	CHECK_EQ(tuza_pread(fd, bytes, sizeof(bytes), 11), 0);
	CHECK_EQ(tuza_pread(fd, bytes, 0, 0), 0);
	CHECK_EQ(tuza_read(fd, bytes, 5), 5);
	CHECK_EQ(tuza_write(fd, "!", 1), 1);
	CHECK_EQ(tuza_pread(fd, bytes, sizeof(bytes), 5), 6);
	CHECK(memcmp(bytes, "!world", 6) == 0);
	CHECK_EQ(tuza_pread(fd, bytes, 1, -1), -EINVAL);
	CHECK_EQ(tuza_close(fd), 0);
	CHECK_EQ(tuza_pread(fd, bytes, 1, 0), -EBADF);
	CHECK_EQ(tuza_fsync(fd), -EBADF);
	unlink(path);
	CHECK_EQ(tuza_open(path, O_RDONLY, 0), -ENOENT);
}

// In the system's cache, partly in it or not at all, past it: the same bytes.
TEST(files_are_read_whole_wherever_they_are)
{
	enum { BYTES = (1 << 20) + 123, ALIGNED = 1 << 20 };
	char path[] = "/tmp/tuza-test-XXXXXX", *sent = malloc(BYTES);
	char *got = aligned_alloc(4096, 2 << 20);
	int fd = mkstemp(path);

	for (size_t i = 0; i < BYTES; i++)
		sent[i] = (char)(i * 31 >> 4);
	CHECK_EQ(tuza_pwrite(fd, sent, BYTES, 0), BYTES);
	CHECK_EQ(tuza_fsync(fd), 0);
	for (int way = 0; way < 4; way++) {
		if (way == 1) // nothing is in the cache
			CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		if (way == 2) // a part is
			CHECK_EQ(posix_fadvise(fd, 0, 300000, POSIX_FADV_DONTNEED), 0);
		memset(got, 0, BYTES);
		CHECK_EQ(tuza_pread(fd, got, BYTES, 0), BYTES);
		CHECK(memcmp(got, sent, BYTES) == 0);
		memset(got, 0, BYTES);
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		for (size_t n = 0; n < BYTES;) {
			ssize_t r = tuza_read(fd, got + n, BYTES - n);
			if (!CHECK(r > 0))
				break;
			n += (size_t)r;
		}
		CHECK_EQ(tuza_read(fd, got, 1), 0);
		CHECK(memcmp(got + 1, sent + 1, BYTES - 1) == 0);
	}
	CHECK_EQ(tuza_pread(fd, got, 2 << 20, 5), BYTES - 5);
	CHECK(memcmp(got, sent + 5, BYTES - 5) == 0);
	close(fd);
	fd = tuza_open(path, O_RDONLY | O_DIRECT, 0);
	if (fd >= 0) { // not every file system has it
		memset(got, 0, ALIGNED);
		CHECK_EQ(tuza_pread(fd, got, ALIGNED, 0), ALIGNED);
		CHECK(memcmp(got, sent, ALIGNED) == 0);
		CHECK_EQ(tuza_close(fd), 0);
	}
	unlink(path);
	free(sent);
	free(got);
}

static void read_often(int fd, atomic_int *stop)
{
	char byte;

	for (int i = 0; !atomic_load(stop); i++)
		if (!CHECK_EQ(tuza_pread(fd, &byte, 1, i % 4000), 1))
			break;
}

// What is in the cache is read without a wait, so it must be a scheduling point by itself.
TEST(reading_from_the_cache_keeps_nobody_waiting)
{
	char path[] = "/tmp/tuza-test-XXXXXX", bytes[4096] = "";
	int fd = mkstemp(path), processors = tuza_gomaxprocs(1);
	atomic_int stop = 0;
	atomic_long turns = 0;

	CHECK_EQ(tuza_pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
	TUZA_GO(read_often, fd, &stop);
	TUZA_GO(read_often, fd, &stop);
	TUZA_GO(count_turns, &stop, &turns);
	WAIT_UNTIL(turns > 2);
	atomic_store(&stop, 1);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_gomaxprocs(processors);
	close(fd);
	unlink(path);
}

static void on_signal(int sig) { (void)sig; }

static void write_slowly(int fd, atomic_int *done)
{
	for (int i = 0; i < 100; i++) {
		char c = (char)i;

		CHECK_EQ(tuza_write(fd, &c, 1), 1);
		tuza_sleep(MS);
	}
	atomic_store(done, 1);
}

// golang/go#38033: a storm of signals, and nobody hears of EINTR.
TEST(signals_are_not_seen)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
	struct itimerval each_ms = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
	int ends[2];
	atomic_int done = 0;

	sigaction(SIGVTALRM, &action, NULL);
	setitimer(ITIMER_VIRTUAL, &each_ms, NULL);
	for (int kind = 0; kind < 3; kind += 2) {
		make_ends(kind, ends);
		atomic_store(&done, 0);
		TUZA_GO(write_slowly, ends[1], &done);
		for (int i = 0; i < 100; i++) {
			char c = 0;

			for (int k = 0; k < 50; k++)
				pthread_kill(pthread_self(), SIGVTALRM);
			CHECK_EQ(tuza_read(ends[0], &c, 1), 1);
			CHECK_EQ(c, i);
		}
		WAIT_UNTIL(done);
		CHECK_EQ(tuza_close(ends[0]), 0);
		CHECK_EQ(tuza_close(ends[1]), 0);
	}
	setitimer(ITIMER_VIRTUAL, &off, NULL);
	// The last ones may be on their way still; valgrind delivers them much later.
	action.sa_handler = SIG_IGN;
	sigaction(SIGVTALRM, &action, NULL);
}

TEST_PLAIN(plain_thread_reads_and_writes)
{
	int ends[2];
	char byte = 0;

	make_ends(0, ends);
	CHECK_EQ(tuza_write(ends[1], "x", 1), 1);
	CHECK_EQ(tuza_read(ends[0], &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(tuza_close(ends[0]), 0);
	CHECK_EQ(tuza_close(ends[1]), 0);
}
