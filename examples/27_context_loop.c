// SPDX-License-Identifier: MIT
/*
 * Work in a loop looks at its context: between two units where it computes, and in each select
 * where it waits. It returns why it ended.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

// Computes: asks between two units of work.
static int compute(tuza_context *ctx, unsigned *units)
{
	while (tuza_context_err(ctx) == 0) // select { case <-ctx.Done(): default: }
		++*units;
	return tuza_context_err(ctx);
}

// Waits: the context's end is one more case.
static int sum_all(tuza_context *ctx, tuza_chan *items, int *sum)
{
	for (;;) {
		int item;
		bool ok;

		switch (TUZA_SELECT(TUZA_DONE(ctx), TUZA_RECV_OK(items, &item, &ok))) {
		case 0:
			return tuza_context_err(ctx);
		case 1:
			if (!ok)
				return 0; // closed: that was all
			*sum += item;
		}
	}
}

static void produce(tuza_chan *items)
{
	for (int i = 1; i <= 10; i++)
		tuza_send(items, i);
	tuza_chan_close(items);
}

static int program(void *arg)
{
	tuza_context *background = tuza_context_background();
	tuza_context *brief = tuza_context_with_timeout(background, 100 * TUZA_MILLISECOND);
	tuza_chan *items = tuza_chan_new(sizeof(int), 0), *silent = tuza_chan_new(sizeof(int), 0);
	unsigned units = 0;
	int sum = 0, code;

	(void)arg;
	TUZA_DEFER(tuza_context_free, brief); // defer cancel(), right after it was made
	code = compute(brief, &units);
	printf("some units were done: %s; then: %s\n", units ? "true" : "false",
		tuza_strerror(code));
	go(produce, items);
	code = sum_all(background, items, &sum);
	printf("sum %d: %s\n", sum, tuza_strerror(code));
	printf("nobody sends: %s\n", tuza_strerror(sum_all(brief, silent, &sum)));
	tuza_chan_release(items);
	tuza_chan_release(silent);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
some units were done: true; then: context deadline exceeded
sum 55: success
nobody sends: context deadline exceeded
 */
