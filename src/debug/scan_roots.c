// SPDX-License-Identifier: MIT
/*
 * The roots of a scan: all readable memory of the process but
 *
 *   - stacks of goroutines, which count only for those that may run;
 *   - malloc's blocks, which count when they are reached;
 *   - what the runtime keeps for itself and by which it knows everybody: descriptors, wait queues,
 *     machines, its list of contexts, the unused parts of its threads' stacks.
 *
 * Timers count: the heaps of timers are ordinary memory here, so what a timer will do is known.
 *
 * The scheduler's own stacks hold left-overs of whatever the machine ran before, and nothing else:
 * a goroutine on its way to be woken is told by its place in the queue, one about to run by its
 * state, and timers fire under a lock that is free here. Only while a machine is about to begin a
 * goroutine the arguments are nowhere else. For the thread in tuza_run, which is the monitor, words
 * that point into goroutines' stacks mean nothing: its caller's frames are older than any
 * goroutine.
 */
#include "debug/scan_state.h"

#include "sched/deadlock.h"
#include "sched/goroutine_list.h"
#include "sched/machine.h"
#include "sched/runtime.h"
#include "sched/stack.h"
#include "sched/timer_slots.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"

enum {
	// What a machine's thread has for the scheduler, at least (machine.c), less some pages.
	SCHEDULER_STACK_BYTES = 192 << 10,
	// Above scheduler_top: the frame that was there before, of which nobody needs anything.
	SCHEDULER_GAP_BYTES = 512,
	// Of the stack that own_stack_call gives: no more than this lies below the first frame.
	OWN_STACK_BYTES = 160 << 10,
};
// Under ThreadSanitizer: larger mappings are its shadow.
static const uintptr_t GIANT = (uintptr_t)64 << 30;
// Where programs' addresses end; AddressSanitizer has a shadow of them.
static const uintptr_t ADDRESSES = (uintptr_t)1 << 47;
WEAK void __asan_get_shadow_mapping(size_t *scale, size_t *offset);

static const char *at(uintptr_t address) { return (const char *)address; }

static struct machine *machine_of_thread(int id)
{
	for (struct link *l = rt.machines.next; l && l != &rt.machines; l = l->next)
		if (CONTAINER_OF(l, struct machine, all)->thread.id == id)
			return CONTAINER_OF(l, struct machine, all);
	return NULL;
}

// ---- what is left out -----------------------------------------------------------------------

static void hide(struct scan *s, const void *low, size_t bytes)
{
	scan_range_add(&s->hidden, low, (const char *)low + bytes);
}

static void hide_for(const void *low, size_t bytes, void *scan) { hide(scan, low, bytes); }

static void add_stacks(const char *low, size_t bytes, void *scan)
{
	struct scan *s = scan;

	scan_range_add(&s->stacks, low, low + bytes);
	hide(s, low, bytes);
}

// What a plain thread waited for last.
static void hide_plain(struct goroutine *g, void *scan)
{
	hide(scan, &g->wait_object, sizeof(g->wait_object));
	hide(scan, &g->waiting, sizeof(g->waiting));
	hide(scan, &g->machine->commit_arg, sizeof(g->machine->commit_arg));
}

static void hide_machine(struct scan *s, const struct machine *m)
{
	const char *top = m->scheduler_top;

	hide(s, m, sizeof(*m));
	if (top)
		hide(s, top - SCHEDULER_STACK_BYTES, SCHEDULER_STACK_BYTES + SCHEDULER_GAP_BYTES);
}

static void hide_runtime(struct scan *s)
{
	size_t bytes;
	const void *low = waitqueue_memory(&bytes);

	hide(s, low, bytes);
	// Relaxed, all of them: nobody runs.
	for (struct goroutine_chunk *c = load_relaxed(&rt.chunks); c; c = c->next)
		hide(s, c, sizeof(*c));
	for (struct link *l = rt.machines.next; l && l != &rt.machines; l = l->next)
		hide_machine(s, CONTAINER_OF(l, struct machine, all));
	machine_each_plain(false, hide_plain, s);
	deadlock_each_hidden(hide_for, s);
	for (uint32_t i = 0; i < rt.processor_count; i++) {
		const struct timer_heap *h = &rt.processors[i]->timers;

		if (h->slots)
			hide(s, h->slots + h->count,
				(h->capacity - h->count) * sizeof(h->slots[0]));
	}
	stack_each_arena(add_stacks, s);
	// The scan itself. Its arrays are younger than the list of mappings, but for that list.
	hide(s, s->base - OWN_STACK_BYTES, OWN_STACK_BYTES);
	hide(s, s->threads, (size_t)s->thread_count * sizeof(s->threads[0]));
	hide(s, s->mappings.items, s->mappings.room * sizeof(struct sys_mapping));
	if (__asan_get_shadow_mapping) {
		size_t scale, offset;

		__asan_get_shadow_mapping(&scale, &offset);
		hide(s, at(offset), (size_t)(ADDRESSES >> scale));
	}
	const char *signal_stack = sys_signal_stack(&bytes);

	if (signal_stack)
		hide(s, signal_stack, bytes);
}

