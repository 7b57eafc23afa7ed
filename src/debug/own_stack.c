// SPDX-License-Identifier: MIT
/*
 * A call on another stack: the caller is saved like a goroutine that parks, and resumed at the end.
 *
 * The stack looks like a goroutine's (guard below, known to valgrind), but does not come from the
 * arenas: their lock may be held by whoever is being reported.
 */
#include "debug/own_stack.h"

#include "base/atomic.h"
#include "base/race_hooks.h"
#include "sched/sanitizer.h"
#include "sched/stack.h"
#include "sys/sys.h"

// 192 KiB without the guard: ten times what a report needs (20 KiB, half of it libbacktrace's,
// measured).
enum { OWN_STACK_CLASS = STACK_CLASS_DEFAULT };

// For ThreadSanitizer, which does not see that memory is new when its address was used before: a
// report comes after the one that ended.
static const char reports;

struct call {
	void (*fn)(const struct arch_saved *caller, void *arg);
	void *arg;
	void *caller; // set by arch_park
};

static void *run_call(void *arg, void *unused)
{
	struct call *call = arg;

	(void)unused;
	call->fn(call->caller, call->arg);
	return call->caller;
}

/*
 * Stacks that are not in use, for samples of profiles, which may be taken thousands of times a
 * second. Any thread, atomic.
 */
static char *spare[4];

static char *slot_alloc(size_t bytes, size_t guard)
{
	for (size_t i = 0; i < COUNT_OF(spare); i++) {
		// (own-stack) pairs with slot_free: whoever had it before has left it.
		char *slot = load_relaxed(&spare[i]) ? exchange_acquire(&spare[i], NULL) : NULL;

		if (slot)
			return slot;
	}
	char *slot = sys_pages_reserve(bytes, guard);

	if (slot && sys_pages_commit(slot + guard, bytes - guard) != 0) {
		sys_pages_free(slot, bytes);
		slot = NULL;
	}
	return slot;
}

static void slot_free(char *slot, size_t bytes)
{
	for (size_t i = 0; i < COUNT_OF(spare); i++) {
		char *nobody = NULL;

		// (own-stack) pairs with slot_alloc.
		if (!load_relaxed(&spare[i]) && cas_release(&spare[i], &nobody, slot))
			return;
	}
	sys_pages_free(slot, bytes);
}

void own_stack_call(void (*fn)(const struct arch_saved *caller, void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};
	size_t bytes = stack_slot_bytes(OWN_STACK_CLASS),
	       guard = stack_guard_bytes(OWN_STACK_CLASS);
	char *slot = slot_alloc(bytes, guard);

	if (!slot) {
		fn(NULL, arg);
		return;
	}
	sanitizer_stack_created(slot, OWN_STACK_CLASS);
	race_acquire(&reports);
	arch_park(&call.caller, stack_bounds(slot, OWN_STACK_CLASS).top, run_call, &call, NULL);
	race_release(&reports);
	sanitizer_stack_destroyed(slot, OWN_STACK_CLASS);
	slot_free(slot, bytes);
}
