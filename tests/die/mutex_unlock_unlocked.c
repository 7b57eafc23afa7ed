// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: sync: unlock of unlocked mutex
// expect-not-stdout: contained
/*
 * M5, P12: fatal, under every try.
 */
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wthread-safety"
#include <tuza/tuza.h>

#include <stdio.h>

static void unlock(void *m) { tuza_mutex_unlock(m); }

static int program(void *arg)
{
	tuza_mutex m = {0};

	(void)arg;
	TUZA_IGNORE(tuza_try_with(unlock, &m, TUZA_RECOVER_FAULTS, NULL));
	dprintf(1, "contained\n");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
