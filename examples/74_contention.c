// SPDX-License-Identifier: MIT
/*
 * Who waits, who keeps others waiting, and who keeps memory: three profiles, here as text. For
 * `go tool pprof` the last argument of tuza_pprof_write is 0.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

static void wants_lock(tuza_mutex *m, tuza_waitgroup *wg)
{
	tuza_mutex_lock(m); // the block profile shows this
	tuza_mutex_unlock(m);
	tuza_waitgroup_done(wg);
}

static char *keeps_lock(void)
{
	tuza_mutex m = {0};
	tuza_waitgroup wg = {0};

	tuza_mutex_lock(&m);
	tuza_waitgroup_add(&wg, 1);
	go(wants_lock, &m, &wg);
	tuza_sleep(100 * TUZA_MILLISECOND);
	tuza_mutex_unlock(&m); // the mutex profile this
	tuza_waitgroup_wait(&wg);
	return tuza_malloc(1 << 20); // and the heap profile that
}

static int tells(const char *profile, const char *function)
{
	static char text[1 << 16];
	int fd = memfd_create(profile, 0), error = tuza_pprof_write(fd, profile, 1);

	if (error || pread(fd, text, sizeof text - 1, 0) <= 0)
		return -1;
	close(fd);
	return strstr(text, function) != NULL;
}

static int program(void *unused)
{
	(void)unused;
	tuza_set_heap_profile_rate(1); // all of it: for every day leave it as it is
	tuza_set_block_profile_rate(1);
	tuza_set_mutex_profile_fraction(1);
	char *kept = keeps_lock();
	printf("waits: %d\n", tells("block", "wants_lock"));
	printf("keeps others waiting: %d\n", tells("mutex", "keeps_lock"));
	printf("keeps memory: %d\n", tells("heap", "keeps_lock"));
	tuza_free(kept);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
waits: 1
keeps others waiting: 1
keeps memory: 1
 */
