// SPDX-License-Identifier: MIT
/*
 * The prime sieve: a chain of goroutines, each letting through what its prime does not divide.
 */
#include "bench.h"

#include <tuza/tuza.h>

// Finds the n-th prime by trial division, to check the sieve.
static int64_t nth_prime(int64_t n)
{
	int64_t v = 1;
	while (n > 0) {
		v++;
		int64_t d = 2;
		while (d * d <= v && v % d != 0)
			d++;
		if (d * d > v)
			n--;
	}
	return v;
}

static void generate(tuza_chan *out, int64_t last)
{
	for (int64_t v = 2; v <= last; v++)
		tuza_send(out, v);
	tuza_chan_close(out);
}

// Whoever has received the close releases the channel: nobody else touches it any more.
static void filter(tuza_chan *in, tuza_chan *out, int64_t prime)
{
	int64_t v;
	while (tuza_recv(in, &v))
		if (v % prime != 0)
			tuza_send(out, v);
	tuza_chan_release(in);
	tuza_chan_close(out);
}

// Feeds the chain up to the last prime wanted, then closes it: every goroutine ends.
static int64_t sieve_runs(int64_t n)
{
	int64_t primes = scaled(2000, 20), last = nth_prime(primes);
	for (int64_t i = 0; i < n; i++) {
		tuza_chan *c = tuza_chan_new(sizeof(int64_t), 0);
		int64_t found = 0, largest = 0, prime;
		TUZA_GO(generate, c, last);
		while (tuza_recv(c, &prime)) {
			found++;
			largest = prime;
			tuza_chan *next = tuza_chan_new(sizeof(int64_t), 0);
			TUZA_GO(filter, c, next, prime);
			c = next;
		}
		tuza_chan_release(c);
		check(found == primes && largest == last, "%lld primes up to %lld",
			(long long)found, (long long)largest);
	}
	return n;
}

const struct workload sieve_workloads[] = {
	{.name = "sieve-2000",
		.operation = "2,000 primes through a chain of filters, unbuffered",
		.run = sieve_runs},
	{0},
};
