// SPDX-License-Identifier: MIT
/*
 * The test harness. One file is one program; a test is a sentence:
 *
 *	// C14: a closed channel is drained, then gives zero and false for ever.
 *	TEST(recv_returns_zero_and_false_when_closed)
 *	{
 *		…
 *		CHECK(!tuza_recv(c, &v));
 *		CHECK_EQ(v, 0);
 *	}
 *
 * TEST runs as goroutine 1 of a tuza_run of its own (of one for all tests, if TEST_SHARED_RUN is
 * defined before this header);
 * TEST_PLAIN runs on the program's plain thread. A test fails when a CHECK fails, when it panics,
 * when it leaves goroutines or descriptors behind or when it takes longer than TUZA_TEST_SECONDS
 * (60): then every goroutine is shown. Arguments choose the tests whose names contain one of them.
 * Status 0, 1, or 77: all skipped.
 */
#ifndef TUZA_TEST_H
#define TUZA_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <tuza/chan.h>
#include <tuza/debug.h>
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/panic.h>
#include <tuza/select.h>
#include <tuza/testing.h>
#include <tuza/time.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Whether a sanitizer slows this program down.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif
#ifndef TEST_SANITIZED
#define TEST_SANITIZED 0
#endif

#define TEST(sentence) TEST_DEFINE_(sentence, false)
#define TEST_PLAIN(sentence) TEST_DEFINE_(sentence, true)

