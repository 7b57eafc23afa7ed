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
 * TEST runs as goroutine 1 of a tuza_run of its own,
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

// ---- private: tests/harness.c ----------------------------------------------------------------

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
extern struct test_case **test_last;
extern atomic_int test_failures; // of the current test
extern bool test_skipped;
extern int test_seconds; // constant once main has read TUZA_TEST_SECONDS

bool test_check(bool held, const char *what, const char *file, int line);
bool test_check_eq(intmax_t got, intmax_t want, const char *what, const char *file, int line);
bool test_check_str(const char *got, const char *want, bool part, const char *file, int line);
bool test_check_panics(const char *text, void (*fn)(void *), void *arg, const char *file, int line);

int main(int argc, char **argv);
void test_call(void *test_case);
int test_in_run(void *test_case);

// Whether the schedule is made by dice: then nothing is fair, and what is to run next does not.
bool test_is_chaotic(void);

#include "probe.h"

#endif
