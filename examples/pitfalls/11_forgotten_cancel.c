// SPDX-License-Identifier: MIT
// not-under: address the wrong version loses memory
/*
 * Pitfall: a context with a timeout that somebody forgets to free, here on one way out of two. It
 * ends by itself, but until then it has a timer, and its memory is lost for good.
 *
 * Fix: tuza_context_free, deferred where the context is made. gcc -fanalyzer finds the way out
 * that forgets it; tuza_leak_check finds what a run has left.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static int query(tuza_context *ctx) { return tuza_sleep_ctx(ctx, TUZA_MILLISECOND); }

static int wrong(tuza_context *request, int orders)
{
	tuza_context *ctx = tuza_context_with_timeout(request, TUZA_MINUTE);

	if (orders == 0)
		return 0; // -Wanalyzer-malloc-leak
	int code = query(ctx);
	tuza_context_free(ctx);
	return code;
}

static int right(tuza_context *request, int orders)
{
	tuza_context *ctx = tuza_context_with_timeout(request, TUZA_MINUTE);

	TUZA_DEFER(tuza_context_free, ctx); // defer cancel()
	if (orders == 0)
		return 0;
	return query(ctx);
}

static void handle(const char *which, int (*handler)(tuza_context *request, int orders))
{
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();
	tuza_leak_options options = {.ignore_current = before, .wait = -1, .fd = -1};

	for (int orders = 0; orders <= 1; orders++)
		if (handler(tuza_context_background(), orders) != 0)
			tuza_panic("the query took too long");
	printf("%s: %zu left\n", which, tuza_leak_check(&options));
	tuza_leak_snapshot_free(before);
}

static int program(void *arg)
{
	(void)arg;
	handle("wrong", wrong);
	handle("right", right);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 1 left
right: 0 left
 */
