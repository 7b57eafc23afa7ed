// SPDX-License-Identifier: MIT
/*
 * Fan-out, fan-in: three workers read one channel and answer on three, which are merged into one.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void square(tuza_chan *in, tuza_chan *out)
{
	for (int v; tuza_recv(in, &v);)
		tuza_send(out, v * v);
	tuza_chan_close(out);
}

static void forward(tuza_chan *from, tuza_chan *merged, tuza_waitgroup *wg)
{
	for (int v; tuza_recv(from, &v);)
		tuza_send(merged, v);
	tuza_chan_release(from);
	tuza_waitgroup_done(wg);
}

static void close_when_done(tuza_chan *merged, tuza_waitgroup *wg)
{
	tuza_waitgroup_wait(wg);
	tuza_chan_close(merged);
}

static int program(void *arg)
{
	tuza_chan *source = tuza_chan_new(sizeof(int), 4), *merged = tuza_chan_new(sizeof(int), 0);
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_waitgroup_add(&wg, 3);
	for (int i = 0; i < 3; i++) {
		tuza_chan *squares = tuza_chan_new(sizeof(int), 0);
		go(square, source, squares);       // fan out: who is free takes the next
		go(forward, squares, merged, &wg); // fan in
	}
	go(close_when_done, merged, &wg);
	for (int v = 1; v <= 4; v++)
		tuza_send(source, v);
	tuza_chan_close(source);
	for (int v; tuza_recv(merged, &v);)
		printf("%d\n", v);
	tuza_chan_release(source);
	tuza_chan_release(merged);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
1
4
9
16
 */
