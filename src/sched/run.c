// SPDX-License-Identifier: MIT
/*
 * tuza_run and tuza_sim_run: the main goroutine, from its beginning to its end.
 *
 * The calling thread only waits; but if the runtime starts with this call it is the monitor
 * meanwhile. Go: src/runtime/proc.go, main.
 */
#include "sched/start.h"

#include "base/race_hooks.h"
#include "sched/config.h"
#include "sched/goroutine_extra.h"
#include "sched/schedule.h"
#include "sched/idle.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/simulation.h"
#include "sched/stack.h"
#include "sched/upcalls.h"
#include "sched/visit.h"
#include <tuza/panic.h>
#include <tuza/testing.h>

#include <stdlib.h>
#include <sys/resource.h>

struct main_call {
	int (*fn)(void *);
	void *arg;
	int result;
	bool is_failed; // goroutines are left, and TUZA_DEBUG says leakcheck=fatal
};

static void main_ends(void *call)
{
	struct main_call *c = call;
	refuse_after_fork(); // who waits for the result is the parent
	if (config.leakscan != LEAKCHECK_OFF && leak_scan_at_end() > 0)
		c->is_failed = config.leakscan == LEAKCHECK_FATAL;
	if (config.leakcheck != LEAKCHECK_OFF && leak_check_at_end() > 0)
		c->is_failed |= config.leakcheck == LEAKCHECK_FATAL;
	// A panic that is being printed elsewhere must win over this end.
	panic_settle();
	race_release(c);
	store_release(&rt.main_done, 1); // (main-done) pairs with tuza_run: the result is written
	// This thread need not be told that the end has come: it leaves at its next entry, while
	// the other one wakes up.
	struct machine *m = machine_here();
	if (m->processor)
		store_relaxed(&m->processor->attention, ATTENTION_ASKED); // its own
	sys_futex_wake(&rt.main_done, 1);
	monitor_rouse();
}

// Destructors of local values may still park. One that calls tuza_goexit, see handle.c.
static NOINLINE void main_ends_with_locals(struct main_call *c, struct goroutine *g)
{
	TUZA_DEFER(main_ends, c);
	TUZA_DEFER(goroutine_extra_end, g);
	goroutine_extra_end(g);
}

static void main_goroutine(void *call)
{
	struct main_call *c = call;
	c->result = c->fn(c->arg);
	struct goroutine *g = goroutine_current();
	if (unlikely(g->extra != NULL))
		main_ends_with_locals(c, g);
	else
		main_ends(c);
}

static uint32_t main_stack_class(void)
{
	struct rlimit limit;
	size_t bytes = (size_t)8 << 20;
	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		bytes = limit.rlim_cur;
	if (bytes < stack_slot_bytes(STACK_CLASS_DEFAULT))
		bytes = stack_slot_bytes(STACK_CLASS_DEFAULT);
	uint32_t class = stack_class_of(bytes);
	return class ? class : STACK_CLASS_MAX;
}

// There is a machine, or it has come and gone already: main was short, or took it along.
static bool a_machine_came(void)
{
	// (machine-count) pairs with the end of thread_main: that it ran is seen, then.
	// Relaxed: they say nothing else here.
	return load_acquire(&rt.machine_count) != 0 || load_relaxed(&rt.main_done) != 0 ||
	       load_relaxed(&rt.some_ran) != 0; // the same
}

// Work was submitted: this thread has started a machine, or could not, or a plain thread that
// submitted some as well is about to.
static bool some_machine_runs(void)
{
	for (;;) {
		// Relaxed: an attempt is counted in one of them from its beginning to its end.
		bool tried = load_relaxed(&rt.spinning) != 0;
		if (a_machine_came())
			return true;
		if (!tried) {
			idle_wake();
			if (load_relaxed(&rt.spinning) == 0) // as above
				return a_machine_came();
		}
		sys_yield();
	}
}

NORETURN static void refuse(const char *name, const char *why)
{
	visit_let_in();
	tuza_panic("%s: %s", name, why);
}

// The runtime begins with the run that `name` stands for, or goes on, and is locked out of both. A
// simulated run wants one of its own. Returns whether the caller is the monitor.
static bool begin(const char *name, const uint64_t *seed)
{
	refuse_after_fork();
	struct machine *m = machine_here();
	visit_lock_out();
	if (m->scheduler_top != NULL || rt.in_run) // a goroutine calls, or it is another run's
		refuse(name, "already running");
	while (seed && load_relaxed(&rt.started)) { // guarded by the lock
		if (runtime_is_busy())
			refuse(name, "goroutines are running");
		runtime_stop_locked();
	}
	if (seed)
		simulation_begin(*seed);
	bool monitors = !load_relaxed(&rt.started); // guarded by the lock
	if (monitors)
		runtime_start_locked(true);
	rt.in_run = true;
	rt.run_thread = m->thread.id;
	store_relaxed(&rt.main_done, 0); // before the goroutine exists
	visit_let_in();
	return monitors;
}

static int run(struct main_call *call, bool monitors)
{
	struct goroutine *g = goroutine_new(main_goroutine, call, 0);
	if (!g)
		fatal("tuza: out of memory for the main goroutine");
	g->id = 1;
	g->creator_id = 0;
	g->stack_class = main_stack_class();
	add_seq_cst(&rt.spinning, 1); // (idle-wake) as if somebody looked: nobody is woken
	ready(g);
	store_release(&rt.main_is_there, 1); // (asleep) pairs with is_in_run: it is in the queue
	idle_start_first();
	sub_seq_cst(&rt.spinning, 1);           // (idle-wake)
	if (load_seq_cst(&rt.global_count) > 1) // (idle-wake) plain threads' work, too: look now
		idle_wake();
	if (!some_machine_runs())
		fatal("tuza: cannot start a thread: the limit of threads or memory is reached");
	if (monitors)
		monitor_run(&rt.main_done);
	// (main-done) pairs with main_goroutine
	while (load_acquire(&rt.main_done) == 0)
		sys_futex_wait(&rt.main_done, 0, INT64_MAX);
	race_acquire(call);

	visit_lock_out();
	store_relaxed(&rt.main_is_there, 0); // before the next one sets it again
	rt.in_run = false;                   // one that is started for others' sake is none
	runtime_stop_locked();
	visit_let_in();
	runtime_join_ended();
	// The program has come to its end: unlike other fatal errors this one runs what atexit has.
	if (call->is_failed)
		exit(2);
	return call->result;
}

EXPORT int tuza_run(int (*fn)(void *), void *arg)
{
	struct main_call call = {.fn = fn, .arg = arg};
	return run(&call, begin("tuza_run", NULL));
}

EXPORT int tuza_sim_run(uint64_t seed, int (*fn)(void *), void *arg)
{
	struct main_call call = {.fn = fn, .arg = arg};
	return run(&call, begin("tuza_sim_run", &seed));
}
