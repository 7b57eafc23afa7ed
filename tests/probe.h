// SPDX-License-Identifier: MIT
/*
 * Looking at a program from outside: does a call block, is somebody parked, which descriptors are
 * open? Part of test.h.
 */
#ifndef TUZA_TEST_PROBE_H
#define TUZA_TEST_PROBE_H

// Whether fn(arg), called in a goroutine of its own, is still under way 10 ms after it began.
bool blocks(void (*fn)(void *), void *arg);

// Whether fn(arg), called in a goroutine of its own, returns before WAIT_UNTIL gives up.
bool does_not_block(void (*fn)(void *), void *arg);

// A call under observation; one that never returns stays there, reachable, and is not counted as
// left over.
struct test_probe {
	void (*fn)(void *);
	void *arg;
	atomic_int state;
};
enum { TEST_PROBE_FREE, TEST_PROBE_QUEUED, TEST_PROBE_RUNNING, TEST_PROBE_DONE };
struct test_probe *test_probe_start(void (*fn)(void *), void *arg);
size_t test_probes_pending(void);
void test_probes_forget(void); // what blocked was dropped with its run

// How often a dump of all goroutines has this text, such as "[chan receive".
int test_count_in_dump(const char *text);

// Waits until n goroutines are parked for this reason ("chan receive", "select" …).
bool wait_parked(const char *reason, int n);

// valgrind runs one thread at a time, and slowly.
bool test_is_on_valgrind(void);

// Descriptors open now, without those that no program sees (epoll, eventfd, io_uring: the
// runtime's), and those of the control groups.
int test_count_fds(void);

// Whether what a descriptor leads to is a file of the control groups: the monitor opens such files
// now and then, to see the CPU's limit.
bool test_is_of_cgroups(const char *path);

// Threads of the process, as the kernel counts them.
int test_count_threads(void);

#endif
