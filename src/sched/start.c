// SPDX-License-Identifier: MIT
/*
 * The runtime's beginning and end.
 *
 * There is one runtime in a process. It starts with tuza_run (run.c) or with the first use by a
 * plain thread, and can start again after it has ended. At the end machines leave at their next
 * entry; if one does not within a second (endless user code), what it may still touch is left as it
 * is, reachable from `abandoned`.
 *
 * The lock of visit.c guards starting and ending. Go: src/runtime/proc.go, schedinit, main.
 */
#include "sched/start.h"

#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/config.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"
#include "sched/idle.h"
#include "sched/inspect_hold.h"
#include "sched/machine.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/poll_set.h"
#include "sched/poller.h"
#include "sched/processor.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/simulation.h"
#include "sched/stack.h"
#include "sched/upcalls.h"
#include "sched/visit.h"
#include "sys/clock.h"
#include <tuza/panic.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct runtime rt;

enum {
	STOP_WAIT_NS = 1000000000, // how long the end waits for goroutines that run
	SOFT_START_NS = 50000,
	END_AWAKE_NS = 100000,
};

// ---- fork ---------------------------------------------------------------------------------

/*
 * Only the forking thread exists in the child, and locks may be held for ever: no tuza call that
 * schedules may work. The goroutine that forked is a plain thread from here on, in a section that
 * nothing ends, so that it can neither wait nor return to a scheduler. The poller is the parent's,
 * too: what the child takes out of it, the parent waits for in vain.
 */
static void in_child(void)
{
	store_relaxed(&rt.forked, 1);  // one thread
	store_relaxed(&rt.started, 0); // whoever wants it comes to refuse_after_fork
	poll_set_leave_to_parent();
	struct machine *m = machine_current();
	if (!m)
		return;
	m->processor = NULL;
	if (m->current) {
		m->current->flags |= GOROUTINE_THREAD;
		m->current->blocking++;
	}
}

// ---- start --------------------------------------------------------------------------------

static void once_per_process(void)
{
	static bool done; // guarded by the lock
	if (done)
		return;
	done = true;
	list_init(&rt.ended);
	list_init(&rt.stragglers);
	sys_init();
	sanitizer_init();
	pthread_atfork(NULL, NULL, in_child);
	if (sys_membarrier_works())
		mutex_may_be_quiet();
	else // machines always take the slow way: before there are any
		store_relaxed(&inspect_active, 1);
}

void runtime_start_locked(bool monitored)
{
	once_per_process();
	config_read();
	if (simulation_is_on()) {
		config.maxprocs = 1;
		config.maxprocs_set = true;
	}
	chaos_start();
	store_relaxed(&rt.epoch, rt.epoch + 1); // for stragglers, which only compare it
	rt.in_run = false;
	rt.in_service = rt.lent = 0;
	list_init(&rt.idle_machines);
	list_init(&rt.machines);
	rt.idle_machine_count = 0;
	store_relaxed(&rt.target, config.maxprocs); // nobody else is there yet
	store_relaxed(&rt.target_set, 0);
	store_relaxed(&rt.ending, 0);
	store_relaxed(&rt.some_ran, 0);
	store_relaxed(&rt.main_done, 0);
	store_relaxed(&rt.poll_until, INT64_MIN);
	update_coarse_now();
	if (processor_create(config.maxprocs) != 0)
		fatal("tuza: out of memory for the scheduler");
	if (!simulation_is_on()) // those of real time
		timer_heap_begin(&rt.processors[0]->timers);
	for (uint32_t i = config.maxprocs; i-- > 0;) {
		rt.in_service++;
		store_relaxed(&rt.processors[i]->status, PROCESSOR_OFF);
		idle_put_processor(rt.processors[i]);
	}
	faults_install();
	// A program of a few microseconds needs no second thread: the first soft work does not ask
	// for one (idle.c).
	rt.soft_wake_after = sys_clock_now() + SOFT_START_NS;
	trace_start_of_run();
	if (!monitored && monitor_start() != 0)
		fatal("tuza: cannot start a thread: %s",
			"the limit of threads or memory is reached");
	store_release(&rt.started, 1); // (started) pairs with runtime_ensure_started
	int64_t earliest = timer_heap_earliest(&rt.processors[0]->timers);
	if (earliest != INT64_MAX) // of an earlier run
		timer_became_earliest(earliest);
}

