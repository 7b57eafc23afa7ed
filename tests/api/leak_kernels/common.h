// SPDX-License-Identifier: MIT
/*
 * Patterns of leaks that are common in a large code base, after "Unveiling and Vanquishing
 * Goroutine Leaks in Enterprise Microservices" (CGO 2024).
 */
#include "kernel.h"

static void common_ranges(tuza_chan *c)
{
	while (take(c))
		;
}

// Workers range over a channel that nobody closes.
KERNEL(common_no_close_range, 3)
{
	tuza_chan *c = chan(0);

	for (int i = 0; i < 3; i++)
		TUZA_GO(common_ranges, c);
	for (int i = 0; i < 6; i++)
		put(c);
	if (is_fixed)
		tuza_chan_close(c);
}

struct common_worker {
	tuza_chan *jobs, *done;
};

static void common_listens(struct common_worker *w)
{
	for (;;)
		if (TUZA_SELECT(TUZA_RECV(w->jobs, (int *)NULL), TUZA_RECV(w->done, (int *)NULL)) ==
			1)
			return;
}

static struct common_worker *common_worker_start(void)
{
	struct common_worker *w = NEW(struct common_worker);

	*w = (struct common_worker){chan(0), chan(0)};
	TUZA_GO(common_listens, w);
	return w;
}

// Whoever starts a worker has to stop it. The caller did not know.
KERNEL(common_method_contract_violation, 1)
{
	struct common_worker *w = common_worker_start();

	put(w->jobs);
	if (is_fixed)
		tuza_chan_close(w->done);
}

static void common_sends_twice(tuza_chan *c, bool is_fixed)
{
	put(c); // an error: should have returned
	if (!is_fixed)
		put(c);
}

// Sends an error, forgets to return, and sends a result.
KERNEL(common_double_send, 1)
{
	tuza_chan *c = chan(0);

	TUZA_GO(common_sends_twice, c, is_fixed);
	take(c);
}

static void common_sends(tuza_chan *c) { put(c); }

// Returns early, without waiting for the result that it has asked for.
KERNEL(common_early_return, 1)
{
	tuza_chan *c = chan(is_fixed ? 1 : 0);

	TUZA_GO(common_sends, c);
}

// Asks many, takes the first answer.
KERNEL(common_ncast_leak, 4)
{
	tuza_chan *c = chan(is_fixed ? 5 : 0);

	for (int i = 0; i < 5; i++)
		TUZA_GO(common_sends, c);
	take(c);
}

static void common_sends_late(tuza_chan *c, tuza_chan *given_up)
{
	take(given_up);
	put(c);
}

// The time is up before the answer is there.
KERNEL(common_timeout, 1)
{
	tuza_chan *c = chan(is_fixed ? 1 : 0), *given_up = chan(0);

	TUZA_GO(common_sends_late, c, given_up);
	if (TUZA_SELECT(TUZA_RECV(c, (int *)NULL), TUZA_AFTER(TUZA_MILLISECOND)) == 1)
		tuza_chan_close(given_up);
}

static void common_passes(tuza_chan *left, tuza_chan *right)
{
	if (take(right))
		put(left);
}

// A daisy chain whose last link never gets anything.
KERNEL(common_daisy_chain, 100)
{
	tuza_chan *left, *right = chan(is_fixed ? 1 : 0), *first = right;

	for (int i = 0; i < 100; i++, right = left)
		TUZA_GO(common_passes, left = chan(is_fixed ? 1 : 0), right);
	if (is_fixed)
		put(first);
}