// Each returns whether it held. A failed check marks the test; it does not end it. Callable from
// any goroutine or thread.
#define CHECK(condition) test_check((condition) ? true : false, #condition, __FILE__, __LINE__)
#define CHECK_EQ(got, want)                                                                        \
	test_check_eq((intmax_t)(got), (intmax_t)(want), #got " == " #want, __FILE__, __LINE__)
#define CHECK_STR(got, want) test_check_str((got), (want), false, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) test_check_str((text), (part), true, __FILE__, __LINE__)
// fn(arg) must panic with exactly this text.
#define CHECK_PANICS(text, fn, arg) test_check_panics((text), (fn), (arg), __FILE__, __LINE__)
// Waits until the condition holds; false, and a failure, after a third of TUZA_TEST_SECONDS. For
// what takes its time there are waits without a limit of their own, such as a waitgroup's.
#define WAIT_UNTIL(condition)                                                                      \
	__extension__({                                                                            \
		int64_t test_end_ = tuza_now() + test_seconds * TUZA_SECOND / 3;                   \
		bool test_held_;                                                                   \
		while (!(test_held_ = (condition)) && tuza_now() < test_end_)                      \
			tuza_sleep(100 * TUZA_MICROSECOND);                                        \
		test_check(test_held_, #condition, __FILE__, __LINE__);                            \
	})
#define SKIP(reason) ((void)(printf("  skipped: %s\n", (reason)), test_skipped = true))

// ---- private: registration -------------------------------------------------------------------

#define TEST_UNUSED_ __attribute__((unused))
#define TEST_DEFINE_(sentence, is_plain)                                                           \
	static void sentence(void);                                                                \
	static struct test_case test_case_##sentence = {#sentence, sentence, is_plain, NULL};      \
	__attribute__((constructor)) static void test_register_##sentence(void)                    \
	{                                                                                          \
		*test_last = &test_case_##sentence;                                                \
		test_last = &test_case_##sentence.next;                                            \
	}                                                                                          \
	static void sentence(void)

struct test_case {
	const char *name;
	void (*body)(void);
	bool plain;
	struct test_case *next;
};
static struct test_case *test_first;
static struct test_case **test_last = &test_first;
static atomic_int test_failures; // of the current test
static bool test_skipped;
static int test_seconds = 60; // constant once main has read TUZA_TEST_SECONDS
static int test_count_failed, test_count_skipped, test_count_run;

// ---- checks ----------------------------------------------------------------------------------

TEST_UNUSED_ static bool test_check(bool held, const char *what, const char *file, int line)
{
	if (!held) {
		atomic_fetch_add(&test_failures, 1);
		printf("  %s:%d: failed: %s\n", file, line, what);
	}
	return held;
}

TEST_UNUSED_ static bool test_check_eq(
	intmax_t got, intmax_t want, const char *what, const char *file, int line)
{
	if (got != want)
		printf("  %s:%d: got %jd, want %jd\n", file, line, got, want);
	return test_check(got == want, what, file, line);
}

TEST_UNUSED_ static bool test_check_str(
	const char *got, const char *want, bool part, const char *file, int line)
{
	bool held = part ? strstr(got, want) != NULL : strcmp(got, want) == 0;

	if (!held)
		printf("  %s:%d: got \"%s\", want %s\"%s\"\n", file, line, got,
			part ? "in it " : "", want);
	return test_check(held, "text", file, line);
}

TEST_UNUSED_ static bool test_check_panics(
	const char *text, void (*fn)(void *), void *arg, const char *file, int line)
{
	tuza_panic_info info = {"", ""};

	if (!test_check_eq(tuza_try(fn, arg, &info), TUZA_EPANIC, "it panics", file, line))
		return false;
	return test_check_str(info.message, text, false, file, line);
}

// ---- private: running ------------------------------------------------------------------------

#include "probe.h"

static void test_call(void *arg) { ((struct test_case *)arg)->body(); }

// The test itself, then the wait for goroutines that are about to end.
static void test_body(struct test_case *test)
{
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();
	size_t count_before = tuza_num_goroutine();
	tuza_panic_info info = {"", ""};
	tuza_leak_options leaks = {
		.ignore_current = before, .wait = test_seconds * TUZA_SECOND / 3};

	if (tuza_try(test_call, test, &info) != 0) {
		atomic_fetch_add(&test_failures, 1);
		printf("  panic: %s\n%s\n", info.message, info.stack);
	}
	fflush(stdout);
	if (test_probes_pending() > 0) // only then: to look names up takes its time
		leaks.ignore_created_by = "test_probe_start";
	CHECK_EQ(tuza_leak_check(&leaks), 0);
	WAIT_UNTIL(tuza_num_goroutine() == count_before + test_probes_pending());
	tuza_leak_snapshot_free(before);
}

static int test_in_run(void *arg)
{
	test_body(arg);
	return 0;
}

// The runtime shows all goroutines on SIGQUIT and ends; should it not, the second alarm kills.
static void test_too_slow(int sig)
{
	static const char text[] = "test: time is up\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	signal(sig, SIG_DFL);
	alarm(10);
	kill(getpid(), SIGQUIT);
}

static void test_run(struct test_case *test, bool in_run)
{
	struct sigaction action = {
		.sa_handler = test_too_slow, .sa_flags = SA_ONSTACK | SA_RESTART};
	int fds = test_count_fds();

	sigaction(SIGALRM, &action, NULL);
	alarm((unsigned)test_seconds);
	atomic_store(&test_failures, 0);
	test_skipped = false;
	if (test->plain || in_run)
		test_body(test);
	else
		CHECK_EQ(tuza_run(test_in_run, test), 0);
	if (!in_run && !test->plain)
		memset(test_probes, 0,
			sizeof(test_probes)); // what blocked was dropped with its run
	if (!in_run && test_probes_pending() == 0)
		CHECK_EQ(tuza_shutdown(), 0);
	// A thread on its way to its end may have one for a moment.
	for (int ms = 0; test_count_fds() > fds && ms < 5000; ms++)
		usleep(1000);
	CHECK(test_count_fds() <= fds);
	alarm(0);
	test_count_run++;
	test_count_skipped += test_skipped;
	test_count_failed += test_failures != 0;
	printf("%s %s\n", test_failures ? "FAIL" : test_skipped ? "skip" : "ok  ", test->name);
}

// Whether the schedule is made by dice: then nothing is fair, and what is to run next does not.
TEST_UNUSED_ static bool test_is_chaotic(void)
{
	const char *debug = getenv("TUZA_DEBUG");

	return debug && strstr(debug, "chaos");
}

// Chaos without a seed gets one, so that all runs of this program have the same and it can be told.
static void test_choose_seed(void)
{
	char debug[128];

	if (!test_is_chaotic() || strstr(getenv("TUZA_DEBUG"), "chaos="))
		return;
	snprintf(debug, sizeof(debug), "%s,chaos=%u", getenv("TUZA_DEBUG"),
		(unsigned)(tuza_now() ^ getpid()) | 1);
	setenv("TUZA_DEBUG", debug, 1);
}

static bool test_is_chosen(const char *name, char **words)
{
	bool any = false;

	for (; *words; any = true, words++)
		if (strstr(name, *words))
			return true;
	return !any;
}

#ifdef TEST_SHARED_RUN
static const bool test_is_shared = true;
#else
static const bool test_is_shared = false;
#endif

// Runs the chosen tests: those inside the shared tuza_run, or the others. Always 0.
static int test_run_all(char **words, bool in_run)
{
	for (struct test_case *test = test_first; test; test = test->next)
		if (test_is_chosen(test->name, words) && in_run == (test_is_shared && !test->plain))
			test_run(test, in_run);
	return 0;
}

static int test_shared_run(void *words) { return test_run_all(words, true); }

int main(int argc, char **argv)
{
	const char *seconds = getenv("TUZA_TEST_SECONDS");

	(void)argc;
	test_seconds = seconds ? atoi(seconds) : test_seconds;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	test_choose_seed();
	if (test_is_shared)
		tuza_run(test_shared_run, argv + 1);
	test_run_all(argv + 1, false);
	if (test_count_failed && test_is_chaotic())
		printf("again: TUZA_DEBUG=%s\n", getenv("TUZA_DEBUG"));
	if (test_count_failed)
		return 1;
	return test_count_run == test_count_skipped ? 77 : 0;
}

#endif
