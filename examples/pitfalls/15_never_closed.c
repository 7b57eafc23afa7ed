// SPDX-License-Identifier: MIT
/*
 * Pitfall: a goroutine that receives until a channel is closed, which nobody does: it leaks.
 *
 * Fix: its owner closes the channel; or, where it has no single owner, a context ends the receiver.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void read_all(tuza_chan *messages)
{
	while (tuza_recv(messages, NULL)) // for msg := range messages
		;
}

static void read_while(tuza_context *ctx, tuza_chan *messages)
{
	while (tuza_chan_recv_ctx(messages, ctx, NULL) == 0)
		;
	tuza_context_release(ctx);
}

static size_t left(tuza_duration wait)
{
	return tuza_leak_check(&(tuza_leak_options){.wait = wait, .fd = -1});
}

static int program(void *arg)
{
	tuza_chan *messages = tuza_chan_new(sizeof(int), 0);

	(void)arg;
	go(read_all, messages);
	tuza_send(messages, 1);
	printf("wrong: %zu left\n", left(10 * TUZA_MILLISECOND));
	tuza_chan_close(messages); // by its owner, at last

	tuza_chan *events = tuza_chan_new(sizeof(int), 0);
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	go(read_while, tuza_context_retain(ctx), events);
	tuza_send(events, 1);
	tuza_context_free(ctx); // ends it
	printf("right: %zu left\n", left(TUZA_MINUTE));
	tuza_chan_release(messages);
	tuza_chan_release(events);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 1 left
right: 0 left
 */
