// SPDX-License-Identifier: MIT
/*
 * Claim: (idle-wake) no submission is lost to a machine that goes to sleep. The submitter publishes
 * work and then looks for lookers; the machine stops counting itself as a looker and then looks at
 * the queue. Whatever the order, the work is taken by the looker, or its submitter found that it
 * has to wake somebody.
 *
 * The same protocol stands behind the ring and `next` (published by a seq_cst exchange) and the
 * global queue (its count is stored seq_cst); this model runs the former, with the library's own
 * run queue.
 */
#define RUNQ_SIZE 4u
#include "sched/runq.h"
#include "parking.h"

struct goroutine {
	int payload;
};

static struct runq q;
static struct goroutine item;
static uint32_t spinning; // as runtime.spinning
static int found; // by the looker, or by the machine that was woken: plain, summed after the round
static int woke;  // the submitter decided to wake

static void *submitter(void *arg)
{
	(void)arg;
	item.payload = 7;
	model_pause();
	// (idle-wake) as schedule_submit and idle_submitted
	runq_put_next(&q, &item);
	woke = load_seq_cst(&spinning) == 0;
	return NULL;
}

static void *looker(void *arg)
{
	(void)arg;
	// The last look before it gives up, then the one after.
	struct goroutine *g = runq_take_next(&q);
	if (!g) {
		model_pause();
		sub_seq_cst(&spinning, 1); // (idle-wake) as idle_find
		if (!runq_is_empty(&q))
			g = runq_take_next(&q);
	}
	if (g) {
		assert(g->payload == 7);
		found = 1;
	}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[] = {submitter, looker};

	q.head = q.tail = 0;
	q.next = NULL;
	spinning = 1;
	found = woke = 0;
	item.payload = 0;
	model_run(threads, COUNT_OF(threads));
	assert(found || woke);
	assert(found || q.next == &item);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
