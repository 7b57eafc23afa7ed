// SPDX-License-Identifier: MIT
/*
 * Holding a parked goroutine: the protocol (scan) of inspect_hold.h.
 *
 * Depends on that header, base/atomic.h, sys/ and refuse_after_fork alone, so that
 * tests/model/scan_model.c proves the code that the library runs.
 */
#include "sched/inspect_hold.h"

#include "base/atomic.h"
#include "sched/visit.h"
#include "sys/sys.h"

uint32_t inspect_active;
static uint32_t inspecting; // atomic: 1 while somebody inspects

NOINLINE void inspect_set_running_slow(struct goroutine *g)
{
	uint32_t free_ = 0;
	// (scan-word) pairs with inspect_release
	while (!cas_acquire(&g->scan, &free_, 1)) {
		free_ = 0;
		sys_yield();
	}
	store_relaxed(&g->state, GOROUTINE_RUNNING); // ordered by the release
	store_release(&g->scan, 0);                  // (scan-word)
}

void inspect_begin(void)
{
	uint32_t nobody = 0;
	// (inspecting) pairs with inspect_end
	while (!cas_acquire(&inspecting, &nobody, 1)) {
		refuse_after_fork();
		nobody = 0;
		sys_sleep(100000);
	}
	add_seq_cst(&inspect_active, 1); // (scan)
	if (sys_membarrier_works())
		sys_membarrier_all();
}

void inspect_end(void)
{
	sub_seq_cst(&inspect_active, 1); // (scan)
	store_release(&inspecting, 0);   // (inspecting)
}

bool inspect_hold(struct goroutine *g)
{
	uint32_t free_ = 0;
	// (scan-word) pairs with inspect_release and inspect_set_running_slow
	while (!cas_acquire(&g->scan, &free_, 1)) {
		free_ = 0;
		sys_yield();
	}
	// (parked) pairs with the stores in schedule.c, (dead) with those in goroutine.c
	uint32_t state = load_acquire(&g->state);
	if (state == GOROUTINE_WAITING || state == GOROUTINE_RUNNABLE)
		return true;
	inspect_release(g);
	return false;
}

void inspect_release(struct goroutine *g)
{
	store_release(&g->scan, 0); // (scan-word) pairs with inspect_hold
}
