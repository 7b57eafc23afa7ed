// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-not-stdout: contained
/*
 * Fatal errors are never contained. P12.
 */
#include <tuza/tuza.h>

#include <stdio.h>

static void wait_for_ever(void *arg) { tuza_chan_recv(arg, NULL); }

static int program(void *arg)
{
	TUZA_IGNORE(tuza_try_with(wait_for_ever, arg, TUZA_RECOVER_FAULTS, NULL));
	dprintf(1, "contained\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
