// SPDX-License-Identifier: MIT
/*
 * tuza_try: where a panic ends.
 *
 * A try is a frame in the goroutine's list, innermost first. A panic that it contains has made the
 * deferred calls down to those that were there before the try, and then returns once more from the
 * assembler's arch_try, all frames above given up: no destructor, no unwinder, no signal mask. What
 * those frames had changed in the goroutine itself, panics, defers, blocking sections, is put back
 * here.
 *
 * ThreadSanitizer keeps a list of the calls under way, which only its own longjmp shortens.
 */
#define _GNU_SOURCE
#include "panic/panic.h"

#include "base/race_hooks.h"
#include "sched/current.h"

#include <setjmp.h>
#include <tuza/error.h>

// AddressSanitizer: frames will be given up without their epilogues.
WEAK void __asan_handle_no_return(void);

// A function of its own: it returns twice.
static NOINLINE int try_by_longjmp(void (*fn)(void *), void *arg, struct try_frame *try)
{
	jmp_buf jump;

	try->jump = &jump;
	if (_setjmp(jump) != 0)
		return TUZA_EPANIC;
	fn(arg);
	return 0;
}

EXPORT int tuza_try_with(void (*fn)(void *), void *arg, unsigned flags, tuza_panic_info *info)
{
	struct goroutine *g = goroutine_current();
	struct try_frame try = {
		.outer = g->tries,
		.defers = g->defers,
		.panics = g->panics,
		.info = info,
		.flags = flags,
		.blocking = g->blocking,
	};
	int code;

	g->tries = &try;
	if (race_is_on())
		code = try_by_longjmp(fn, arg, &try);
	else
		code = arch_try(fn, arg, &try.landing);
	g->tries = try.outer;
	if (unlikely(g->defers != try.defers))
		panic_defer_lost();
	while (unlikely(code != 0 && g->blocking > try.blocking))
		tuza_blocking_end(); // the frames that would have done it are gone
	return code;
}

EXPORT int tuza_try(void (*fn)(void *), void *arg, tuza_panic_info *info)
{
	return tuza_try_with(fn, arg, 0, info);
}

struct try_frame *try_find(const struct goroutine *g, bool is_fault)
{
	struct try_frame *try = g->tries;

	while (try && is_fault && !(try->flags & TUZA_RECOVER_FAULTS))
		try = try->outer;
	return try;
}

void try_land(struct goroutine *g, struct try_frame *try)
{
	panic_set_state(g, try->panics);
	if (__asan_handle_no_return)
		__asan_handle_no_return();
	if (race_is_on())
		longjmp(*(jmp_buf *)try->jump, 1);
	arch_land(&try->landing, TUZA_EPANIC);
}
