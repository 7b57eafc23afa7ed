// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: nobody joins
// expect-stderr: created by program
/*
 * After tuza_detach nobody is there to be told: the panic is fatal.
 */
#include <tuza/tuza.h>

static void worker(void *arg)
{
	tuza_chan_recv(arg, NULL);
	tuza_panic("nobody joins");
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	tuza_detach(tuza_spawn(worker, c));
	tuza_chan_send(c, NULL);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
