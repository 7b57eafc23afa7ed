// SPDX-License-Identifier: MIT
/*
 * Claim: (asleep) who looks whether all goroutines are asleep for good does not find it so while
 * one is woken from outside again and again, however long it stands still between any two of its
 * looks; nor if it was a goroutine's end after which only a timer was left.
 *
 * The places are those of sched/asleep.c, in its order: a waiter or a timer; in the hands of a
 * machine; on a processor. Each is entered before the last is left, and the step from the last to
 * the first is counted before the processor is idle. Without that count the model fails, which it
 * has to.
 */
#include "orders.h"

enum { TURNS = 3 };

static bool waits, is_carried, is_idle; // the places; not idle: on a processor
static int steps;                       // as asleep.c counts them
static bool counts, found_asleep;

#define STEP(what) (model_step(), (what))

static void goes_round(void)
{
	for (int turn = 0; turn < TURNS; turn++) {
		STEP(waits = true);      // netpoll.c, enlist_and_park; or a timer is started
		STEP(steps++);           // schedule_parked, or the end of the goroutine
		STEP(is_idle = true);    // under rt.lock
		STEP(is_carried = true); // sleep_in_poller
		STEP(waits = false);     // netpoll_take
		STEP(is_idle = false);   // pass_on
		STEP(is_carried = false);
	}
}

// As all_are_idle.
static void looks(void)
{
	int before = STEP(steps);
	if (STEP(waits))
		return;
	// Both under rt.lock, which who becomes idle, or is not any more, has as well.
	bool carried = STEP(is_carried), idle = is_idle;
	found_asleep = idle && !carried && (!counts || STEP(steps) == before);
}

static long explore(void)
{
	static struct coroutine actors[2];
	void (*const bodies[])(void) = {goes_round, looks};
	long orders = 0;

	memset(&order, 0, sizeof(order));
	do {
		order.depth = 0;
		waits = is_carried = is_idle = found_asleep = false;
		steps = 0;
		for (int i = 0; i < 2; i++)
			coroutine_prepare(&actors[i], bodies[i]);
		while (!actors[0].done || !actors[1].done) {
			int i = actors[0].done ? 1 : actors[1].done ? 0 : order_choose(2);
			coroutine_step(&actors[i]);
		}
		orders++;
		CLAIM(!found_asleep);
	} while (failures == 0 && order_next());
	return orders;
}

int main(void)
{
	counts = true;
	printf("asleep: %ld orders\n", explore());
	if (failures)
		return 1;
	counts = false;
	fails_silently = true;
	(void)explore();
	if (failures == 0) {
		printf("without the count it does not fail: the model is of no use\n");
		return 1;
	}
	return 0;
}
