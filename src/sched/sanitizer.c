// SPDX-License-Identifier: MIT
/*
 * One library serves plain and sanitized programs: the tools' functions are weak symbols, NULL
 * where the tool is not.
 *
 * Each tool is told of a switch before the registers move, and at once that it is complete, because
 * no instrumented code runs in between. ThreadSanitizer: a goroutine is a fiber, switched without
 * synchronisation (flag 1), or else a race between two goroutines on one thread would be hidden;
 * what the next goroutine on a stack does comes after what the last one did there, and so that this
 * hides few races, stacks rest before they are used again. LeakSanitizer: at exit the used parts of
 * all stacks are roots; never the guards.
 */
#define _GNU_SOURCE // pthread_getattr_np
#include "sched/sanitizer.h"

#include "base/race_hooks.h"
#include "sched/events.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"
#include "sched/runtime.h"
#include "sched/stack.h"
#include "sys/valgrind.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

WEAK void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t bytes);
WEAK void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *bytes);
WEAK void __asan_unpoison_memory_region(const volatile void *base, size_t bytes);
WEAK void __lsan_register_root_region(const void *base, size_t bytes);
WEAK void *__cxa_get_globals(void);

enum { TSAN_NO_SYNC = 1 };

static void switch_asan(void **save, void *fake_stack, const void *bottom, size_t bytes)
{
	__sanitizer_start_switch_fiber(save, bottom, bytes);
	__sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
}

// Frames that will never return leave AddressSanitizer's marks behind: the stack's next user must
// not meet them.
static void forget_frames(struct goroutine *g, char *sp)
{
	if (!__asan_unpoison_memory_region)
		return;
	struct stack_bounds b = stack_bounds(g->stack, g->stack_class);
	__asan_unpoison_memory_region(sp, (size_t)(b.top - sp) + STACK_TOP_RESERVE);
}

void sanitizer_leave(struct machine *m, struct goroutine *g, bool for_good)
{
	if (for_good)
		forget_frames(g, __builtin_frame_address(0));
	if (load_relaxed(&stack_red_zones_in_use) && // set before this stack was handed out
		!stack_red_zone_is_intact(g->stack, g->stack_class))
		fatal("stack overflow (found at a switch: this kernel refused a guard page)");
	if (__cxa_get_globals)
		memcpy(g->cxx_globals, __cxa_get_globals(), sizeof g->cxx_globals);
	if (__sanitizer_start_switch_fiber)
		switch_asan(for_good ? NULL : &g->asan_fake_stack, m->asan_fake_stack,
			m->asan_stack_bottom, m->asan_stack_bytes);
	if (race_is_on()) {
		if (g->flags & GOROUTINE_ERRNO) {
			g->flags &= ~(uint32_t)GOROUTINE_ERRNO;
			// Pairs with tuza_errno_ of the next one on this thread.
			__tsan_release(m->errno_address);
		}
		if (for_good)
			__tsan_release(g->stack); // pairs with sanitizer_enter's acquire
		// Pairs with the end of the runtime, which drops it if it never comes back.
		__tsan_release(&rt.ending);
		__tsan_switch_to_fiber(m->tsan_fiber, TSAN_NO_SYNC);
	}
}

// Until the program names it: reports say which of a dump's goroutines it is. (snprintf would be
// seen, and its buffer, on a stack that all goroutines share, be a race.)
static void name_fiber(struct goroutine *g)
{
	static const char prefix[] = "goroutine ";
	char name[sizeof prefix + 20], *at = name + sizeof name;

	if (g->extra && goroutine_extra_name(g)[0] != 0)
		return; // it was started with one
	*--at = 0;
	for (uint64_t id = g->id; *at == 0 || id > 0; id /= 10)
		*--at = (char)('0' + id % 10);
	for (size_t i = sizeof prefix - 1; i > 0; i--)
		*--at = prefix[i - 1];
	__tsan_set_fiber_name(g->tsan_fiber, at);
}

void sanitizer_enter(struct machine *m, struct goroutine *g, bool first)
{
	struct stack_bounds b = stack_bounds(g->stack, g->stack_class);
	if (__cxa_get_globals)
		memcpy(__cxa_get_globals(), g->cxx_globals, sizeof g->cxx_globals);
	if (__sanitizer_start_switch_fiber)
		switch_asan(&m->asan_fake_stack, g->asan_fake_stack, b.low,
			(size_t)(b.top - b.low) + STACK_TOP_RESERVE);
	if (race_is_on()) {
		__tsan_switch_to_fiber(g->tsan_fiber, TSAN_NO_SYNC);
		// Pairs with sanitizer_machine_started: the thread's variables, errno among them.
		__tsan_acquire(m);
		if (first) {
			__tsan_acquire(g->stack);
			name_fiber(g);
		}
	}
}

void sanitizer_machine_started(struct machine *m)
{
	if (race_is_on()) {
		m->tsan_fiber = __tsan_get_current_fiber();
		// The initialisation of thread-local storage counts as a write by this thread.
		__tsan_release(m);
	}
	if (__sanitizer_start_switch_fiber) {
		pthread_attr_t attributes;
		void *bottom = NULL;
		size_t bytes = 0;
		if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
			pthread_attr_getstack(&attributes, &bottom, &bytes);
			pthread_attr_destroy(&attributes);
		}
		m->asan_stack_bottom = bottom;
		m->asan_stack_bytes = bytes;
	}
}

