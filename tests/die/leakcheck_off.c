// SPDX-License-Identifier: MIT
// expect-status: 3
// env: TUZA_DEBUG=leakcheck=fatal,leakcheck=0,leak,leakchecks
// expect-not-stderr: found
/*
 * Of several words the last counts, and a word is a whole one: goroutines that are left are
 * dropped in silence.
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(tuza_chan_recv, tuza_chan_new(0, 0), NULL);
	return 3;
}

int main(void) { return tuza_run(program, NULL); }
