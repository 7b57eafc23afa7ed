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

// By hand: AddressSanitizer's strstr goes through all that is left each time, and a dump of
// thousands is long.
static int count(const char *text, const char *part)
{
	size_t length = strlen(part);
	int n = 0;

	for (; *text; text++)
		n += *text == *part && strncmp(text, part, length) == 0;
	return n;
}

// A dump of all goroutines, to be freed.
static char *dump_all(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	tuza_dump(fd);
	off_t bytes = lseek(fd, 0, SEEK_END);
	char *dump = calloc(1, (size_t)bytes + 1);
	(void)!pread(fd, dump, (size_t)bytes, 0);
	close(fd);
	return dump;
}

int test_count_in_dump(const char *text)
{
	char *dump = dump_all();
	int n = count(dump, text);

	free(dump);
	return n;
}

static bool are_parked(const char *reason, int n)
{
	char text[64], longer[64]; // "chan receive" is not "chan receive (nil chan)"
	char *dump = dump_all();

	snprintf(text, sizeof(text), "[%s", reason);
	snprintf(longer, sizeof(longer), "[%s (", reason);
	bool are = count(dump, text) - count(dump, longer) >= n;
	free(dump);
	return are;
}

bool wait_parked(const char *reason, int n)
{
	int64_t soon = tuza_now() + 10 * TUZA_MILLISECOND;
	tuza_statistics s;

	// A dump costs far more than this look, which does not count threads of the program.
	while (tuza_stats(&s), s.waiting < (size_t)n && tuza_now() < soon)
		tuza_sleep(100 * TUZA_MICROSECOND);
	return WAIT_UNTIL(are_parked(reason, n));
}

bool test_is_on_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

bool test_is_of_cgroups(const char *path)
{
	const char *name = strrchr(path, '/');

	return strncmp(path, "/sys/fs/cgroup/", 15) == 0 || (name && strcmp(name, "/cgroup") == 0);
}

int test_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		char target[64] = "";
		n += readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
		     strncmp(target, "anon_inode:", 11) != 0 && !test_is_of_cgroups(target);
	}
	if (dir)
		closedir(dir);
	return n;
}

int test_count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}
