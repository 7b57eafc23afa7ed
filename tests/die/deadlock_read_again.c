// SPDX-License-Identifier: MIT
// expect-status: 2
// env: TUZA_DEBUG=lockorder,deadlock=fatal
// expect-stderr: found recursive read lock:
// expect-stderr: found deadlock:
// expect-stderr:  behind goroutine
// expect-stderr: reads_again(...)
// expect-stderr: writes(...)
// expect-stderr: fatal error: goroutines wait for each other - deadlock!
/*
 * A reader locks again what it has: behind a writer that waits for it. It is told before it
 * happens, and when it has.
 */
#define TUZA_WATCH_LOCKS 1
#include <tuza/sync.h>
#include <tuza/tuza.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static tuza_rwmutex rw;

static void writes(void *unused)
{
	(void)unused;
	tuza_rwmutex_lock(&rw);
	KEEP_FRAME();
}

static void reads_again(void *unused)
{
	(void)unused;
	tuza_rwmutex_rlock(&rw);
	tuza_go(writes, NULL);
	// Until the writer waits.
	while (tuza_rwmutex_try_rlock(&rw)) {
		tuza_rwmutex_runlock(&rw);
		tuza_yield();
	}
	tuza_rwmutex_rlock(&rw);
	KEEP_FRAME();
}

static int program(void *unused)
{
	(void)unused;
	tuza_go(reads_again, NULL);
	for (int i = 0; i < 20000; i++)
		tuza_sleep(TUZA_MILLISECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
