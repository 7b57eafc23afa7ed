// SPDX-License-Identifier: MIT
/*
 * Threads: those of the scheduler, and the records of plain threads that use tuza.
 *
 * rt.lock guards the list of all machines. machine_tls is this thread's machine; see arch_cpu.h for
 * how it is read.
 */
#include "sched/machine.h"

#include "sched/events.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"
#include "sched/idle.h"
#include "sched/park.h"
#include "sched/processor.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/start.h"
#include "sched/upcalls.h"
#include "sched/visit.h"
#include <tuza/error.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

__thread void *machine_tls __attribute__((used));

// The scheduler's own stack; user code runs elsewhere. Sanitizers get the default.
enum { THREAD_STACK_BYTES = 256 << 10 };

static void machine_init(struct machine *m)
{
	m->errno_address = &errno;
	sys_thread_self(&m->thread);
	arch_tls_machine_set(m);
}

// ---- machines of the scheduler ------------------------------------------------------------

// The first entry of a new machine's scheduler.
static void *enter(void *machine, void *unused)
{
	(void)unused;
	return schedule(machine);
}

// On the scheduler's stack, below arch_try's frame.
static void run_machine(void *machine)
{
	struct machine *m = machine;
	// The stack above stays as it is: machine_leave returns through it.
	m->scheduler_top = (void *)(((uintptr_t)__builtin_frame_address(0) - 512) & ~(uintptr_t)63);
	sanitizer_machine_started(m);
	store_relaxed(&rt.some_ran, 1); // constant from then on
	if (m->spinning && !m->processor->machine)
		m->processor->machine = m;
	arch_jump(m->scheduler_top, enter, m, NULL);
}

// The C library keeps stacks of threads that have ended for others: a scan for leaked goroutines
// (debug/scan.c) is not to take left-overs there for what somebody knows.
static NOINLINE void clear_below(void)
{
	char frames[6144]; // what the scheduler had in the last page, which the C library keeps

	memset(frames, 0, sizeof(frames));
	__asm__ volatile("" : : "r"(frames) : "memory");
}

/*
 * At the end of the runtime somebody waits for the thread; a tool would else see what it still has.
 * False: that end has given up waiting. Needs: rt.lock
 */
static bool machine_ends(struct machine *m)
{
	bool current = m->epoch == rt.epoch;

	if (m->has_ended)
		return true;
	// Relaxed: the former is written under the lock; the end follows the latter.
	if (current && (load_relaxed(&rt.ending) || load_relaxed(&rt.main_done))) {
		list_remove(&m->all);
		list_push_back(&rt.ended, &m->all);
		m->has_ended = true;
	}
	return current;
}

static void *thread_main(void *machine)
{
	struct machine *m = machine;
	machine_init(m);
	sys_thread_name("tuza");
	sys_thread_exact_timers();
	int error = faults_thread_start();
	if (error == 0) {
		exit_guard_arm();
		arch_try(run_machine, m, &m->exit_landing);
		// machine_leave landed here.
		exit_guard_disarm();
		faults_thread_end();
	} else {
		// At the start it is fatal, as a thread that cannot be started. Later others run,
		// or the monitor tries again. Relaxed: set before anybody could ask for a second.
		if (error != -ENOMEM || !load_relaxed(&rt.some_ran))
			fatal("tuza: cannot set a signal stack: %s", tuza_strerror(error));
		if (m->epoch == load_relaxed(&rt.epoch)) // its runtime goes on
			idle_thread_is_refused(m->processor, m->spinning);
	}
	trace_machine_ends(m);
	arch_tls_machine_set(NULL);
	lock_acquire(&rt.lock);
	bool current = machine_ends(m), joined = m->has_ended;
	if (!joined)
		list_remove(&m->all);
	if (events_are_for(EVENTS_FOR_STRAGGLERS) && list_is_empty(&rt.stragglers))
		events_end(EVENTS_FOR_STRAGGLERS);
	lock_release(&rt.lock);
	if (!joined) {
		sys_thread_detach_self();
		sys_pages_free(m, sizeof *m);
	}
	if (current) {
		// (machine-count) pairs with the load in await_machines: what this thread did is
		// done.
		sub_acq_rel(&rt.machine_count, 1);
		sys_futex_wake(&rt.machine_count, 1);
	}
	clear_below();
	return NULL;
}

