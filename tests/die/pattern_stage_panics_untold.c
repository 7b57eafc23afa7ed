// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: lost in a stage
// A stage whose context cannot be cancelled has nobody to tell of a panic: it is not contained, and
// nobody sees the output end before.
#include <tuza/tuza.h>

static int work(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)ctx;
	(void)in;
	(void)out;
	(void)arg;
	tuza_panic("lost in a stage");
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 1);

	(void)arg;
	tuza_chan_send(c, NULL);
	c = tuza_pipeline_stage(tuza_context_background(), c, 0, work, NULL);
	return tuza_chan_recv(c, NULL);
}

int main(void) { return tuza_run(program, NULL); }
