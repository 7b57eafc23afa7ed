// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: cannot create context from nil parent
// expect-stderr: goroutine 1 [running]:
/*
 * X11.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(arg);
	tuza_context_free(ctx);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
