// SPDX-License-Identifier: MIT
/*
 * A supervisor: a goroutine that fails, by its result or by a panic, is started again after a pause
 * that grows, but not for ever.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/tuza.h>

static int serve(tuza_context *ctx, void *arg)
{
	int *attempt = arg;

	(void)ctx; // a real one would run until it ends
	if (++*attempt == 1)
		return -ECONNREFUSED;
	if (*attempt == 2)
		tuza_panic("no configuration");
	return 0; // done: not started again
}

static int hopeless(tuza_context *ctx, void *arg) { return (void)ctx, (void)arg, -EIO; }

static void log_failure(const tuza_supervisor_failure *f, void *name)
{
	printf("%s failed: %s%s\n", (const char *)name, f->message,
		f->pause < 0 ? "; given up" : "");
}

static int program(void *arg)
{
	int attempt = 0;
	tuza_supervisor_options options = {
		.restarts = 2,
		.within = TUZA_MINUTE,
		.backoff = TUZA_MILLISECOND,
		.on_failure = log_failure,
		.on_failure_arg = "server",
	};
	tuza_scope *s = tuza_scope_open(tuza_context_background());

	tuza_scope_supervise(s, &options, serve, &attempt);
	printf("all is well: %s\n", tuza_strerror(tuza_scope_wait(s)));
	options.on_failure_arg = "other";
	tuza_scope_supervise(s, &options, hopeless, NULL); // its end would stop the others
	printf("the scope: %s\n", tuza_strerror(tuza_scope_close(s)));
	return (void)arg, 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
server failed: Connection refused
server failed: no configuration
all is well: success
other failed: Input/output error
other failed: Input/output error
other failed: Input/output error; given up
the scope: Input/output error
 */
