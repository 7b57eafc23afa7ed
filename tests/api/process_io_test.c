// SPDX-License-Identifier: MIT
/*
 * What goes into a child and what comes out: memory, callbacks, pipes, descriptors.
 */
#include "../test.h"

#include "process_support.h"

// os/exec: TestEcho, TestCatStdin, TestStdinClose …
TEST(bytes_go_in_and_come_out)
{
	tuza_process_buffer out = {.bytes = NULL}, err = {.bytes = NULL};
	tuza_process_options o = {
		.in = tuza_process_bytes("some words", 10),
		.out = tuza_process_collect(&out),
		.err = tuza_process_collect(&err),
	};

	CHECK_EQ(sh("cat; echo ' and more'; echo oh >&2", &o, NULL), 0);
	CHECK_STR(out.bytes, "some words and more\n");
	CHECK_EQ(out.count, 20);
	CHECK(!out.truncated);
	CHECK_STR(err.bytes, "oh\n");
	free(out.bytes);
	free(err.bytes);
}

TEST(nothing_is_given_and_kept_by_default)
{
	char *out;

	CHECK_EQ(output("cat; ls -l /proc/self/fd/0 /proc/self/fd/2 | grep -c /dev/null", NULL,
			 &out),
		0);
	CHECK_STR(out, "2\n");
	free(out);
	CHECK_EQ(sh("echo lost; echo lost >&2", NULL, NULL), 0);
}

TEST(empty_output_is_an_empty_string)
{
	char *out = NULL;
	size_t n = 1;

	CHECK_EQ(tuza_process_output(tuza_context_background(), TUZA_ARGV("false"), NULL, &out, &n),
		TUZA_EEXIT(1));
	CHECK_STR(out, "");
	CHECK_EQ(n, 0);
	free(out);
	CHECK_EQ(tuza_process_output(
			 tuza_context_background(), TUZA_ARGV("/nowhere"), NULL, &out, &n),
		-ENOENT);
	CHECK(!out);
	CHECK_EQ(n, 0);
}

TEST(combined_output_has_the_order_in_which_it_was_written)
{
	char *out;
	size_t n;

	CHECK_EQ(tuza_process_combined_output(tuza_context_background(),
			 TUZA_ARGV("sh", "-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2; exit 9"),
			 NULL, &out, &n),
		TUZA_EEXIT(9));
	CHECK_STR(out, "1\n2\n3\n4\n");
	CHECK_EQ(n, 8);
	free(out);
}

// Both pipes are full at once, and so is the one into it: nobody waits for anybody.
TEST(much_goes_through_all_three_at_once)
{
	enum { BYTES = 4 << 20 };
	char *in = malloc(BYTES);
	tuza_process_buffer out = {.bytes = NULL}, err = {.bytes = NULL};
	tuza_process_options o = {
		.in = tuza_process_bytes(in, BYTES),
		.out = tuza_process_collect(&out),
		.err = tuza_process_collect(&err),
	};

	for (size_t i = 0; i < BYTES; i++)
		in[i] = (char)(i * 31 >> 5);
	CHECK_EQ(sh("head -c 3000000 /dev/zero >&2 & tee /dev/stderr; wait", &o, NULL), 0);
	CHECK_EQ(out.count, BYTES);
	CHECK_EQ(err.count, BYTES + 3000000);
	CHECK(out.count == BYTES && memcmp(out.bytes, in, BYTES) == 0);
	CHECK_EQ(out.bytes[out.count], 0);
	free(out.bytes);
	free(err.bytes);
	free(in);
}

TEST(output_beyond_the_limit_is_read_and_dropped)
{
	tuza_process_buffer out = {.limit = 100000};
	tuza_process_options o = {.out = tuza_process_collect(&out)};

	CHECK_EQ(sh("head -c 2000000 /dev/zero", &o, NULL), 0);
	CHECK_EQ(out.count, 100000);
	CHECK(out.truncated);
	free(out.bytes);
	out = (tuza_process_buffer){.limit = 3};
	CHECK_EQ(sh("printf abc", &o, NULL), 0);
	CHECK_STR(out.bytes, "abc");
	CHECK(!out.truncated);
	free(out.bytes);
}

// os/exec: TestIgnorePipeErrorOnSuccess
TEST(input_that_is_not_read_is_no_failure)
{
	char *in = calloc(1, 1 << 20);
	tuza_process_options o = {.in = tuza_process_bytes(in, 1 << 20)};

	signal(SIGPIPE, SIG_DFL);
	CHECK_EQ(sh("exec true", &o, NULL), 0);
	CHECK_EQ(sh("head -c 1 >/dev/null", &o, NULL), 0);
	CHECK_EQ(sh("exit 3", &o, NULL), TUZA_EEXIT(3));
	free(in);
}

struct lines {
	size_t bytes, most;
};

static int count_lines(void *arg, const void *bytes, size_t count)
{
	struct lines *l = arg;

	(void)bytes;
	l->bytes += count;
	return l->most && l->bytes > l->most ? -EFBIG : 0;
}

