// SPDX-License-Identifier: MIT
/*
 * The prime sieve: a chain of goroutines, each letting through what its prime does not divide.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void generate(tuza_chan *out, int end)
{
	for (int n = 2; n < end; n++)
		tuza_send(out, n);
	tuza_chan_close(out);
}

static void filter(tuza_chan *in, tuza_chan *out, int prime)
{
	for (int n; tuza_recv(in, &n);)
		if (n % prime != 0)
			tuza_send(out, n);
	tuza_chan_release(in); // drained: nobody uses it any more
	tuza_chan_close(out);
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int prime;

	(void)arg;
	go(generate, c, 40);
	while (tuza_recv(c, &prime)) {
		tuza_chan *next = tuza_chan_new(sizeof(int), 0);

		printf("%d\n", prime);
		go(filter, c, next, prime); // takes over our reference to c
		c = next;
	}
	tuza_chan_release(c);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
2
3
5
7
11
13
17
19
23
29
31
37
 */
