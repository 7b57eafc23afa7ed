// SPDX-License-Identifier: MIT
/*
 * Waiting for a runtime lock. Holders are never parked, but the kernel may take their CPU away:
 * after a short spin the waiter gives its own away, and then sleeps, so that a holder with lower
 * priority can get on. Where others want the CPU a yield may cost what they take of it, and Linux
 * 6.18 counts it as if the waiter had had its share: 15 ms each beside three busy threads, 1 s at
 * worst. Then it sleeps at once.
 */
#include "sched/lock.h"

#include "arch/arch.h"
#include "sched/visit.h"
#include "sys/clock.h"
#include "sys/sys.h"

enum {
	SPINS = 12,
	RELAX_FIRST = 4, // doubles: about 4 us in all, several critical sections
	RELAX_MOST = 64,
	YIELDS = 20,
	YIELD_LONG_NS = 100000, // somebody else ran meanwhile: a switch takes a few us
	SLEEP_FIRST_NS = 10000,
	SLEEP_MOST_NS = 1000000,
};

NOINLINE void lock_acquire_slow(struct lock *l)
{
	int64_t nap = SLEEP_FIRST_NS;
	int relax = RELAX_FIRST, yields = YIELDS;
	refuse_after_fork(); // who holds it is in the parent
	for (int round = 0; !lock_try(l); round++) {
		if (round < SPINS) {
			for (int i = 0; i < relax; i++)
				arch_relax();
			if (relax < RELAX_MOST)
				relax *= 2;
		} else if (yields > 0) {
			int64_t begun = sys_clock_now();
			sys_yield();
			yields = sys_clock_now() - begun < YIELD_LONG_NS ? yields - 1 : 0;
		} else {
			sys_sleep(nap);
			if (nap < SLEEP_MOST_NS)
				nap *= 2;
		}
	}
}