TEST(callback_gets_what_is_written_and_may_end_it)
{
	struct lines all = {0, 0}, some = {0, 1000};
	tuza_process_options o = {.out = tuza_process_call(count_lines, &all)};

	CHECK_EQ(sh("head -c 1000000 /dev/zero", &o, NULL), 0);
	CHECK_EQ(all.bytes, 1000000);
	o.out = tuza_process_call(count_lines, &some);
	// SIGPIPE ends it, which is how it failed.
	CHECK_EQ(sh("exec cat /dev/zero", &o, NULL), TUZA_ESIGNAL(SIGPIPE));
	some.bytes = 0;
	CHECK_EQ(sh("head -c 1000000 /dev/zero; exit 0", &o, NULL), -EFBIG);
}

TEST(pipes_are_a_dialogue)
{
	tuza_process *p;
	char line[64] = "";
	tuza_process_options o = {
		.in = tuza_process_pipe(),
		.out = tuza_process_pipe(),
		.err = tuza_process_pipe(),
	};

	CHECK_EQ(start(TUZA_ARGV("sh", "-c", "while read l; do echo got $l; done; echo done >&2"),
			 &o, &p),
		0);
	for (int i = 0; i < 100; i++) {
		char want[64];
		int n = snprintf(line, sizeof line, "line %d\n", i);
		int m = snprintf(want, sizeof want, "got line %d\n", i);

		CHECK_EQ(tuza_conn_write(tuza_process_in(p), line, (size_t)n), n);
		memset(line, 0, sizeof line);
		CHECK_EQ(tuza_conn_wait_readable(tuza_process_out(p)), 0);
		CHECK_EQ(tuza_conn_read(tuza_process_out(p), line, sizeof line), m);
		CHECK_STR(line, want);
	}
	CHECK_EQ(tuza_conn_peek(tuza_process_out(p), line, 1), -EOPNOTSUPP);
	CHECK_EQ(tuza_conn_close_write(tuza_process_in(p)), -ENOTSOCK);
	CHECK_EQ(tuza_conn_set_read_deadline(tuza_process_out(p), 1), 0);
	CHECK_EQ(tuza_conn_read(tuza_process_out(p), line, 1), TUZA_EIOTIMEOUT);
	CHECK_EQ(tuza_conn_set_read_deadline(tuza_process_out(p), 0), 0);
	CHECK_EQ(tuza_conn_close(tuza_process_in(p)), 0);
	CHECK_EQ(tuza_conn_close(tuza_process_in(p)), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_conn_read(tuza_process_out(p), line, sizeof line), 0);
	CHECK_EQ(tuza_conn_read(tuza_process_err(p), line, sizeof line), 5);
	CHECK_EQ(tuza_process_wait(p, NULL), 0);
	// What it had written stays to be read until it is freed.
	CHECK_EQ(tuza_conn_read(tuza_process_err(p), line, sizeof line), 0);
	tuza_process_free(p);
}

// With the default action of SIGPIPE, which would be our end.
TEST(writing_to_a_child_that_has_gone_is_an_error_and_no_signal)
{
	tuza_process *p;
	char byte = 0;
	tuza_process_options o = {.in = tuza_process_pipe()};
	sigset_t pending;

	signal(SIGPIPE, SIG_DFL);
	CHECK_EQ(start(TUZA_ARGV("true"), &o, &p), 0);
	CHECK_EQ(tuza_process_wait(p, NULL), 0);
	CHECK_EQ(tuza_conn_write(tuza_process_in(p), &byte, 1), -EPIPE);
	CHECK_EQ(tuza_conn_writev(tuza_process_in(p), &(struct iovec){&byte, 1}, 1), -EPIPE);
	sigpending(&pending);
	CHECK(!sigismember(&pending, SIGPIPE));
	tuza_process_free(p);
}

static void close_when_read(tuza_conn *conn)
{
	wait_parked("IO wait", 1);
	CHECK_EQ(tuza_conn_close(conn), 0);
}

TEST(close_wakes_who_reads_from_a_child)
{
	tuza_process *p;
	tuza_process_options o = {.out = tuza_process_pipe()};
	char byte;

	CHECK_EQ(start(TUZA_ARGV("sleep", "1000"), &o, &p), 0);
	TUZA_GO(close_when_read, tuza_process_out(p));
	CHECK_EQ(tuza_conn_read(tuza_process_out(p), &byte, 1), TUZA_ECONNCLOSED);
	tuza_process_free(p);
}

TEST(standard_files_may_be_inherited)
{
	int saved = dup(STDOUT_FILENO), ends[2];
	char text[8] = "";

	fflush(stdout);
	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDOUT_FILENO);
	int error = sh("echo mine", &(tuza_process_options){.out = tuza_process_inherit()}, NULL);
	dup2(saved, STDOUT_FILENO);
	CHECK_EQ(error, 0);
	CHECK_EQ(read(ends[0], text, sizeof text), 5);
	CHECK_STR(text, "mine\n");
	close(ends[0]);
	close(ends[1]);
	close(saved);
}
