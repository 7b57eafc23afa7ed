// SPDX-License-Identifier: MIT
// takes-long: each of its bugs has processes of its own
/*
 * The bugs of real programs: how many of their leaked goroutines does tuza_leak_scan find, and does
 * it say anything of the same programs without the bug? The last line of output has the figures.
 * Where the scan does not know malloc's blocks it may find fewer, never more.
 */
// not-under: valgrind it would take five minutes
#include "leak_kernels/cockroach.h"
#include "leak_kernels/common.h"
#include "leak_kernels/etcd.h"
#include "leak_kernels/grpc.h"
#include "leak_kernels/hugo.h"
#include "leak_kernels/istio.h"
#include "leak_kernels/kubernetes.h"
#include "leak_kernels/moby.h"
#include "leak_kernels/serving.h"
#include "leak_kernels/simple.h"
#include "leak_kernels/syncthing.h"

static bool knows_heap(void) { return !TEST_SANITIZED && !getenv("TUZA_TEST_EMULATOR"); }

enum { BROKEN = 200 }; // the kernel left another number of goroutines, or did not come to rest

struct trial {
	const struct kernel *kernel;
	bool is_fixed;
};

static void starts(void *arg)
{
	const struct trial *t = arg;

	t->kernel->start(t->is_fixed);
}

// Until nothing but the caller can happen and `left` others are there. One without the other is no
// rest: the thread that has taken a timer out may not have come to wake who waits for it.
static bool settle(size_t left)
{
	int64_t end = tuza_now() + 20 * TUZA_SECOND;
	tuza_statistics s;

	do {
		tuza_sleep(100 * TUZA_MICROSECOND);
		tuza_stats(&s);
		if (s.runnable == 0 && s.running + s.blocked <= 1 && s.timers == 0 &&
			tuza_num_goroutine() == 1 + left)
			return true;
	} while (tuza_now() < end);
	return false;
}

static int tries(void *arg)
{
	struct trial *t = arg;

	tuza_go(starts, t);
	if (!settle(t->is_fixed ? 0 : (size_t)t->kernel->leaked)) {
		tuza_dump(STDOUT_FILENO);
		return BROKEN;
	}
	return tuza_leak_scan(-1);
}

// How many the scan found in a process of its own; BROKEN or more: something went wrong.
static int found_in(const struct kernel *kernel, bool is_fixed)
{
	struct trial t = {kernel, is_fixed};
	int status;

	alarm((unsigned)test_seconds); // for each: a busy machine lets two hundred take long
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		int found = tuza_run(tries, &t);
		_exit(found < 0 ? BROKEN + 1 : found);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN + 2;
}

TEST_PLAIN(nine_of_ten_bugs_are_found)
{
	int bugs = 0, bugs_found = 0, leaked = 0, leaked_found = 0;

	for (const struct kernel *k = kernels; k; k = k->next) {
		int found = found_in(k, false);

		if (!CHECK(found < BROKEN) || !CHECK(found <= k->leaked))
			printf("  %s: %d, leaves %d\n", k->name, found, k->leaked);
		else if (knows_heap() && found != k->leaked)
			printf("  %s: found %d of %d\n", k->name, found, k->leaked);
		bugs++;
		bugs_found += found == k->leaked;
		leaked += k->leaked;
		leaked_found += found < BROKEN ? found : 0;
	}
	printf("found %d of %d bugs, %d of %d goroutines\n", bugs_found, bugs, leaked_found,
		leaked);
	if (knows_heap())
		CHECK(bugs_found * 10 >= bugs * 9);
}

TEST_PLAIN(without_the_bug_nobody_is_reported)
{
	for (const struct kernel *k = kernels; k; k = k->next) {
		int found = found_in(k, true);

		if (!CHECK_EQ(found, 0))
			printf("  %s without its bug\n", k->name);
	}
}
