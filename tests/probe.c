// SPDX-License-Identifier: MIT
// Part of every test: looking at a program from outside (probe.h).
#include "test.h"

static struct test_probe test_probes[512];

static void test_probe_run(void *arg)
{
	struct test_probe *probe = arg;

	atomic_store(&probe->state, TEST_PROBE_RUNNING);
	probe->fn(probe->arg);
	atomic_store(&probe->state, TEST_PROBE_DONE);
}

struct test_probe *test_probe_start(void (*fn)(void *), void *arg)
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

size_t test_probes_pending(void)
{
	size_t pending = 0;

	for (size_t i = 0; i < sizeof(test_probes) / sizeof(test_probes[0]); i++) {
		int state = atomic_load(&test_probes[i].state);
		pending += state == TEST_PROBE_QUEUED || state == TEST_PROBE_RUNNING;
	}
	return pending;
}

void test_probes_forget(void) { memset(test_probes, 0, sizeof(test_probes)); }

bool blocks(void (*fn)(void *), void *arg)
{
	struct test_probe *probe = test_probe_start(fn, arg);

	WAIT_UNTIL(atomic_load(&probe->state) != TEST_PROBE_QUEUED);
	tuza_sleep(10 * TUZA_MILLISECOND);
	return atomic_load(&probe->state) != TEST_PROBE_DONE;
}

bool does_not_block(void (*fn)(void *), void *arg)
{
	struct test_probe *probe = test_probe_start(fn, arg);

	return WAIT_UNTIL(atomic_load(&probe->state) == TEST_PROBE_DONE);
}

int test_count_in_dump(const char *text)
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

bool wait_parked(const char *reason, int n)
{
	char text[64], longer[64]; // "chan receive" is not "chan receive (nil chan)"

	snprintf(text, sizeof(text), "[%s", reason);
	snprintf(longer, sizeof(longer), "[%s (", reason);
	return WAIT_UNTIL(test_count_in_dump(text) - test_count_in_dump(longer) >= n);
}

bool test_is_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

int test_count_fds(void)
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
