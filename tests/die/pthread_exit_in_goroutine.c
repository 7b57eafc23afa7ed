// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: tuza: pthread_exit in a goroutine
/*
 * Rule 4: the thread is not the goroutine's to end.
 */
#include <tuza/tuza.h>

#include <pthread.h>

static void worker(void) { pthread_exit(NULL); }

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(worker);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