int machine_start(struct processor *p, bool spinning)
{
	// Not malloc: its arena of a new thread would be made just to free this.
	struct machine *m = sys_pages_alloc(sizeof *m);
	if (!m)
		return -ENOMEM;
	m->processor = p;
	m->spinning = spinning;
	m->epoch = rt.epoch;
	lock_acquire(&rt.lock);
	if (load_relaxed(&rt.ending)) { // written under the lock
		lock_release(&rt.lock);
		sys_pages_free(m, sizeof *m);
		return -EAGAIN;
	}
	list_push_back(&rt.machines, &m->all);
	p->machine = m;
	// Relaxed: the ender reads it after it has stopped new ones under the lock.
	add_relaxed(&rt.machine_count, 1);
	lock_release(&rt.lock);
	size_t stack_bytes = events_are_for(EVENTS_FOR_TOOLS) ? 0 : THREAD_STACK_BYTES;
	int error = sys_thread_start(thread_main, m, stack_bytes);
	if (error) {
		lock_acquire(&rt.lock);
		list_remove(&m->all);
		p->machine = NULL;
		lock_release(&rt.lock);
		sub_acq_rel(&rt.machine_count, 1); // (machine-count)
		sys_pages_free(m, sizeof *m);
	}
	return error;
}

NORETURN void machine_leave(struct machine *m)
{
	lock_acquire(&rt.lock);
	if (m->processor) {
		// At the end of the runtime; the monitor may still look.
		m->processor->machine = NULL;
		m->processor = NULL;
	}
	if (link_is_linked(&m->idle)) {
		list_remove(&m->idle);
		rt.idle_machine_count--;
		if (rt.timekeeper == m)
			rt.timekeeper = NULL;
	}
	bool straggles = !machine_ends(m);
	lock_release(&rt.lock);
	if (straggles && m->straggler) {
		visit_lock_out();
		goroutine_drop_straggler(m->straggler);
		visit_let_in();
	}
	arch_land(&m->exit_landing, 1);
}

static void *left_goroutine(void *machine, void *goroutine)
{
	(void)goroutine;
	struct machine *m = machine;
	m->current = NULL;
	m->spinning = false;
	machine_leave(m);
}

NORETURN void machine_leave_from_goroutine(struct machine *m)
{
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_leave(m, m->current, true);
	arch_jump(m->scheduler_top, left_goroutine, m, m->current);
}

// ---- plain threads ------------------------------------------------------------------------

/*
 * The record of a plain thread lives as long as the thread, whatever the runtime does meanwhile. A
 * waker's last touch is a futex call on an address in it, which is harmless even when the thread
 * has ended.
 */
struct plain_thread {
	struct machine machine;
	struct goroutine goroutine;
	struct link all; // guarded by plain_lock
};

static pthread_key_t plain_key;
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;
static struct lock plain_lock;
static struct link plain_threads = {&plain_threads, &plain_threads};

static void plain_thread_ends(void *record)
{
	struct plain_thread *t = record;
	// Runs the user's destructors: may use tuza, and even wait.
	goroutine_extra_end(&t->goroutine);
	trace_machine_ends(&t->machine);
	arch_tls_machine_set(NULL);
	lock_acquire(&plain_lock);
	list_remove(&t->all);
	lock_release(&plain_lock);
	free(t);
}

static void make_key(void) { pthread_key_create(&plain_key, plain_thread_ends); }

NOINLINE struct machine *machine_attach(void)
{
	pthread_once(&plain_once, make_key);
	struct plain_thread *t = calloc(1, sizeof *t);
	if (!t || pthread_setspecific(plain_key, t) != 0)
		fatal("tuza: out of memory for a thread that uses tuza");
	goroutine_init_thread(&t->goroutine);
	t->goroutine.machine = &t->machine;
	t->machine.current = &t->goroutine;
	lock_acquire(&plain_lock);
	list_push_back(&plain_threads, &t->all);
	lock_release(&plain_lock);
	machine_init(&t->machine);
	return &t->machine;
}

void machine_each_plain(bool locked, void (*fn)(struct goroutine *g, void *arg), void *arg)
{
	if (locked)
		lock_acquire(&plain_lock);
	for (struct link *l = plain_threads.next; l != &plain_threads; l = l->next)
		fn(&CONTAINER_OF(l, struct plain_thread, all)->goroutine, arg);
	if (locked)
		lock_release(&plain_lock);
}

bool machine_plain_list_is_steady(void)
{
	return load_relaxed(&plain_lock.word) == 0; // nobody runs who could take it
}
