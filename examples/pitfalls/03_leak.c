// SPDX-License-Identifier: MIT
/*
 * Pitfall: a goroutine that sends its result to a caller who has given up waits for ever: it leaks.
 *
 * Fix: room for one value in the channel. The send never waits, so the goroutine always ends.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void compute(tuza_chan *result)
{
	tuza_send(result, 42);
	tuza_chan_release(result);
}

// Asks, and does not wait for the answer.
static tuza_chan *give_up(size_t capacity)
{
	tuza_chan *result = tuza_chan_new(sizeof(int), capacity);

	go(compute, tuza_chan_retain(result));
	return result;
}

static int program(void *arg)
{
	tuza_chan *wrong = give_up(0), *right;
	int v;

	(void)arg;
	// However long it waits. Without `.fd` it says on standard error which one, and where.
	printf("wrong: %zu goroutine has leaked\n",
		tuza_leak_check(&(tuza_leak_options){.wait = 10 * TUZA_MILLISECOND, .fd = -1}));
	tuza_recv(wrong, &v); // let it go, for the sake of what follows
	tuza_chan_release(wrong);

	right = give_up(1);
	tuza_leak_verify(&(tuza_leak_options){.wait = TUZA_MINUTE}); // it ends long before
	puts("right: none has leaked");
	tuza_chan_release(right);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 1 goroutine has leaked
right: none has leaked
 */
