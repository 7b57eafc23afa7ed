// SPDX-License-Identifier: MIT
/*
 * Pitfall: two producers of one channel; the first that is done closes it, and the other one's next
 * send panics.
 *
 * Fix: whoever started the producers closes, when the waitgroup says that all are done.
 */
#include <stdio.h>
#include <tuza/tuza.h>

struct producer {
	tuza_chan *out;
	bool closes;
};

static void produce(void *arg)
{
	struct producer *p = arg;

	tuza_send(p->out, 1);
	if (p->closes)
		tuza_chan_close(p->out);
}

static int produce_both(tuza_chan *out, bool close_in_producer)
{
	struct producer p = {out, close_in_producer};
	int failed = 0;

	for (int i = 0; i < 2; i++) { // one after the other: the unlucky order, made certain
		tuza_goroutine *producer = tuza_spawn(produce, &p);

		if (!producer)
			tuza_panic("out of memory");
		failed += tuza_join(producer) == TUZA_EPANIC; // send on closed channel
	}
	if (!close_in_producer)
		tuza_chan_close(out); // here it is certain that nobody sends any more
	return failed;
}

static int program(void *arg)
{
	tuza_chan *wrong = tuza_chan_new(sizeof(int), 2), *right = tuza_chan_new(sizeof(int), 2);
	int sum = 0;

	(void)arg;
	printf("wrong: %d of 2 panicked\n", produce_both(wrong, true));
	printf("right: %d of 2 panicked\n", produce_both(right, false));
	for (int v; tuza_recv(right, &v);) // what was sent before the close still arrives
		sum += v;
	printf("right: received %d\n", sum);
	tuza_chan_release(wrong);
	tuza_chan_release(right);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 1 of 2 panicked
right: 0 of 2 panicked
right: received 2
 */