// Nobody holds a lock under which the lists change that are looked at.
static bool is_steady(void)
{
	if (load_relaxed(&rt.lock.word) != 0 || !machine_plain_list_is_steady()) // nobody runs
		return false;
	for (uint32_t i = 0; i < rt.processor_count; i++)
		if (load_relaxed(&rt.processors[i]->timers.lock.word) != 0) // as above
			return false;
	return true;
}

// ---- threads --------------------------------------------------------------------------------

static bool is_in(const struct sys_stopped *t, const char *low, size_t bytes)
{
	return t->sp >= low && t->sp < low + bytes;
}

// What is left out of a thread's stacks, and where a goroutine's begins that it runs.
static void prepare_thread(struct scan *s, const struct sys_stopped *t)
{
	const struct machine *m = machine_of_thread(t->id);

	if (!t->sp)
		return; // it has ended, or was not stopped
	if (t->signal_stack && (m || t->id == rt.run_thread))
		hide(s, t->signal_stack, t->signal_stack_bytes);
	if ((uintptr_t)t->sp >= s->main_stack.low && (uintptr_t)t->sp < s->main_stack.high) {
		bool is_runner = t->id == rt.run_thread;

		scan_range_add(&s->hidden, at(s->main_stack.low),
			is_runner ? at(s->main_stack.high) : t->sp);
	}
	struct scan_goroutine *sg = m ? scan_goroutine_at(s, (uintptr_t)t->sp) : NULL;

	if (sg && (uintptr_t)t->sp >= sg->low && sg->g == m->current)
		sg->sp = (uintptr_t)t->sp;
}

static void see(struct scan *s, const char *low, const char *high)
{
	if (low < high)
		scan_read((uintptr_t)low, (uintptr_t)high, scan_see, s);
}

static void see_registers(struct scan *s, const struct sys_stopped *t)
{
	see(s, t->registers, t->registers_end);
	// It was in the handler of another signal.
	if (t->signal_stack && is_in(t, t->signal_stack, t->signal_stack_bytes))
		see(s, t->sp, t->signal_stack + t->signal_stack_bytes);
}

static void see_machine(struct scan *s, const struct sys_stopped *t, const struct machine *m)
{
	const char *top = m->scheduler_top;

	if (!top || !is_in(t, top - SCHEDULER_STACK_BYTES, SCHEDULER_STACK_BYTES)) {
		see_registers(s, t); // it runs a goroutine
		return;
	}
	if (!m->current)
		return;
	s->ignores_stacks = true;
	see_registers(s, t);
	see(s, t->sp, top);
	s->ignores_stacks = false;
}

static void see_plain(struct scan *s, const struct sys_stopped *t)
{
	uintptr_t sp = (uintptr_t)t->sp;
	struct scan_range block;

	s->ignores_stacks = t->id == rt.run_thread;
	see_registers(s, t);
	if (s->ignores_stacks && sp >= s->main_stack.low && sp < s->main_stack.high)
		see(s, t->sp, at(s->main_stack.high));
	// A stack that is a block of malloc's.
	if (scan_heap_block(&s->heap, sp, &block))
		see(s, t->sp, at(block.high));
	s->ignores_stacks = false;
}

static void see_threads(struct scan *s)
{
	for (int i = 0; i < s->thread_count; i++) {
		const struct sys_stopped *t = &s->threads[i];
		const struct machine *m = machine_of_thread(t->id);

		if (!t->sp)
			continue;
		if (m)
			see_machine(s, t, m);
		else
			see_plain(s, t);
	}
}

// ---- goroutines -----------------------------------------------------------------------------

static void add_goroutine(struct scan *s, struct goroutine *g)
{
	struct scan_goroutine *sg = scan_array_add(&s->goroutines, sizeof(*sg));
	uint32_t state = load_relaxed(&g->state); // nobody runs

	if (!sg)
		return;
	*sg = (struct scan_goroutine){.g = g, .slot = (uintptr_t)g};
	if (!(g->flags & GOROUTINE_STARTED))
		return;
	struct stack_bounds b = stack_bounds(g->stack, g->stack_class);

	sg->slot = (uintptr_t)g->stack;
	sg->low = (uintptr_t)b.low;
	sg->top = (uintptr_t)b.top + STACK_TOP_RESERVE;
	if (g == s->self)
		sg->sp = (uintptr_t)s->caller;
	else if (state == GOROUTINE_WAITING || state == GOROUTINE_RUNNABLE)
		sg->sp = (uintptr_t)g->sp;
	if (sg->sp < sg->low || sg->sp >= sg->top)
		sg->sp = 0;
}

