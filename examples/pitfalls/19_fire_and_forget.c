// SPDX-License-Identifier: MIT
/*
 * Pitfall: a request starts a task in the background and is over; the task knows nothing of that
 * and works on. With each request there are more of them, until memory is short.
 *
 * Fix: the task gets the request's context and ends with it.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_context *forever; // a context that no request has anything to do with

static void task(tuza_context *ctx)
{
	while (tuza_sleep_ctx(ctx, TUZA_MILLISECOND) == 0)
		; // refresh something, again and again
	tuza_context_release(ctx);
}

static void handle_wrong(tuza_context *request)
{
	(void)request;
	go(task, tuza_context_retain(forever));
}

static void handle_right(tuza_context *request) { go(task, tuza_context_retain(request)); }

static void serve(const char *which, void (*handle)(tuza_context *request), tuza_duration wait)
{
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();

	for (int i = 0; i < 10; i++) {
		tuza_context *request = tuza_context_with_cancel(tuza_context_background());

		handle(request);
		tuza_context_free(request); // the answer is sent, or the client is gone
	}
	printf("%s: %zu tasks for requests that are over\n", which,
		tuza_leak_check(
			&(tuza_leak_options){.ignore_current = before, .wait = wait, .fd = -1}));
	tuza_leak_snapshot_free(before);
}

static int program(void *arg)
{
	(void)arg;
	forever = tuza_context_with_cancel(tuza_context_background());
	serve("wrong", handle_wrong, 10 * TUZA_MILLISECOND);
	serve("right", handle_right, TUZA_MINUTE); // they end long before
	tuza_context_free(forever);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 10 tasks for requests that are over
right: 0 tasks for requests that are over
 */
