// SPDX-License-Identifier: MIT
/*
 * Something that works in the background until it is stopped: the context tells it to stop, the
 * closed channel tells that it has. When stop returns, the goroutine is gone.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

// Its functions are safe for concurrent use, except worker_stop, which is called once.
struct worker {
	tuza_context *ctx;
	tuza_chan *done;
	int ticks; // the goroutine's, until done is closed
};

static void run(struct worker *w)
{
	TUZA_DEFER(tuza_chan_close, w->done); // whichever way it ends
	while (TUZA_SELECT(TUZA_DONE(w->ctx), TUZA_AFTER(TUZA_MILLISECOND)) == 1)
		w->ticks++;
}

static void worker_start(struct worker *w)
{
	w->ctx = tuza_context_with_cancel(tuza_context_background());
	w->done = tuza_chan_new(0, 0);
	go(run, w);
}

static void worker_stop(struct worker *w)
{
	tuza_context_cancel(w->ctx);
	tuza_recv(w->done, NULL); // until run has really ended
	tuza_chan_release(w->done);
	tuza_context_free(w->ctx);
}

static int program(void *arg)
{
	struct worker w = {0};

	(void)arg;
	worker_start(&w);
	tuza_sleep(50 * TUZA_MILLISECOND); // meanwhile the program does something else
	worker_stop(&w);
	printf("it has worked: %s\n", w.ticks > 0 ? "true" : "false");
	tuza_leak_verify(NULL); // panics if anything is left
	puts("nothing is left of it");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
it has worked: true
nothing is left of it
 */
