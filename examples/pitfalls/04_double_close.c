// SPDX-License-Identifier: MIT
/*
 * Pitfall: two producers that both close their channel when they are done. The second close panics.
 *
 * Fix: one owner closes, after all producers; here, whoever comes first, by a once.
 */
#include <stdio.h>
#include <tuza/tuza.h>

struct producer {
	tuza_chan *out;
	tuza_once *closed; // NULL: closes without asking
};

static void close_it(void *out) { tuza_chan_close(out); }

static void produce(void *arg)
{
	struct producer *p = arg;

	if (p->closed)
		tuza_once_do(p->closed, close_it, p->out);
	else
		tuza_chan_close(p->out);
}

static void two_producers(const char *which, tuza_once *closed)
{
	tuza_chan *out = tuza_chan_new(sizeof(int), 0);
	struct producer p = {out, closed};
	tuza_panic_info info;

	for (int i = 1; i <= 2; i++) {
		if (tuza_try(produce, &p, &info) != 0)
			printf("%s: producer %d: panic: %s\n", which, i, info.message);
		else
			printf("%s: producer %d is done\n", which, i);
	}
	tuza_chan_release(out);
}

static int program(void *arg)
{
	tuza_once once = {0};

	(void)arg;
	two_producers("wrong", NULL);
	two_producers("right", &once);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: producer 1 is done
wrong: producer 2: panic: close of closed channel
right: producer 1 is done
right: producer 2 is done
 */
