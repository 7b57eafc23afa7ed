// SPDX-License-Identifier: MIT
/*
 * How children end early: by their context, and what they leave behind.
 */
#include "../test.h"

#include "process_support.h"

#include <tuza/io.h>

#define MS TUZA_MILLISECOND

// With a context that ends after 200 ms. On a slow machine that may be before there is a process:
// then it has longer.
static int run_until_late(
	const char *script, const tuza_process_options *o, tuza_process_state *state)
{
	tuza_process_state unused;
	bool there_was_one = false;
	int result = 0;

	if (!state)
		state = &unused;
	for (int64_t timeout = 200 * MS; !there_was_one && timeout < 20 * TUZA_SECOND;
		timeout *= 2) {
		tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), timeout);

		result = tuza_process_run(ctx, TUZA_ARGV("sh", "-c", script), o, state);
		there_was_one = state->signal != 0 || state->exit_status >= 0;
		tuza_context_free(ctx);
	}
	return result;
}

/*
 * Runs the script until it has written a byte to descriptor 4, then ends the context. It has `held`
 * for descriptor 3. So nothing depends on how soon a shell gets the CPU.
 */
static int run_until_it_says(
	const char *script, int held, tuza_process_options o, tuza_process_state *state)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_process *p;
	char byte;
	int ends[2];

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	o.files = (int[]){held, ends[1]};
	o.file_count = 2;
	CHECK_EQ(tuza_process_start(ctx, TUZA_ARGV("sh", "-c", script), &o, &p), 0);
	close(ends[1]);
	CHECK_EQ(tuza_read(ends[0], &byte, 1), 1);
	tuza_context_cancel(ctx);
	int result = tuza_process_wait(p, state);
	tuza_process_free(p);
	tuza_context_free(ctx);
	CHECK_EQ(tuza_close(ends[0]), 0);
	return result;
}

// X16
TEST(deadline_kills_and_the_wait_says_so)
{
	tuza_process_state state;
	int64_t begin = tuza_now();

	CHECK_EQ(run_until_late("exec sleep 1000", NULL, &state), -ETIMEDOUT);
	CHECK_EQ(state.signal, SIGKILL);
	CHECK(tuza_now() - begin >= 200 * MS);
	CHECK(no_zombies());
}

TEST(cancel_kills_and_the_wait_says_so)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_process *p;

	CHECK_EQ(tuza_process_start(ctx, TUZA_ARGV("sleep", "1000"), NULL, &p), 0);
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_process_wait(p, NULL), -ECANCELED);
	CHECK_EQ(tuza_process_wait(p, NULL), -ECANCELED);
	tuza_process_free(p);
	tuza_context_free(ctx);
	CHECK(no_zombies());
}

TEST(end_of_the_context_after_the_process_is_nothing)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_process *p;

	CHECK_EQ(tuza_process_start(ctx, TUZA_ARGV("sh", "-c", "exit 2"), NULL, &p), 0);
	CHECK_EQ(tuza_process_wait(p, NULL), TUZA_EEXIT(2));
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_process_wait(p, NULL), TUZA_EEXIT(2));
	tuza_process_free(p);
	tuza_context_free(ctx);
}

// A zombie that is signalled has ended by itself.
TEST(process_that_was_faster_than_its_context_keeps_its_status)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_process *p;
	siginfo_t info;

	CHECK_EQ(tuza_process_start(ctx, TUZA_ARGV("sh", "-c", "exit 2"), NULL, &p), 0);
	tuza_blocking_begin();
	CHECK_EQ(waitid(P_PID, (id_t)tuza_process_pid(p), &info, WEXITED | WNOWAIT), 0);
	tuza_blocking_end();
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_process_wait(p, NULL), TUZA_EEXIT(2));
	tuza_process_free(p);
	tuza_context_free(ctx);
}

TEST(softer_signal_lets_it_clean_up)
{
	tuza_process_buffer out = {.bytes = NULL};
	tuza_process_options o = {.out = tuza_process_collect(&out), .cancel_signal = SIGTERM};
	tuza_process_state state;

	CHECK_EQ(run_until_it_says("trap 'echo bye; exit 0' TERM; echo >&4; "
				   "while :; do sleep 0.01; done",
			 0, o, &state),
		-ECANCELED);
	CHECK_EQ(state.exit_status, 0);
	CHECK_STR(out.bytes, "bye\n");
	free(out.bytes);
}

TEST(what_ignores_the_softer_signal_is_killed_after_the_delay)
{
	tuza_process_options o = {.cancel_signal = SIGTERM, .wait_delay = 50 * MS, .group = true};
	tuza_process_state state;
	int64_t begin = tuza_now();

	CHECK_EQ(run_until_it_says(
			 "trap '' TERM; echo >&4; while :; do sleep 0.01; done", 0, o, &state),
		-ECANCELED);
	CHECK_EQ(state.signal, SIGKILL);
	CHECK(tuza_now() - begin >= 50 * MS);
	CHECK(no_zombies());
}

