// SPDX-License-Identifier: MIT
// expect-status: 0
// env: TUZA_MAXPROCS=two
// env: TUZA_STACK_BYTES=64kb
// env: TUZA_TRACEBACK=loud
// env: TUZA_DEBUG=leakcheck=of,deadlock=0,chaos=1x,lockorder=1
// expect-stderr: tuza: ignored: TUZA_MAXPROCS=two is not a number from 1 to 1024
// expect-stderr: tuza: ignored: TUZA_STACK_BYTES=64kb is not a size from 16k to 1g
// expect-stderr: tuza: ignored: TUZA_TRACEBACK=loud is not none, single, all, system or crash
// expect-stderr: tuza: ignored: TUZA_DEBUG=leakcheck=of is not 0, 1 or fatal
// expect-stderr: tuza: ignored: TUZA_DEBUG=chaos=1x is not a number
// expect-not-stderr: deadlock
// expect-not-stderr: lockorder
/*
 * Values that mean nothing are told of, once, and the program runs as without them.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(tuza_chan_recv, tuza_chan_new(0, 0), NULL); // no leak check finds it
	return 0;
}

int main(void) { return tuza_run(program, NULL) || tuza_run(program, NULL); }
