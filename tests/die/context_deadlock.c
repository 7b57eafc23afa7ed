// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [chan receive]:
/*
 * D3: nobody is left to cancel the context. (One with a deadline is no deadlock.)
 */
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_context *timed = tuza_context_with_timeout(tuza_context_background(), 30000000);
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	(void)arg;
	(void)tuza_recv(tuza_context_done(timed), NULL);
	(void)tuza_recv(tuza_context_done(ctx), NULL);
	tuza_context_free(timed);
	tuza_context_free(ctx);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
