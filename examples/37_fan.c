// SPDX-License-Identifier: MIT
/*
 * Fan-out, fan-in, ready made: three goroutines share one input, and what they make is merged.
 */
#include <stdio.h>
#include <tuza/tuza.h>

enum { WORKERS = 3 };

static int square(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int n = *(const int *)in;

	(void)ctx, (void)arg;
	*(int *)out = n * n;
	return 0;
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *numbers = tuza_chan_new(sizeof(int), 10), *squares[WORKERS];
	TUZA_DEFER(tuza_context_free, ctx); // whatever happens, they all stop

	(void)arg;
	for (int n = 1; n <= 5; n++)
		tuza_send(numbers, n);
	tuza_chan_close(numbers);
	int code = tuza_fan_out(ctx, numbers, WORKERS, sizeof(int), square, NULL, squares);
	if (code != 0)
		tuza_panic("%s", tuza_strerror(code));
	tuza_chan *all = tuza_fan_in(ctx, WORKERS, squares); // takes the squares over
	for (int v; tuza_recv(all, &v);)
		printf("%d\n", v);
	tuza_chan_release(all);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
1
4
9
16
25
 */
