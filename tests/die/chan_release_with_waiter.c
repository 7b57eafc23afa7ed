// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: tuza: release of a channel that a goroutine waits on
/*
 * The last reference goes while somebody waits.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_statistics s;

	(void)arg;
	TUZA_GO(tuza_chan_recv, c, NULL);
	do {
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&s);
	} while (s.waiting == 0);
	tuza_chan_release(c);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
