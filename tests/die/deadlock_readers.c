// SPDX-License-Identifier: MIT
// expect-status: 2
// env: TUZA_DEBUG=lockorder,deadlock=fatal
// expect-stderr: found deadlock:
// expect-stderr: waits for rwmutex 0x
// expect-stderr: waits for mutex 0x
// expect-stderr: [sync.RWMutex.Lock]:
// expect-stderr: reads_and_locks(...)
// expect-stderr: writes(...)
// expect-stderr: fatal error: goroutines wait for each other - deadlock!
// expect-not-stderr: goes_on(...)
/*
 * A writer waits for readers. Most of them wait for one that goes on; one waits for what the writer
 * has. With TUZA_DEBUG=lockorder it is known who reads.
 */
#define TUZA_WATCH_LOCKS 1
#include <tuza/sync.h>
#include <tuza/tuza.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

enum { READERS = 4 };

static tuza_rwmutex rw;
static tuza_mutex slow, writers;
static tuza_waitgroup all_have;

static void everybody_has(void)
{
	tuza_waitgroup_done(&all_have);
	tuza_waitgroup_wait(&all_have);
}

static void goes_on(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&slow);
	everybody_has();
	for (int i = 0; i < 20000; i++)
		tuza_sleep(TUZA_MILLISECOND);
	tuza_mutex_unlock(&slow);
}

static void reads_and_waits(void *unused)
{
	(void)unused;
	tuza_rwmutex_rlock(&rw);
	everybody_has();
	tuza_mutex_lock(&slow);
	tuza_mutex_unlock(&slow);
	tuza_rwmutex_runlock(&rw);
}

static void reads_and_locks(void *unused)
{
	(void)unused;
	tuza_rwmutex_rlock(&rw);
	everybody_has();
	tuza_mutex_lock(&writers);
	KEEP_FRAME();
}

static void writes(void *unused)
{
	(void)unused;
	tuza_mutex_lock(&writers);
	everybody_has();
	tuza_rwmutex_lock(&rw);
	KEEP_FRAME();
}

static int program(void *unused)
{
	(void)unused;
	tuza_waitgroup_add(&all_have, READERS + 3);
	tuza_go(goes_on, NULL);
	for (int i = 0; i < READERS; i++)
		tuza_go(reads_and_waits, NULL);
	tuza_go(reads_and_locks, NULL);
	tuza_go(writes, NULL);
	for (int i = 0; i < 20000; i++)
		tuza_sleep(TUZA_MILLISECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
