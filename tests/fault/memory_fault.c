// SPDX-License-Identifier: MIT
/*
 * Address space runs out: starting goroutines is refused, those that were started run, and it goes
 * on when some have ended. And descriptors run out, just when the memory limit is looked for.
 *
 * The program's own open stands before the C library's.
 */
#include "../memory_limit.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <tuza/sync.h>

static tuza_waitgroup running;
static atomic_long done;

static void wait_for_close(void *c)
{
	int v;

	tuza_chan_recv(c, &v);
	atomic_fetch_add(&done, 1);
	tuza_waitgroup_done(&running);
}

static long start_until_refused(tuza_chan *c, long limit, int *error)
{
	long n = 0;

	for (*error = 0; n < limit; n++) {
		tuza_waitgroup_add(&running, 1);
		*error = tuza_go(wait_for_close, c);
		if (*error != 0) {
			tuza_waitgroup_done(&running);
			break;
		}
	}
	return n;
}

// Point 3 of the design: RLIMIT_AS and ENOMEM at spawn give -ENOMEM, never a crash.
TEST(spawn_is_refused_when_the_address_space_is_full_and_works_again_later)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	struct rlimit old;
	int error;

	tuza_yield();
	if (!limit_addresses((size_t)8 << 20, &old)) { // room for 32,768 descriptors
		SKIP("the limit of addresses cannot be set");
		tuza_chan_release(c);
		return;
	}
	long started = start_until_refused(c, 200000, &error);
	CHECK_EQ(error, -ENOMEM);
	CHECK(started >= 1000 && started < 200000);
	setrlimit(RLIMIT_AS, &old);
	tuza_chan_close(c);
	tuza_waitgroup_wait(&running);
	CHECK_EQ(done, started);
	CHECK_EQ(start_until_refused(c, 1000, &error), 1000);
	tuza_waitgroup_wait(&running);
	tuza_chan_release(c);
}

TEST(constructors_that_tell_do_so_when_memory_is_short)
{
	struct rlimit old;
	tuza_chan *c;

	if (!limit_addresses((size_t)1 << 20, &old)) {
		SKIP("the limit of addresses cannot be set");
		return;
	}
	CHECK_EQ(tuza_chan_try_new(1024, (size_t)64 << 10, &c), -ENOMEM);
	CHECK(c == NULL);
	setrlimit(RLIMIT_AS, &old);
	CHECK_EQ(tuza_chan_try_new(1024, (size_t)1 << 10, &c), 0);
	tuza_chan_release(c);
}

static atomic_bool has_no_descriptors;
static atomic_int looked_in_vain, looked;

int open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, ...);
	bool is_groups = strcmp(path, "/proc/self/cgroup") == 0;
	bool fails = is_groups && has_no_descriptors;
	mode_t mode = 0;
	va_list more;

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "open");
	va_start(more, flags);
	if (flags & O_CREAT)
		mode = va_arg(more, mode_t);
	va_end(more);
	if (is_groups)
		atomic_fetch_add(fails ? &looked_in_vain : &looked, 1);
	if (fails) {
		errno = EMFILE;
		return -1;
	}
	return real(path, flags, mode);
}

static int start_in_batches(void *unused)
{
	enum { BATCH = 2000, BATCHES = 50 }; // each needs more than is used without a look
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int error;

	(void)unused;
	has_no_descriptors = true;
	CHECK_EQ(start_until_refused(c, BATCH, &error), BATCH);
	CHECK(looked_in_vain >= 1);
	CHECK_EQ(looked, 0);
	has_no_descriptors = false;
	// Another thread may still be looking in vain.
	for (int i = 0; i < BATCHES && looked == 0; i++) {
		CHECK_EQ(start_until_refused(c, BATCH, &error), BATCH);
		tuza_sleep(TUZA_MILLISECOND);
	}
	CHECK_EQ(looked, 1);
	tuza_chan_close(c);
	tuza_waitgroup_wait(&running);
	tuza_chan_release(c);
	return 0;
}

TEST_PLAIN(memory_limit_is_looked_for_again_when_there_was_no_descriptor)
{
	setenv("TUZA_MAXPROCS", "2", 1); // nobody looks for the CPU's limit
	looked = looked_in_vain = 0;
	CHECK_EQ(tuza_run(start_in_batches, NULL), 0);
}
