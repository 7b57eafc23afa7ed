// SPDX-License-Identifier: MIT
/*
 * A pipeline that ends early without leaving anybody behind: records are parsed, scored and saved
 * by three goroutines, until the disk is full. The last one sends what goes wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct record {
	int id, score;
};

static void parse(tuza_context *ctx, const char *const *lines, tuza_chan *out)
{
	struct record r = {0};

	for (; *lines; lines++)
		if (sscanf(*lines, "id=%d", &r.id) == 1) // what cannot be parsed is left out
			if (tuza_chan_send_ctx(out, ctx, &r) != 0)
				break;
	tuza_chan_close(out);
}

static void score(tuza_context *ctx, tuza_chan *in, tuza_chan *out)
{
	for (struct record r; tuza_recv(in, &r);) {
		r.score = r.id * 10;
		if (tuza_chan_send_ctx(out, ctx, &r) != 0)
			break;
	}
	tuza_chan_close(out);
}

static void save(tuza_context *ctx, tuza_chan *in, tuza_chan *out)
{
	for (struct record r; tuza_recv(in, &r);) {
		int error = r.id > 2 ? -ENOSPC : 0;

		if (error == 0)
			printf("saved %d: %d\n", r.id, r.score);
		else if (tuza_chan_send_ctx(out, ctx, &error) != 0)
			break;
	}
	tuza_chan_close(out);
}

static int program(void *arg)
{
	static const char *const lines[] = {"id=1", "#", "id=2", "id=3", "id=4", "id=5", NULL};
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *parsed = tuza_chan_new(sizeof(struct record), 0);
	tuza_chan *scored = tuza_chan_new(sizeof(struct record), 0);
	tuza_chan *errors = tuza_chan_new(sizeof(int), 0);

	(void)arg;
	go(parse, ctx, lines, parsed);
	go(score, ctx, parsed, scored);
	go(save, ctx, scored, errors);
	for (int error; tuza_recv(errors, &error);)
		tuza_context_cancel_cause(ctx, error); // the first one tells all to stop
	printf("%s\n", tuza_strerror(tuza_context_cause(ctx)));
	while (tuza_recv(scored, NULL) || tuza_recv(parsed, NULL))
		; // until they are closed as well: then all three have ended
	tuza_context_free(ctx);
	tuza_leak_verify(NULL); // panics if a goroutine or a context is left
	tuza_chan_release(parsed);
	tuza_chan_release(scored);
	tuza_chan_release(errors);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
saved 1: 10
saved 2: 20
No space left on device
 */