static void add_goroutines(struct scan *s)
{
	for (struct goroutine_chunk *c = load_relaxed(&rt.chunks); c; c = c->next) // nobody runs
		for (uint32_t i = 0; i < goroutine_chunk_used(c); i++)
			if (load_relaxed(&c->goroutines[i].state) != GOROUTINE_DEAD) // as above
				add_goroutine(s, &c->goroutines[i]);
	scan_array_sort(&s->goroutines, sizeof(struct scan_goroutine));
}

// The used part can be read, and mostly there are many of them: a copy of each would cost more.
static void see_stack(
	struct scan *s, const struct scan_goroutine *sg, const char *low, const char *high)
{
	if (sg->sp && !s->on_valgrind)
		scan_see_in_place((uintptr_t)low, (uintptr_t)high, s);
	else
		see(s, low, high);
}

void scan_see_goroutine(struct scan *s, const struct scan_goroutine *sg)
{
	const struct goroutine *g = sg->g;
	const uintptr_t known[] = {(uintptr_t)g->extra, (uintptr_t)g->owned, (uintptr_t)g->handle};

	scan_see(known, COUNT_OF(known), s);
	if (!(g->flags & GOROUTINE_STARTED)) {
		see(s, (const char *)&g->capture, (const char *)(&g->capture + 1));
		return;
	}
	const struct queued *w = g->waiting;
	const char *low = at(sg->sp ? sg->sp : sg->low), *top = at(sg->top);

	// Which other addresses share its bucket says nothing about them.
	if (load_relaxed(&g->state) == GOROUTINE_WAITING && // nobody runs
		(g->wait_reason == WAIT_MUTEX || g->wait_reason == WAIT_RWMUTEX_R ||
			g->wait_reason == WAIT_RWMUTEX_W || g->wait_reason == WAIT_COND ||
			g->wait_reason == WAIT_SEMAPHORE || g->wait_reason == WAIT_ONCE ||
			g->wait_reason == WAIT_SINGLEFLIGHT) &&
		(const char *)w > low && (const char *)w < top) {
		see_stack(s, sg, low, (const char *)&w->root);
		low = (const char *)(&w->root + 1);
	}
	see_stack(s, sg, low, top);
}

// ---- memory ---------------------------------------------------------------------------------

static void add_mapping(const struct sys_mapping *m, void *scan)
{
	struct sys_mapping *copy = scan_array_add(&((struct scan *)scan)->mappings, sizeof(*copy));

	if (copy)
		*copy = *m;
}

static bool is_skipped(const struct scan *s, const struct sys_mapping *m)
{
	return m->is_device || (s->skips_giants && m->high - m->low >= GIANT);
}

static bool prepare_heap(struct scan *s)
{
	const struct sys_mapping *all = s->mappings.items;
	bool is_whole = true;

	for (size_t i = 0; i < s->mappings.count; i++) {
		if (all[i].is_stack)
			s->main_stack = (struct scan_range){all[i].low, all[i].high};
		else if (!s->on_valgrind && s->deaf == 0 && !is_skipped(s, &all[i]))
			is_whole &= scan_heap_add(&s->heap, &all[i], &s->managed, &s->stacks);
	}
	return is_whole;
}

static void see_part(uintptr_t low, uintptr_t high, void *scan)
{
	scan_read(low, high, scan_see, scan);
}

static void see_unmanaged(uintptr_t low, uintptr_t high, void *scan)
{
	scan_without(&((struct scan *)scan)->managed, low, high, see_part, scan);
}

bool scan_prepare(struct scan *s, bool accepts_partial_heap)
{
	if (sys_mappings_each(add_mapping, s) != 0 || s->mappings.is_cut || !is_steady() ||
		!context_each_hidden(hide_for, s))
		return false;
	hide_runtime(s);
	scan_ranges_sort(&s->stacks);
	for (int i = 0; i < s->thread_count; i++)
		s->deaf += s->threads[i].id != 0 && !s->threads[i].sp;
	if (!prepare_heap(s) && !accepts_partial_heap)
		return false;
	scan_ranges_sort(&s->managed);
	scan_heap_sort(&s->heap);
	add_goroutines(s);
	for (int i = 0; i < s->thread_count; i++)
		prepare_thread(s, &s->threads[i]);
	// A plain caller's stack is no longer than its mapping; of the main thread's the unused
	// part is hidden.
	if (!s->self && (uintptr_t)s->caller >= s->main_stack.low &&
		(uintptr_t)s->caller < s->main_stack.high)
		scan_range_add(&s->hidden, at(s->main_stack.low), (const char *)s->caller);
	scan_ranges_sort(&s->hidden);
	return true;
}

void scan_see_roots(struct scan *s)
{
	const struct sys_mapping *all = s->mappings.items;

	for (size_t i = 0; i < s->mappings.count; i++)
		if (!is_skipped(s, &all[i]))
			scan_without(&s->hidden, all[i].low, all[i].high, see_unmanaged, s);
	see_threads(s);
}
