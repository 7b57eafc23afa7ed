// SPDX-License-Identifier: MIT
/*
 * The address of the calling thread's errno, asked for anew by each call.
 *
 * The C library declares __errno_location constant, so a compiler asks once per function. The empty
 * assembler makes this function one that may do anything: gcc, clang and link-time optimisation ask
 * again after each park.
 */
#include "base/compiler.h"
#include "base/race_hooks.h"
#include "sched/current.h"

#include <tuza/errno.h>

#undef errno

EXPORT NOINLINE int *tuza_errno_(void)
{
	int *address = __errno_location();

	__asm__ volatile("" : "+r"(address) : : "memory");
	// One thread's errno serves many goroutines, in turn: the detector must know that a switch
	// lies in between.
	if (race_is_on()) {
		struct goroutine *g = goroutine_current();
		race_acquire(address);
		g->flags |= GOROUTINE_ERRNO;
	}
	return address;
}