void sanitizer_goroutine_created(struct goroutine *g)
{
	if (!race_is_on())
		return;
	// As if the go statement were a call, its line stands in "created by".
	if (g->creation_pc)
		__tsan_func_entry((void *)g->creation_pc);
	g->tsan_fiber = __tsan_create_fiber(0);
	if (g->creation_pc)
		__tsan_func_exit();
}

void sanitizer_goroutine_freed(struct goroutine *g)
{
	if (race_is_on() && g->tsan_fiber)
		__tsan_destroy_fiber(g->tsan_fiber);
	g->tsan_fiber = NULL;
}

void sanitizer_goroutine_dropped(struct goroutine *g)
{
	uint32_t state = load_relaxed(&g->state); // no other thread is left
	if ((g->flags & GOROUTINE_STARTED) && g->stack &&
		(state == GOROUTINE_WAITING || state == GOROUTINE_RUNNABLE))
		forget_frames(g, g->sp);
	sanitizer_goroutine_freed(g);
}

// ---- stacks that rest ---------------------------------------------------------------------

enum { RESTING = 256 };
static struct lock resting_lock;
static char *resting[RESTING];  // guarded by resting_lock: the last that came free, in a ring
static uint32_t resting_number; // guarded by resting_lock: of all that came free

char *sanitizer_stack_rests(char *slot)
{
	lock_acquire(&resting_lock);
	char **place = &resting[resting_number++ % RESTING];
	char *rested = *place;
	*place = slot;
	lock_release(&resting_lock);
	return rested;
}

size_t sanitizer_stacks_awake(char **slots, size_t count)
{
	size_t n = 0;
	lock_acquire(&resting_lock);
	for (uint32_t i = 0; i < RESTING && n < count; i++) {
		if (resting[i])
			slots[n++] = resting[i];
		resting[i] = NULL;
	}
	lock_release(&resting_lock);
	return n;
}

void sanitizer_stacks_forget(void)
{
	lock_acquire(&resting_lock);
	memset(resting, 0, sizeof resting);
	lock_release(&resting_lock);
}

int sanitizer_threads(void) { return race_is_on() ? 1 : 0; } // TSan's background thread

// ---- valgrind: each slot is a stack -------------------------------------------------------

struct valgrind_stack {
	struct valgrind_stack *next;
	char *slot;
	unsigned id;
};
static struct lock valgrind_lock;              // the last in the order
static struct valgrind_stack *valgrind_stacks; // guarded by valgrind_lock

void sanitizer_stack_created(char *slot, uint32_t class)
{
	(void)class; // without valgrind's headers
	if (!RUNNING_ON_VALGRIND)
		return;
	struct valgrind_stack *v = malloc(sizeof *v);
	if (!v)
		return;
	v->slot = slot;
	v->id = VALGRIND_STACK_REGISTER(
		slot + stack_guard_bytes(class), slot + stack_slot_bytes(class) - 1);
	lock_acquire(&valgrind_lock);
	v->next = valgrind_stacks;
	valgrind_stacks = v;
	lock_release(&valgrind_lock);
}

void sanitizer_stack_destroyed(char *slot, uint32_t class)
{
	(void)class;
	if (!RUNNING_ON_VALGRIND)
		return;
	lock_acquire(&valgrind_lock);
	struct valgrind_stack **at = &valgrind_stacks;
	while (*at && (*at)->slot != slot)
		at = &(*at)->next;
	struct valgrind_stack *v = *at;
	if (v)
		*at = v->next;
	lock_release(&valgrind_lock);
	if (v)
		VALGRIND_STACK_DEREGISTER(v->id);
	free(v);
}

// ---- LeakSanitizer ------------------------------------------------------------------------

void sanitizer_chunks_stay(void)
{
	for (struct goroutine_chunk *chunk = rt.chunks; chunk && __lsan_register_root_region;
		chunk = chunk->next)
		__lsan_register_root_region(chunk, sizeof *chunk);
}

// Runs before the leak check, which was registered earlier: exit handlers run in reverse.
static void register_roots(void)
{
	for (struct goroutine_chunk *chunk = rt.chunks; chunk; chunk = chunk->next) {
		__lsan_register_root_region(chunk, sizeof *chunk);
		for (uint32_t i = 0; i < goroutine_chunk_used(chunk); i++) {
			struct goroutine *g = &chunk->goroutines[i];
			uint32_t state = load_relaxed(&g->state); // a glimpse
			if (state == GOROUTINE_DEAD || !(g->flags & GOROUTINE_STARTED) || !g->stack)
				continue;
			struct stack_bounds b = stack_bounds(g->stack, g->stack_class);
			char *low = state == GOROUTINE_WAITING || state == GOROUTINE_RUNNABLE
					    ? g->sp
					    : b.low;
			__lsan_register_root_region(low, (size_t)(b.top - low));
		}
	}
}

void sanitizer_init(void)
{
	static bool done; // guarded by the start of the runtime
	if (done)
		return;
	done = true;
	if (race_is_on() || __sanitizer_start_switch_fiber || __cxa_get_globals)
		events_begin(EVENTS_FOR_TOOLS);
	if (__lsan_register_root_region)
		atexit(register_roots);
}
