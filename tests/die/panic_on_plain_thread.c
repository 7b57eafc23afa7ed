// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: no goroutine
// expect-stderr: [running
// expect-stderr: on_thread
/*
 * A thread that is no goroutine panics in the same words.
 */
#include <tuza/tuza.h>

#include <pthread.h>

static void *on_thread(void *arg)
{
	(void)arg;
	tuza_panic("no goroutine");
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, on_thread, NULL);
	pthread_join(thread, NULL);
	return 0;
}
