// SPDX-License-Identifier: MIT
/*
 * Tee: one stream of values, two readers, each of which gets all of them.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void generate(tuza_chan *out)
{
	for (int i = 1; i <= 10; i++)
		tuza_send(out, i);
	tuza_chan_close(out);
}

static void add(tuza_chan *in, int *sum, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	for (int v; tuza_recv(in, &v);)
		*sum += v;
}

static int program(void *arg)
{
	tuza_chan *numbers = tuza_chan_new(sizeof(int), 0), *copies[2];
	tuza_waitgroup wg = {0};
	int sum = 0, product = 1;

	(void)arg;
	go(generate, numbers);
	if (tuza_tee(tuza_context_background(), numbers, 2, copies, NULL) != 0)
		return 1;
	tuza_waitgroup_add(&wg, 1);
	go(add, copies[0], &sum, &wg);
	for (int v; tuza_recv(copies[1], &v);)
		product *= v;
	tuza_waitgroup_wait(&wg);
	printf("sum %d, product %d\n", sum, product);
	tuza_chan_release(copies[0]);
	tuza_chan_release(copies[1]);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
sum 55, product 3628800
 */
