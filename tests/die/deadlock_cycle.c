// SPDX-License-Identifier: MIT
// expect-status: 2
// env: TUZA_DEBUG=deadlock=fatal
// expect-stderr: found deadlock:
// expect-stderr: waits for mutex 0x
// expect-stderr: [sync.Mutex.Lock]:
// expect-stderr: one_way(...)
// expect-stderr: other_way(...)
// expect-stderr: created by program in goroutine 1
// expect-stderr: fatal error: goroutines wait for each other - deadlock!
/*
 * Two goroutines that wait for each other's mutex, while others run on.
 */
#include <tuza/sync.h>
#include <tuza/tuza.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static tuza_mutex a, b;
static tuza_waitgroup both;

static void one_way(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&a);
	tuza_waitgroup_done(&both);
	tuza_waitgroup_wait(&both);
	tuza_mutex_lock(&b);
	KEEP_FRAME();
}

static void other_way(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&b);
	tuza_waitgroup_done(&both);
	tuza_waitgroup_wait(&both);
	tuza_mutex_lock(&a);
	KEEP_FRAME();
}

static int program(void *unused)
{
	(void)unused;
	tuza_waitgroup_add(&both, 2);
	tuza_go(one_way, NULL);
	tuza_go(other_way, NULL);
	for (int i = 0; i < 20000; i++)
		tuza_sleep(TUZA_MILLISECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
