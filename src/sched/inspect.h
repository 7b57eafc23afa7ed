// SPDX-License-Identifier: MIT
/*
 * Consistent looks at goroutines, for debug/ alone.
 */
#ifndef TUZA_SCHED_INSPECT_H
#define TUZA_SCHED_INSPECT_H

#include "sched/goroutine.h"

// One goroutine as inspect_each shows it.
struct inspected {
	struct goroutine *g;
	uint64_t id, creator_id;
	uintptr_t creation_pc;
	enum goroutine_state state;
	enum wait_reason reason;
	const void *wait_object;
	int64_t waiting_ns; // how long it has been waiting, 0 if it is not
	bool locked_to_thread;
	bool is_current; // it is the caller
	bool is_leaked;  // a scan has found so (debug/leak_scan.c); inspection does not tell
	/*
	 * The saved context of a goroutine that is not running, for arch_call_as_if_from; NULL if
	 * it runs on another thread or has not started. The goroutine is held (cannot resume)
	 * during the callback.
	 */
	const struct arch_saved *context;
	struct stack_bounds stack; // zero before the first run and for threads
	void (*entry)(void);       // the function of a goroutine that has not started, else NULL
	const char *name;          // or ""
	const char *labels;        // `"k": "v", …` or ""
};

// Whether another thread runs it, in a blocking section or not.
static inline bool inspect_runs(const struct inspected *i)
{
	return !i->is_current && !i->context && !i->entry && !(i->g->flags & GOROUTINE_THREAD);
}

/*
 * Calls fn for each user goroutine that lives, each held while fn looks at it; others run on. Plain
 * threads that wait in tuza are included with state WAITING (context NULL). fn must not park, and
 * must not take longer than it needs. From any thread; not from a signal handler. One inspection at
 * a time: a second caller waits.
 */
void inspect_each(void (*fn)(const struct inspected *i, void *arg), void *arg);

// The same for the fatal path (signal handler, panic): takes no lock that may be held, waits for
// nothing.
void inspect_each_unlocked(void (*fn)(const struct inspected *i, void *arg), void *arg);

/*
 * The id of the thread that runs a goroutine, in a blocking section or not; 0 if none does. A
 * glimpse. `unlocked`: for inspect_each_unlocked's callback.
 */
int inspect_thread_of(const struct goroutine *g, bool unlocked);

// The stack of the calling thread's goroutine; false if it has none of its own. In signal handlers.
bool inspect_running_stack(const struct goroutine *g, struct stack_bounds *b);

// Fills *i for the calling goroutine alone (is_current).
void inspect_current(struct inspected *i);

// The stack slot of the calling machine's goroutine that holds `address`, guard included; false
// when none does.
bool inspect_stack_guard_hit(const void *address, struct inspected *i, size_t *limit_bytes);

#endif
