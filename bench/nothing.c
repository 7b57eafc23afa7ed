// SPDX-License-Identifier: MIT
/*
 * The program whose start-up time is measured, linked with the runtime alone: one goroutine,
 * started and joined.
 */
#include <tuza/tuza.h>

static void close_channel(tuza_chan *c) { tuza_chan_close(c); }

static int nothing(void *arg)
{
	(void)arg;
	tuza_chan *done = tuza_chan_new(0, 0);
	TUZA_GO(close_channel, done);
	tuza_chan_recv(done, NULL);
	tuza_chan_release(done);
	return 0;
}

int main(void) { return tuza_run(nothing, NULL); }