void runtime_start(void)
{
	refuse_after_fork();
	visit_lock_out();
	if (!load_relaxed(&rt.started)) // guarded by the lock
		runtime_start_locked(false);
	visit_let_in();
}

// ---- end ----------------------------------------------------------------------------------

// What stragglers may still use, once for each end that had any: reachable, so no tool calls it a
// leak.
struct abandoned {
	struct abandoned *next;
	struct goroutine_chunk *chunks;
	struct processor *processors[];
};
static struct abandoned *abandoned;

static void abandon(void)
{
	struct abandoned *a = malloc(sizeof *a + rt.processor_count * sizeof a->processors[0]);
	if (a) {
		a->next = abandoned;
		a->chunks = rt.chunks;
		memcpy(a->processors, rt.processors, rt.processor_count * sizeof a->processors[0]);
		abandoned = a;
	}
	sanitizer_chunks_stay();
	rt.chunks = NULL;
	rt.free = NULL;
	memset(rt.processors, 0, sizeof rt.processors);
	rt.processor_count = 0;
	sanitizer_stacks_forget();
	stack_abandon_all();
}

// They have ended by now, most likely; but what the program has them do at their end
// (pthread_key_create) may use tuza, and wait.
void runtime_join_ended(void)
{
	for (;;) {
		lock_acquire(&rt.lock);
		struct link *l = list_pop_front(&rt.ended);
		lock_release(&rt.lock);
		if (!l)
			return;
		struct machine *m = CONTAINER_OF(l, struct machine, all);
		sys_thread_join(&m->thread);
		sys_pages_free(m, sizeof *m);
	}
}

static void look_at_plain(struct goroutine *g, void *waits)
{
	// (timers-kept) pairs with park_thread
	*(bool *)waits |= load_seq_cst(&g->state) == GOROUTINE_WAITING;
}

static bool plain_thread_waits(void)
{
	bool waits = false;
	machine_each_plain(true, look_at_plain, &waits);
	return waits;
}

static void tell_all_to_leave(void)
{
	lock_acquire(&rt.lock);
	store_relaxed(&rt.has_ended, 1);
	// (visit) Under rt.lock: no machine starts from here on.
	store_seq_cst(&rt.ending, 1);
	for (struct link *l = rt.machines.next; l != &rt.machines; l = l->next) {
		struct machine *m = CONTAINER_OF(l, struct machine, all);
		store_relaxed(&m->leave, 1); // seen at the next entry
	}
	for (uint32_t i = 0; i < rt.processor_count; i++)
		store_relaxed(&rt.processors[i]->attention, ATTENTION_ASKED); // same
	lock_release(&rt.lock);
}

// Those that have not left belong to no runtime from here on. False: there are none.
static bool set_stragglers_apart(void)
{
	lock_acquire(&rt.lock);
	bool any = !list_is_empty(&rt.machines);
	if (any) {
		store_relaxed(&rt.epoch, rt.epoch + 1); // who leaves now sees it under the lock
		events_begin(EVENTS_FOR_STRAGGLERS);
	}
	for (struct link *l; (l = list_pop_front(&rt.machines)) != NULL;) {
		struct machine *m = CONTAINER_OF(l, struct machine, all);
		m->straggler = load_relaxed(&m->current); // a glimpse: it runs nobody else any more
		list_push_back(&rt.stragglers, l);
		sub_relaxed(&rt.machine_count, 1); // under the lock
	}
	lock_release(&rt.lock);
	return any;
}

