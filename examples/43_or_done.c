// SPDX-License-Identifier: MIT
/*
 * Or-done: a plain loop over a channel that may stay open for ever, and that ends with the context
 * all the same.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void count(tuza_context *ctx, tuza_chan *ticks)
{
	for (int i = 1; tuza_chan_send_ctx(ticks, ctx, &i) == 0; i++)
		;
	tuza_chan_close(ticks);
	tuza_context_release(ctx);
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *ticks = tuza_chan_new(sizeof(int), 0);

	(void)arg;
	go(count, tuza_context_retain(ctx), ticks);
	tuza_chan *c = tuza_or_done(ctx, ticks); // takes our reference over
	for (int v; tuza_recv(c, &v);) {
		if (v == 3)
			tuza_context_cancel(ctx); // from anywhere in the program
		if (v <= 3)
			printf("tick %d\n", v);
	}
	puts("over");
	tuza_chan_release(c);
	tuza_context_free(ctx);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
tick 1
tick 2
tick 3
over
 */
