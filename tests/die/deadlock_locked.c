// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [chan receive, locked to thread]:
/*
 * T4.1, Go: LockedDeadlock: goroutines tied to their threads are asleep as others are.
 */
#include <tuza/tuza.h>

static void wait_locked(tuza_chan *c)
{
	tuza_lock_os_thread();
	tuza_chan_recv(c, NULL);
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	tuza_lock_os_thread();
	TUZA_GO(wait_locked, c);
	tuza_yield();
	return tuza_chan_recv(c, NULL);
}

int main(void) { return tuza_run(program, NULL); }
