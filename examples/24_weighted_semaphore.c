// SPDX-License-Identifier: MIT
/*
 * A weighted semaphore: tasks of different weight share 100 MB. Whoever waits is served in the
 * order of coming, so a large one is not passed by for ever.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { MEGABYTES = 100 };

static tuza_semaphore memory;
static atomic_int used, most;

static void resize_image(int megabytes, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	tuza_semaphore_wait(&memory, megabytes);
	int now = atomic_fetch_add(&used, megabytes) + megabytes, seen = most;
	while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
		;
	tuza_sleep(TUZA_MILLISECOND);
	atomic_fetch_sub(&used, megabytes);
	tuza_semaphore_release(&memory, megabytes);
}

static int program(void *arg)
{
	static const int sizes[] = {10, 70, 30, 100, 5, 60, 40, 20};
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_semaphore_init(&memory, MEGABYTES);
	for (int i = 0; i < 8; i++) {
		tuza_waitgroup_add(&wg, 1);
		go(resize_image, sizes[i], &wg);
	}
	tuza_waitgroup_wait(&wg);
	printf("never more than %d MB: %s\n", MEGABYTES, most <= MEGABYTES ? "true" : "false");

	tuza_semaphore_wait(&memory, 60);
	printf("40 more at once: %s\n", tuza_semaphore_try_acquire(&memory, 40) ? "true" : "false");
	printf("1 more: %s\n", tuza_semaphore_try_acquire(&memory, 1) ? "true" : "false");
	tuza_semaphore_release(&memory, 100); // tuza_semaphore_acquire: see contexts, 26_context.c
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
never more than 100 MB: true
40 more at once: true
1 more: false
 */
