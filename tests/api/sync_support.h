// SPDX-License-Identifier: MIT
/*
 * What the tests of sync share.
 */
#ifndef TUZA_SYNC_SUPPORT_H
#define TUZA_SYNC_SUPPORT_H

#include "../test.h"
#include <pthread.h>
#include <tuza/sync.h>

// Starts n goroutines of fn(arg) and waits for them.
TEST_UNUSED_ static void run_goroutines(int n, void (*fn)(void *), void *arg)
{
	tuza_waitgroup wg = {0};

	for (int i = 0; i < n; i++)
		tuza_waitgroup_go(&wg, fn, arg);
	tuza_waitgroup_wait(&wg);
}

/*
 * For what ends the process: runs this program again with the one test `test` and the number `what`
 * in its environment, where child_case finds it. Returns the exit status; the output goes to
 * `output`, cut to n bytes.
 */
TEST_UNUSED_ static int run_child(const char *test, int what, char *output, size_t n)
{
	const char *emulator = getenv("TUZA_TEST_EMULATOR"); // what runs this program, if one does
	char program[400] = "", command[700];

	CHECK(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	snprintf(command, sizeof(command), "TUZA_TEST_CHILD=%d exec %s %s %s 2>&1", what,
		emulator ? emulator : "", program, test);
	FILE *child = popen(command, "r");
	size_t length = fread(output, 1, n - 1, child);
	output[length] = 0;
	while (fgetc(child) != EOF)
		;
	int status = pclose(child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The number that run_child gave; -1 in the program itself.
TEST_UNUSED_ static int child_case(void)
{
	const char *what = getenv("TUZA_TEST_CHILD");
	return what ? atoi(what) : -1;
}

#endif