// False: some have not left in time.
static bool await_machines(void)
{
	int64_t until = sys_clock_now() + STOP_WAIT_NS;
	uint32_t left;
	bool all = true;
	// (machine-count) pairs with the end of thread_main: what the machines did is done.
	while ((left = load_acquire(&rt.machine_count)) != 0) {
		if (sys_await_awake(&rt.machine_count, left, END_AWAKE_NS) ||
			sys_futex_wait(&rt.machine_count, left, until) != -ETIMEDOUT)
			continue;
		all = !set_stragglers_apart();
		until = INT64_MAX; // the others are about to end
	}
	race_acquire(&rt.ending); // pairs with sanitizer_leave: what dropped goroutines did is done
	return all;
}

// What goroutines and processors were in. No machine runs goroutines any more.
static void forget_queues(bool has_stragglers)
{
	rt.global_head = rt.global_tail = rt.starved = NULL;
	rt.patient_head = rt.patient_tail = NULL;
	store_relaxed(&rt.global_count, 0); // nobody looks, as below
	store_relaxed(&rt.patient_count, 0);
	store_relaxed(&rt.starved_count, 0);
	store_relaxed(&rt.spinning, 0);
	store_relaxed(&rt.idle_processor_count, 0);
	rt.idle_processors = NULL;
	rt.timekeeper = NULL;
	store_relaxed(&poller.machine, NULL); // of a straggler
	rt.foreign_created = rt.foreign_ended = 0;
	memset(rt.foreign_woken, 0, sizeof rt.foreign_woken);
	rt.foreign_mutex_wait = 0;
	for (uint32_t i = 0; i < rt.processor_count; i++)
		timer_heap_end(&rt.processors[i]->timers, has_stragglers);
}

void runtime_stop_locked(void)
{
	tell_all_to_leave();
	visit_await_all();
	idle_wake_all();
	if (load_relaxed(&rt.monitor_alive)) // guarded by the lock but for its end
		monitor_stop();
	store_relaxed(&preempt_wanted, 1); // a hint, as attention above; the monitor's until now
	bool all = await_machines();
	trace_end_of_run();
	if (!goroutine_unlink_all(sys_clock_now() + STOP_WAIT_NS))
		all = false; // as with stragglers: goroutines are still being looked at
	context_forget_waits();
	net_forget_sends();
	// Of whatever run they are; nobody else adds one.
	net_forget_lookups(load_relaxed(&rt.stragglers.next) == &rt.stragglers);
	faults_uninstall();
	forget_queues(!all);
	simulation_end();
	if (all) {
		goroutine_release_all();
		sanitizer_stacks_forget();
		stack_release_all();
		processor_destroy_all();
	} else {
		abandon();
	}
	store_relaxed(&rt.machine_count, 0);
	store_seq_cst(&rt.started, 0); // (started) (timers-kept)
	netpoll_rouse_threads();
	if (timer_some_are_kept() && plain_thread_waits()) // for one of them, perhaps
		runtime_start_locked(false);
}

// By a plain thread, perhaps.
static bool timer_is_awaited(void)
{
	bool any = false;
	for (uint32_t i = 0; i < rt.processor_count; i++)
		any |= timer_heap_earliest(&rt.processors[i]->timers) != INT64_MAX;
	return any && plain_thread_waits();
}

bool runtime_is_busy(void) { return rt.in_run || goroutine_count() != 0 || timer_is_awaited(); }

EXPORT int tuza_shutdown(void)
{
	struct machine *m = machine_current();
	if (is_child_of_fork())
		return 0; // nothing runs here
	if (m && m->scheduler_top)
		return -EBUSY; // a goroutine
	visit_lock_out();
	bool runs = load_relaxed(&rt.started); // guarded by the lock
	bool busy = runs && runtime_is_busy();
	bool ends = runs && !busy;
	if (ends)
		runtime_stop_locked();
	visit_let_in();
	if (ends)
		runtime_join_ended();
	return busy ? -EBUSY : 0;
}
