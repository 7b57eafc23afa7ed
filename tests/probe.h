// SPDX-License-Identifier: MIT
/*
 * Looking at a program from outside: does a call block, is somebody parked, which descriptors are
 * open? Part of test.h.
 */
#ifndef TUZA_TEST_PROBE_H
#define TUZA_TEST_PROBE_H

// A call under observation; one that never returns stays here, reachable, and is not counted as
// left over.
struct test_probe {
	void (*fn)(void *);
	void *arg;
	atomic_int state;
};
enum { TEST_PROBE_FREE, TEST_PROBE_QUEUED, TEST_PROBE_RUNNING, TEST_PROBE_DONE };
static struct test_probe test_probes[512];

TEST_UNUSED_ static void test_probe_run(void *arg)
{
	struct test_probe *probe = arg;

	atomic_store(&probe->state, TEST_PROBE_RUNNING);
	probe->fn(probe->arg);
	atomic_store(&probe->state, TEST_PROBE_DONE);
}

TEST_UNUSED_ static struct test_probe *test_probe_start(void (*fn)(void *), void *arg)
{
	for (size_t i = 0; i < sizeof(test_probes) / sizeof(test_probes[0]); i++) {
		struct test_probe *probe = &test_probes[i];
		int state = atomic_load(&probe->state);

		if (state != TEST_PROBE_FREE && state != TEST_PROBE_DONE)
			continue;
		probe->fn = fn;
		probe->arg = arg;
		atomic_store(&probe->state, TEST_PROBE_QUEUED);
		if (tuza_go(test_probe_run, probe) == 0)
			return probe;
		break;
	}
	fprintf(stderr, "test: no probe to be had\n");
	abort();
}

TEST_UNUSED_ static size_t test_probes_pending(void)
{
	size_t pending = 0;

	for (size_t i = 0; i < sizeof(test_probes) / sizeof(test_probes[0]); i++) {
		int state = atomic_load(&test_probes[i].state);
		pending += state == TEST_PROBE_QUEUED || state == TEST_PROBE_RUNNING;
	}
	return pending;
}

// Whether fn(arg), called in a goroutine of its own, is still under way 10 ms after it began.
TEST_UNUSED_ static bool blocks(void (*fn)(void *), void *arg)
{
	struct test_probe *probe = test_probe_start(fn, arg);

	WAIT_UNTIL(atomic_load(&probe->state) != TEST_PROBE_QUEUED);
	tuza_sleep(10 * TUZA_MILLISECOND);
	return atomic_load(&probe->state) != TEST_PROBE_DONE;
}

// Whether fn(arg), called in a goroutine of its own, returns before WAIT_UNTIL gives up.
TEST_UNUSED_ static bool does_not_block(void (*fn)(void *), void *arg)
{
	struct test_probe *probe = test_probe_start(fn, arg);

	return WAIT_UNTIL(atomic_load(&probe->state) == TEST_PROBE_DONE);
}

// How often a dump of all goroutines has this text, such as "[chan receive".
TEST_UNUSED_ static int test_count_in_dump(const char *text)
{
	int fd = memfd_create("dump", MFD_CLOEXEC), n = 0;

	tuza_dump(fd);
	off_t bytes = lseek(fd, 0, SEEK_END);
	char *dump = calloc(1, (size_t)bytes + 1);
	if (pread(fd, dump, (size_t)bytes, 0) == bytes)
		for (char *at = dump; (at = strstr(at, text)); at += strlen(text))
			n++;
	free(dump);
	close(fd);
	return n;
}

// Waits until n goroutines are parked for this reason ("chan receive", "select" …).
TEST_UNUSED_ static bool wait_parked(const char *reason, int n)
{
	char text[64], longer[64]; // "chan receive" is not "chan receive (nil chan)"

	snprintf(text, sizeof(text), "[%s", reason);
	snprintf(longer, sizeof(longer), "[%s (", reason);
	return WAIT_UNTIL(test_count_in_dump(text) - test_count_in_dump(longer) >= n);
}

// valgrind runs one thread at a time, and slowly.
TEST_UNUSED_ static bool test_is_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

// Descriptors open now, without those that no program sees (epoll, eventfd, io_uring: the
// runtime's).
TEST_UNUSED_ static int test_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		char target[64] = "";
		n += readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
		     strncmp(target, "anon_inode:", 11) != 0;
	}
	if (dir)
		closedir(dir);
	return n;
}

#endif
