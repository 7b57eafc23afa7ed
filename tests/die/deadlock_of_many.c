// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [sync.WaitGroup.Wait]:
// expect-stderr: [chan send]:
// expect-stderr: [chan receive]:
// expect-stderr: [select]:
// expect-stderr: [sync.Mutex.Lock]:
// expect-stderr: created by program in goroutine 1
/*
 * Every goroutine waits for another, each in its own way; all are shown. D3.
 */
// The analysis sees that lock_twice is wrong.
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wthread-safety"
#include <tuza/tuza.h>

static void wait_in_select(tuza_chan *c, tuza_chan *d)
{
	TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_SEND(d, NULL));
}

static void lock_twice(tuza_mutex *m)
{
	tuza_mutex_lock(m);
	tuza_mutex_lock(m);
}

static int program(void *arg)
{
	static tuza_mutex m;
	static tuza_waitgroup wg;
	tuza_chan *c[4];

	(void)arg;
	for (int i = 0; i < 4; i++)
		c[i] = tuza_chan_new(0, 0);
	TUZA_GO(tuza_chan_recv, c[0], NULL);
	TUZA_GO(tuza_chan_send, c[1], NULL);
	TUZA_GO(wait_in_select, c[2], c[3]);
	TUZA_GO(lock_twice, &m);
	tuza_waitgroup_add(&wg, 1);
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
