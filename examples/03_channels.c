// SPDX-License-Identifier: MIT
/*
 * Producer and consumer: a channel without a buffer hands each value over; a buffer lets the
 * producer run ahead. Only the producer closes.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void produce(tuza_chan *values, int count)
{
	for (int i = 0; i < count; i++)
		tuza_send(values, i * 10); // an rvalue will do
	tuza_chan_close(values);
}

static int program(void *arg)
{
	tuza_chan *handed_over = tuza_chan_new(sizeof(int), 0);
	tuza_chan *buffered = tuza_chan_new(sizeof(int), 3);
	int value;

	(void)arg;
	go(produce, handed_over, 3);
	while (tuza_recv(handed_over, &value)) // until it is closed and drained
		printf("received %d\n", value);

	produce(buffered, 3); // no goroutine needed: three values fit
	printf("%zu of %zu places are taken\n", tuza_chan_len(buffered), tuza_chan_cap(buffered));
	while (tuza_recv(buffered, &value))
		printf("received %d\n", value);

	value = -1;
	printf("a closed channel gives %s", tuza_recv(buffered, &value) ? "a value" : "nothing");
	printf(" and the zero value %d\n", value);

	// Channels are counted. Whoever keeps one longer than its maker retains it.
	tuza_chan_release(handed_over);
	tuza_chan_release(buffered);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
received 0
received 10
received 20
3 of 3 places are taken
received 0
received 10
received 20
a closed channel gives nothing and the zero value 0
 */
