// SPDX-License-Identifier: MIT
/*
 * A graceful shutdown: a signal ends the context of the whole program, the servers finish what they
 * are at, and the program ends when they have.
 */
#include <signal.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

enum { SERVERS = 3 };

static void serve(tuza_context *ctx, int number, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	while (tuza_sleep_ctx(ctx, TUZA_MILLISECOND) == 0)
		; // a request
	printf("server %d has finished\n", number);
}

static void user(void)
{
	tuza_sleep(10 * TUZA_MILLISECOND);
	kill(getpid(), SIGTERM); // as the system does that wants the program to end
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_notify_signal(tuza_context_background(), SIGINT, SIGTERM);
	tuza_context *grace = tuza_context_with_timeout(tuza_context_background(), TUZA_MINUTE);
	tuza_waitgroup wg = {0};

	(void)arg;
	TUZA_DEFER(tuza_context_free, ctx);
	TUZA_DEFER(tuza_context_free, grace);
	tuza_waitgroup_add(&wg, SERVERS);
	for (int i = 1; i <= SERVERS; i++)
		go(serve, ctx, i, &wg);
	go(user);
	tuza_recv(tuza_context_done(ctx), NULL);
	printf("why: %s\n", tuza_strerror(tuza_context_cause(ctx)));
	if (tuza_waitgroup_wait_ctx(&wg, grace) != 0) // but not for ever
		return 1;
	puts("all have finished");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
why: Terminated
server 1 has finished
server 2 has finished
server 3 has finished
all have finished
 */
