// SPDX-License-Identifier: MIT
/*
 * Tests that each have a process of their own: what earlier ones left on stacks and in malloc's
 * free blocks is not there.
 *
 *	TEST_ALONE(sentence)
 *	{
 *		…                       // as goroutine 1 of the child's only tuza_run
 *	}
 *
 * TEST_ABANDONS is the same for tests whose goroutines cannot end.
 *
 * A program has such tests only: after a run in the parent its children may not use tuza.
 */
#ifndef TUZA_TEST_ALONE_H
#define TUZA_TEST_ALONE_H

#include "test.h"

#include <sys/wait.h>

#define TEST_ALONE(sentence)                                                                       \
	static void sentence##_alone(void);                                                        \
	TEST_PLAIN(sentence) { test_alone(#sentence, sentence##_alone, test_in_run); }             \
	static void sentence##_alone(void)
#define TEST_ABANDONS(sentence)                                                                    \
	static void sentence##_alone(void);                                                        \
	TEST_PLAIN(sentence) { test_alone(#sentence, sentence##_alone, test_and_leave); }          \
	static void sentence##_alone(void)

TEST_UNUSED_ static int test_and_leave(void *test)
{
	CHECK_EQ(tuza_try(test_call, test, NULL), 0);
	return 0;
}

TEST_UNUSED_ static void test_alone(const char *name, void (*body)(void), int (*run)(void *))
{
	static int count;
	struct test_case alone = {.name = name, .body = body};
	int status;

	if (test_is_on_valgrind() && count++ % 10 != 0) {
		SKIP("each takes valgrind two seconds: one of ten has to do");
		return;
	}
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		alarm((unsigned)test_seconds); // the parent's is not inherited
		CHECK_EQ(tuza_run(run, &alone), 0);
		fflush(stdout);
		// Without LeakSanitizer: what is hidden from a scan is hidden from it as well.
		_exit(test_failures ? 1 : test_skipped ? 77 : 0);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (CHECK(WIFEXITED(status)) && WEXITSTATUS(status) == 77)
		test_skipped = true;
	else if (WIFEXITED(status))
		CHECK_EQ(WEXITSTATUS(status), 0);
}

#endif
