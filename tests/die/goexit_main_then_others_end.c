// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: no goroutines (main called runtime.Goexit) - deadlock!
// expect-stdout: others went on
/*
 * P9: the others go on; when the last has ended, the program is dead.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static void go_on(void)
{
	tuza_sleep(20 * TUZA_MILLISECOND);
	dprintf(1, "others went on\n");
}

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(go_on);
	tuza_goexit();
}

int main(void) { return tuza_run(program, NULL); }
