// SPDX-License-Identifier: MIT
/*
 * A pipeline of ready-made stages. Values stay in order; a failure in one stage ends all of them,
 * and the context tells why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <tuza/tuza.h>

static int parse(tuza_context *ctx, const void *in, void *out, void *arg)
{
	char *end;

	(void)ctx, (void)arg;
	*(long *)out = strtol(*(const char *const *)in, &end, 10);
	return *end ? -EINVAL : 0;
}

static int square(tuza_context *ctx, const void *in, void *out, void *arg)
{
	*(long *)out = *(const long *)in * *(const long *)in;
	return (void)ctx, (void)arg, 0;
}

// Returns 0, or why the squares ended early.
static int sum_of_squares(const char *const texts[], int n, long *sum)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	TUZA_DEFER(tuza_context_free, ctx); // ends the stages, if we leave before them
	tuza_chan *c = tuza_chan_new(sizeof(char *), (size_t)n);

	for (int i = 0; i < n; i++)
		tuza_send(c, texts[i]);
	tuza_chan_close(c);
	// Each stage takes its input over; what comes out at the end is ours.
	c = tuza_pipeline_stage(ctx, c, sizeof(long), parse, NULL);
	c = tuza_pipeline_stage(ctx, c, sizeof(long), square, NULL);
	for (long v; tuza_recv(c, &v);)
		*sum += v;
	tuza_chan_release(c);
	return tuza_context_cause(ctx);
}

static int program(void *arg)
{
	const char *const good[] = {"3", "4", "12"}, *const bad[] = {"3", "four", "12"};
	long sum = 0;
	int code = sum_of_squares(good, 3, &sum);
	printf("good: %s, %ld\n", tuza_strerror(code), sum);
	printf("bad: %s\n", tuza_strerror(sum_of_squares(bad, 3, &sum)));
	return (void)arg, 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
good: success, 169
bad: Invalid argument
 */
