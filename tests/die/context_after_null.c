// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: go of nil func value
/*
 * X9: as a go statement of it, which no tuza_try contains.
 */
#include <tuza/tuza.h>

static void watch(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	(void)arg;
	(void)!tuza_context_after_func(ctx, NULL, NULL);
	tuza_context_free(ctx);
}

static int program(void *arg) { return tuza_try(watch, arg, NULL); }

int main(void) { return tuza_run(program, NULL); }
