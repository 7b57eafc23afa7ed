// SPDX-License-Identifier: MIT
/*
 * A tree of contexts: cancelling one ends all below it, and nothing above or beside it. The tree of
 * goroutines follows.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

// Takes over a reference of its own.
static void fetch(tuza_context *ctx, const char *what, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	int code = tuza_sleep_ctx(ctx, TUZA_HOUR);

	printf("%s: %s\n", what, tuza_strerror(code));
	tuza_context_release(ctx);
}

static void show(const char *name, tuza_context *ctx)
{
	int64_t deadline;

	printf("%s: %s, %s\n", name, tuza_context_err(ctx) ? "ended" : "goes on",
		tuza_context_deadline(ctx, &deadline) ? "a deadline" : "no deadline");
}

static int program(void *arg)
{
	tuza_context *server = tuza_context_with_cancel(tuza_context_background());
	tuza_context *request = tuza_context_with_timeout(server, TUZA_MINUTE);
	tuza_context *query = tuza_context_with_deadline(request, tuza_now() + 2 * TUZA_MINUTE);
	tuza_context *audit = tuza_context_without_cancel(request); // outlives it
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_waitgroup_add(&wg, 2);
	go(fetch, tuza_context_retain(query), "fetch A", &wg);
	go(fetch, tuza_context_retain(query), "fetch B", &wg);
	tuza_context_cancel(request); // query ends with it: both fetches do
	tuza_waitgroup_wait(&wg);     // a context tells to stop; a waitgroup tells that they have
	show("server", server);
	show("request", request);
	show("query", query);
	show("audit", audit);
	tuza_context_free(audit);
	tuza_context_free(query);
	tuza_context_free(request);
	tuza_context_free(server);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
fetch A: context canceled
fetch B: context canceled
server: goes on, no deadline
request: ended, a deadline
query: ended, a deadline
audit: goes on, no deadline
 */
