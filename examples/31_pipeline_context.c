// SPDX-License-Identifier: MIT
/*
 * A pipeline that ends early without leaving anybody behind: records are parsed, scored and saved
 * by three goroutines, until the disk is full.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct record {
	int id, score;
};

struct stage {
	tuza_context *ctx;
	tuza_chan *in, *out;
};

static void parse(const char *const *lines, struct stage *s)
{
	struct record r = {0};

	for (; *lines; lines++)
		if (sscanf(*lines, "id=%d", &r.id) == 1) // what cannot be parsed is left out
			if (tuza_chan_send_ctx(s->out, s->ctx, &r) != 0)
				break;
	tuza_chan_close(s->out);
}

static void score(struct stage *s)
{
	struct record r;

	while (tuza_chan_recv_ctx(s->in, s->ctx, &r) == 0) {
		r.score = r.id * 10;
		if (tuza_chan_send_ctx(s->out, s->ctx, &r) != 0)
			break;
	}
	tuza_chan_close(s->out);
}

static int save(const struct record *r)
{
	printf("saved %d: %d\n", r->id, r->score);
	return r->id == 3 ? -ENOSPC : 0;
}

static int program(void *arg)
{
	static const char *const lines[] = {"id=1", "#", "id=2", "id=3", "id=4", "id=5", NULL};
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_chan *parsed = tuza_chan_new(sizeof(struct record), 0);
	tuza_chan *scored = tuza_chan_new(sizeof(struct record), 0);
	struct stage parser = {ctx, NULL, parsed}, scorer = {ctx, parsed, scored};
	int code = 0;

	(void)arg;
	go(parse, lines, &parser);
	go(score, &scorer);
	for (struct record r; tuza_recv(scored, &r);) // until score has closed it
		if (!code && (code = save(&r)) != 0)
			tuza_context_cancel_cause(ctx, code); // tells both stages to stop
	printf("%s\n", tuza_strerror(tuza_context_cause(ctx)));
	while (tuza_recv(parsed, NULL)) // until parse has closed it: then both have ended
		;
	tuza_context_free(ctx);
	tuza_leak_verify(NULL); // panics if a goroutine or a context is left
	tuza_chan_release(parsed);
	tuza_chan_release(scored);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
saved 1: 10
saved 2: 20
saved 3: 30
No space left on device
 */
