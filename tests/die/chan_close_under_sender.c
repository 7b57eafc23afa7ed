// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: send on closed channel
// expect-stderr: sender
// expect-stderr: created by program in goroutine 1
/*
 * The sender that waits panics, not the one who closes. C15.
 */
#include <tuza/tuza.h>

static void sender(tuza_chan *c) { tuza_chan_send(c, NULL); }

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	TUZA_GO(sender, c);
	tuza_sleep(5 * TUZA_MILLISECOND);
	tuza_chan_close(c);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
