// SPDX-License-Identifier: MIT
/*
 * Deadlines and cancellation through three layers of calls: each passes its context on.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/tuza.h>

static const char user; // the address is the key

static int query(tuza_context *ctx, const char *table)
{
	int error = tuza_sleep_ctx(ctx, 5 * TUZA_SECOND); // as long as the answer takes
	if (error)
		printf("%s asked %s: %s\n", (const char *)tuza_context_value(ctx, &user), table,
			tuza_strerror(error));
	return error;
}

// May take no longer than `limit`, nor longer than its caller has left.
static int load(tuza_context *parent, const char *table, tuza_duration limit)
{
	tuza_context *ctx = tuza_context_with_timeout(parent, limit);
	TUZA_DEFER(tuza_context_free, ctx); // as `defer cancel()`
	return query(ctx, table);
}

static int handle(tuza_context *parent, char *name, tuza_duration limit)
{
	tuza_context *ctx = tuza_context_with_value(parent, &user, name);
	TUZA_DEFER(tuza_context_free, ctx);
	return load(ctx, "orders", limit);
}

static void hang_up(tuza_context *request)
{
	tuza_sleep(20 * TUZA_MILLISECOND);
	tuza_context_cancel_cause(request, -EPIPE);
	tuza_context_release(request);
}

static int program(void *arg)
{
	char ann[] = "ann", bob[] = "bob";
	tuza_context *request = tuza_context_with_cancel(arg);

	handle(request, ann, 10 * TUZA_MILLISECOND);
	printf("the request goes on: %d\n", tuza_context_err(request));
	TUZA_GO(hang_up, tuza_context_retain(request));
	handle(request, bob, TUZA_MINUTE);
	printf("cause: %s\n", tuza_strerror(tuza_context_cause(request)));
	tuza_context_free(request);
	return 0;
}

int main(void) { return tuza_run(program, tuza_context_background()); }

/* Output:
ann asked orders: context deadline exceeded
the request goes on: 0
bob asked orders: context canceled
cause: Broken pipe
 */