static int say_quit(tuza_process *p, void *arg)
{
	*(int *)arg += 1;
	CHECK_EQ(tuza_conn_write(tuza_process_in(p), "quit\n", 5), 5);
	return 0;
}

static int fail_to_cancel(tuza_process *p, void *arg)
{
	*(int *)arg += 1;
	CHECK_EQ(tuza_process_signal(p, SIGKILL), 0);
	return -EREMOTEIO;
}

TEST(cancel_may_be_the_programs_own)
{
	int calls = 0;
	tuza_process_options o = {
		.in = tuza_process_pipe(), .cancel = say_quit, .cancel_arg = &calls};
	tuza_process_state state;

	CHECK_EQ(run_until_late("read word; exit 0", &o, &state), -ETIMEDOUT);
	CHECK_EQ(calls, 1);
	CHECK_EQ(state.exit_status, 0);
	o.cancel = fail_to_cancel;
	CHECK_EQ(run_until_late("read word; exit 0", &o, &state), -EREMOTEIO);
	CHECK_EQ(calls, 2);
}

// A daemon that holds the pipe: after the delay what there is has been read, and that is all.
TEST(output_kept_open_by_a_grandchild_is_given_up_after_the_delay)
{
	tuza_process_buffer out = {.bytes = NULL};
	tuza_process_options o = {.out = tuza_process_collect(&out), .wait_delay = 50 * MS};
	int64_t begin = tuza_now();

	// The grandchild ends when the pipe that it reads has no writer any more.
	int hold[2];
	CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
	o.files = &hold[0];
	o.file_count = 1;
	CHECK_EQ(sh("echo before; { cat <&3; } & exit 0", &o, NULL), TUZA_EWAITDELAY);
	CHECK(tuza_now() - begin >= 50 * MS);
	CHECK_STR(out.bytes, "before\n");
	free(out.bytes);
	// A failure of the process itself comes first.
	out = (tuza_process_buffer){.bytes = NULL};
	CHECK_EQ(sh("echo before; { cat <&3; } & exit 5", &o, NULL), TUZA_EEXIT(5));
	CHECK_STR(out.bytes, "before\n");
	free(out.bytes);
	close(hold[0]);
	close(hold[1]);
	CHECK(no_zombies());
}

TEST(context_ends_the_wait_for_a_grandchild)
{
	tuza_process_buffer out = {.bytes = NULL};
	tuza_process_options o = {.out = tuza_process_collect(&out)};
	int hold[2];

	CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
	// Without a delay: the process ends, its pipe is held open, the context's end ends that.
	CHECK_EQ(run_until_it_says("echo a; { cat <&3; } & echo >&4; exit 0", hold[0], o, NULL),
		-ECANCELED);
	CHECK_STR(out.bytes ? out.bytes : "", "a\n");
	free(out.bytes);
	// The process is killed and its pipe held open.
	out = (tuza_process_buffer){.bytes = NULL};
	CHECK_EQ(run_until_it_says(
			 "echo b; { cat <&3; } & echo >&4; exec sleep 1000", hold[0], o, NULL),
		-ECANCELED);
	CHECK_STR(out.bytes ? out.bytes : "", "b\n");
	free(out.bytes);
	close(hold[0]);
	close(hold[1]);
	CHECK(no_zombies());
}

TEST(input_of_a_grandchild_is_given_up_as_well)
{
	char *in = calloc(1, 1 << 20);
	tuza_process_options o = {.in = tuza_process_bytes(in, 1 << 20), .wait_delay = 20 * MS};
	int hold[2];

	CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
	o.files = &hold[0];
	o.file_count = 1;
	// It has our pipe for descriptor 4 and reads another.
	CHECK_EQ(sh("exec 4<&0; { cat <&3; } & exit 0", &o, NULL), TUZA_EWAITDELAY);
	close(hold[0]);
	close(hold[1]);
	free(in);
}

TEST(group_goes_with_the_context)
{
	int watch[2];
	char byte;
	tuza_process_options o = {.group = true};

	CHECK_EQ(pipe2(watch, O_CLOEXEC), 0);
	o.files = &watch[1];
	o.file_count = 1;
	CHECK_EQ(run_until_late("sleep 1000 & sleep 1000 & exec sleep 1000", &o, NULL), -ETIMEDOUT);
	close(watch[1]);
	CHECK_EQ(read(watch[0], &byte, 1), 0); // nobody of them is left
	close(watch[0]);
}

static void wait_for_it(tuza_process *p, atomic_int *sum)
{
	atomic_fetch_add(sum, tuza_process_wait(p, NULL) == TUZA_ESIGNAL(SIGINT));
}

TEST(many_may_wait_for_one)
{
	tuza_process *p;
	atomic_int sum = 0;

	CHECK_EQ(start(TUZA_ARGV("sleep", "1000"), NULL, &p), 0);
	for (int i = 0; i < 20; i++)
		TUZA_GO(wait_for_it, p, &sum);
	tuza_sleep(5 * MS);
	CHECK_EQ(tuza_process_signal(p, SIGINT), 0);
	WAIT_UNTIL(sum == 20);
	tuza_process_free(p);
}
