// SPDX-License-Identifier: MIT
/*
 * Visitors of the runtime: see visit.h.
 *
 * (visit) Each counts itself, then looks whether the end has begun:
 *
 *   visit                                the end
 *     1. visitors++           (seq_cst)    1. ending = 1       (seq_cst)
 *     2. load ending          (seq_cst)    2. load visitors    (seq_cst)
 *   Not both may miss, or what the visitor uses is unmapped under it. The same on the way out, for
 *   the wake-up.
 *
 * Whoever has taken a goroutine out of a queue must make it ready whatever happens, and cannot wait
 * for the end, which waits for that (drop.c). It does not visit, then, but only says that it is
 * done with the goroutine.
 *
 * What the end itself calls of the program (a context's value is freed) comes by without visiting:
 * it holds the lock that others wait for.
 *
 * Lock: `mutex` guards starting and ending, as start.c says.
 */
#include "sched/visit.h"

#include "sched/machine.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/start.h"

#include <limits.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct machine *holder; // of the mutex; atomic: others only see that it is not they

void refuse_after_fork(void)
{
	if (unlikely(load_relaxed(&rt.forked))) // constant in this process
		fatal("tuza: used after fork: the child may only exec");
}

bool is_child_of_fork(void) { return load_relaxed(&rt.forked); } // as above

void visit_lock_out(void)
{
	struct machine *m = machine_here();

	refuse_after_fork(); // who holds the mutex may be in the parent
	pthread_mutex_lock(&mutex);
	store_relaxed(&holder, m); // for the holder itself
}

void visit_let_in(void)
{
	store_relaxed(&holder, NULL); // as above
	pthread_mutex_unlock(&mutex);
}

void visit_leave(void)
{
	// (visit) what the visitor did is done
	if (sub_seq_cst(&rt.visitors, 1) == 1 && load_seq_cst(&rt.ending) != 0)
		sys_futex_wake(&rt.visitors, INT_MAX);
}

bool visit_try(void)
{
	add_seq_cst(&rt.visitors, 1); // (visit)
	// (started) pairs with the store in start_locked
	if (likely(load_seq_cst(&rt.ending) == 0 && load_acquire(&rt.started) != 0)) // (visit)
		return true;
	visit_leave();
	return false;
}

static void await_end(void)
{
	visit_lock_out();
	visit_let_in();
}

// The end waits for the caller anyway, because it has a processor or a machine that is in a
// blocking section, or is the caller's.
static bool needs_no_visit(const struct machine *m)
{
	return m->processor || m == load_relaxed(&holder) ||               // its own, if it is
	       (m->scheduler_top && m->epoch == load_relaxed(&rt.epoch) && // else as a plain one
		       load_relaxed(&rt.ending));                          // set for good then
}

enum visit visit_begin(void)
{
	const struct machine *m = machine_here();

	while (!needs_no_visit(m)) {
		runtime_ensure_started();
		if (likely(visit_try()))
			return VISIT_COUNTED;
		if (!needs_no_visit(m))
			await_end();
	}
	return VISIT_NONE;
}

enum visit visit_late(void)
{
	for (;;) {
		runtime_ensure_started();
		if (visit_try())
			return VISIT_COUNTED;
		await_end();
	}
}

enum visit visit_between_ends(void)
{
	const struct machine *m = machine_here();

	if (needs_no_visit(m))
		return VISIT_NONE;
	if (likely(visit_try()))
		return VISIT_COUNTED;
	if (load_relaxed(&rt.started) && !needs_no_visit(m)) // else it is over
		await_end();
	return VISIT_NONE;
}

bool visit_to_look(enum visit *visit)
{
	*visit = VISIT_NONE;
	if (park_is_allowed()) // a goroutine that runs
		return true;
	if (!visit_try())
		return false;
	*visit = VISIT_COUNTED;
	return true;
}

void visit_await_all(void)
{
	uint32_t inside;

	while ((inside = load_seq_cst(&rt.visitors)) != 0) // (visit)
		sys_futex_wait(&rt.visitors, inside, INT64_MAX);
}
