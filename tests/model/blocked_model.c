// SPDX-License-Identifier: MIT
/*
 * Claim: (blocked) a processor that its machine left behind for a blocking section is owned by one
 * party at any time, and the next owner sees all that the last one did with it: the machine that
 * comes back, and the monitor that takes it, swap the same status word. As tuza_blocking_begin,
 * tuza_blocking_end and take_blocked.
 */
#include "parking.h"

enum { RUNNING, BLOCKED };

static uint32_t status; // as processor.status
static int owned;       // plain: the processor's own data, only its owner touches it
static int taken;       // plain, by the monitor's thread

static void use(void)
{
	int before = owned;
	model_pause();
	owned = before + 1;
}

static bool take(void)
{
	uint32_t blocked = BLOCKED;
	// (blocked)
	return cas_acq_rel(&status, &blocked, RUNNING);
}

static void *machine(void *arg)
{
	use();
	store_release(&status, BLOCKED); // (blocked) as tuza_blocking_begin
	model_pause();
	if (take())
		use();
	return arg;
}

static void *monitor(void *arg)
{
	for (int i = 0; i < 3 && !taken; i++) {
		taken = take();
		if (taken)
			use();
		else
			model_pause();
	}
	return arg;
}

static void one_round(void)
{
	static model_thread *const threads[] = {machine, monitor};

	status = RUNNING;
	owned = taken = 0;
	model_run(threads, COUNT_OF(threads));
	assert(owned == 2);
	assert(status == RUNNING);
}

int main(void)
{
	model_rounds(one_round);
	return 0;
}
