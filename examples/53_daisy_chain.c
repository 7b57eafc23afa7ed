// SPDX-License-Identifier: MIT
/*
 * A daisy chain of ten thousand goroutines, all waiting at once: each adds one to what its
 * neighbour hands it. They share a few threads.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { LENGTH = 10000 };

static void whisper(tuza_chan *left, tuza_chan *right)
{
	int v;

	tuza_recv(right, &v);
	tuza_chan_release(right);
	tuza_send(left, v + 1);
}

static int program(void *arg)
{
	tuza_chan *leftmost = tuza_chan_new(sizeof(int), 0), *left = leftmost;
	int v;

	(void)arg;
	for (int i = 0; i < LENGTH; i++) {
		tuza_chan *right = tuza_chan_new(sizeof(int), 0);

		go(whisper, left, right);
		left = right;
	}
	printf("%zu goroutines\n", tuza_num_goroutine()); // this one included
	tuza_send(left, 0);
	tuza_recv(leftmost, &v);
	printf("%d arrives at the other end\n", v);
	tuza_chan_release(leftmost);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
10001 goroutines
10000 arrives at the other end
 */
