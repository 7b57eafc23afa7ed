// SPDX-License-Identifier: MIT
// expect-status: 0
// env: TUZA_DEBUG=lockorder
// expect-stderr: found lock order inversion:
// expect-stdout: 0 1 2 3
/*
 * Locks that are taken with a context have their place in the order. Whoever may give up makes no
 * order by waiting, but what it locks then, it does.
 */
#define _GNU_SOURCE
#define TUZA_WATCH_LOCKS 1
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <tuza/context.h>
#include <tuza/sync.h>
#include <tuza/tuza.h>
#include <unistd.h>

struct pair {
	tuza_mutex a;
	tuza_rwmutex b;
};

static void a_then_b(struct pair *p)
{
	tuza_mutex_lock(&p->a);
	tuza_rwmutex_lock(&p->b);
	tuza_rwmutex_unlock(&p->b);
	tuza_mutex_unlock(&p->a);
}

static void b_then_a(struct pair *p, tuza_context *for_b, tuza_context *for_a, bool reads)
{
	int error =
		reads ? tuza_rwmutex_rlock_ctx(&p->b, for_b) : tuza_rwmutex_lock_ctx(&p->b, for_b);

	if (error || tuza_mutex_lock_ctx(&p->a, for_a) != 0)
		return;
	tuza_mutex_unlock(&p->a);
	if (reads)
		tuza_rwmutex_runlock(&p->b);
	else
		tuza_rwmutex_unlock(&p->b);
}

static char text[65536];

static int count(int fd)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int found = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, "found lock order inversion:")); at++)
		found++;
	return found;
}

static int program(void *unused)
{
	static struct pair gives_up, waits, held, read;
	tuza_context *never = tuza_context_background(), *may = tuza_context_with_cancel(never);
	int saved = dup(2), fd = memfd_create("report", 0), counts[4];

	(void)unused;
	dup2(fd, 2);
	a_then_b(&gives_up);
	b_then_a(&gives_up, never, may, false);
	counts[0] = count(fd);
	a_then_b(&waits);
	b_then_a(&waits, never, never, false);
	counts[1] = count(fd);
	a_then_b(&held);
	b_then_a(&held, may, never, false);
	counts[2] = count(fd);
	b_then_a(&read, may, never, true);
	a_then_b(&read);
	counts[3] = count(fd);
	(void)!write(saved, text, strlen(text));
	printf("%d %d %d %d\n", counts[0], counts[1], counts[2], counts[3]);
	tuza_context_free(may);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
