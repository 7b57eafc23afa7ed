// SPDX-License-Identifier: MIT
// expect-status: 0
// env: TUZA_DEBUG=lockorder
// expect-stderr: found lock order inversion:
// expect-stderr: is locked here:
// expect-stderr: one_way(...)
// expect-stderr: under mutex 0x
// expect-stderr: other_way(...)
// expect-stdout: one report
/*
 * Two locks are taken in both orders, one after the other: nothing deadlocks, and it is told all
 * the same, once. Under a lock that both have it would be no fault; nor is it one for other
 * locks that lie where these lay.
 */
#define _GNU_SOURCE
#define TUZA_WATCH_LOCKS 1
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <tuza/sync.h>
#include <tuza/tuza.h>
#include <unistd.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

struct pair {
	tuza_mutex a, b;
};

static __attribute__((noinline)) void one_way(struct pair *p)
{
	tuza_mutex_lock(&p->a);
	tuza_mutex_lock(&p->b);
	tuza_mutex_unlock(&p->b);
	tuza_mutex_unlock(&p->a);
	KEEP_FRAME();
}

static __attribute__((noinline)) void other_way(struct pair *p)
{
	TUZA_LOCK(&p->b);
	TUZA_LOCK(&p->a);
	KEEP_FRAME();
}

static char text[16384];

static int count(int fd, const char *what)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int found = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, what)); at++)
		found++;
	return found;
}

static int program(void *unused)
{
	static struct pair guarded, inverted, again;
	static tuza_mutex guard;
	static tuza_rwmutex rw;
	int saved = dup(2), fd = memfd_create("report", 0);

	(void)unused;
	dup2(fd, 2);
	for (int i = 0; i < 3; i++) {
		tuza_mutex_lock(&guard);
		one_way(&guarded);
		other_way(&guarded);
		tuza_mutex_unlock(&guard);
	}
	one_way(&again);
	memset(&again, 0, sizeof(again)); // other locks
	other_way(&again);
	int none = count(fd, "found");
	for (int i = 0; i < 3; i++) {
		one_way(&inverted);
		other_way(&inverted);
	}
	int inversions = count(fd, "found lock order inversion:");
	(void)!write(saved, text, strlen(text));
	tuza_rwmutex_rlock(&rw);
	tuza_rwmutex_rlock(&rw);
	tuza_rwmutex_runlock(&rw);
	tuza_rwmutex_runlock(&rw);
	int again_read = count(fd, "found recursive read lock:");
	printf("%s\n", none == 0 && inversions == 1 && again_read == 1 ? "one report" : "wrong");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
