// SPDX-License-Identifier: MIT
/*
 * Making and unmaking goroutines: descriptors, ids, the go statement.
 *
 * Descriptors come from chunks of 256, mapped until the runtime ends. A dead one goes to its
 * processor's cache, from there in halves to the common list (rt.free, guarded by rt.lock). Ids are
 * handed out in batches, so they are unique and only roughly increasing, as in Go.
 */
#include "sched/global_queue.h"
#include "sched/goroutine_extra.h"
#include "sched/goroutine_list.h"

#include "base/race_hooks.h"
#include "sched/chaos.h"
#include "sched/events.h"
#include "sched/machine.h"
#include "sched/park.h"
#include "sched/sanitizer.h"
#include "sched/schedule.h"
#include "sched/stack.h"
#include "sched/start.h"
#include "sched/visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct goroutine) <= ARCH_GOROUTINE_BYTES,
	"a goroutine that has not started costs no more");

const char *wait_reason_text(enum wait_reason reason)
{
	static const char *const texts[] = {
#define WAIT_REASON_TEXT(name, text) [name] = text,
		WAIT_REASONS(WAIT_REASON_TEXT)
#undef WAIT_REASON_TEXT
	};
	return (size_t)reason < COUNT_OF(texts) ? texts[reason] : "?";
}

// ---- descriptors --------------------------------------------------------------------------

// Puts up to `count` that were never used into the common list: not all of a chunk, since most
// programs need a few, and touching the others is a page fault for each 16. Needs: rt.lock
static void link_fresh(uint32_t count)
{
	struct goroutine_chunk *chunk = rt.chunks; // the older ones are used up
	uint32_t used = chunk ? goroutine_chunk_used(chunk) : GOROUTINES_PER_CHUNK;
	if (count > GOROUTINES_PER_CHUNK - used)
		count = GOROUTINES_PER_CHUNK - used;
	for (uint32_t i = used + count; i-- > used;) {
		chunk->goroutines[i].next = rt.free;
		rt.free = &chunk->goroutines[i];
	}
	if (count > 0)
		store_relaxed(&chunk->used, used + count); // what is behind it reads as dead
}

// Gets memory for more descriptors, for link_fresh. False when there is none.
static bool add_chunk(void)
{
	// Each of them will probably want a page of stack as well.
	if (!config_memory_allows(
		    sizeof(struct goroutine_chunk) + GOROUTINES_PER_CHUNK * (size_t)4096))
		return false;
	struct goroutine_chunk *chunk = sys_pages_alloc(sizeof *chunk);
	if (!chunk)
		return false;
	lock_acquire(&rt.lock);
	link_fresh(GOROUTINES_PER_CHUNK); // somebody else may just have made one as well
	chunk->next = rt.chunks;
	// (chunks) pairs with the load in inspect.c: its next is written
	store_release(&rt.chunks, chunk);
	lock_release(&rt.lock);
	return true;
}

// Takes up to `count` descriptors from the common list, linked. `may_map`: makes some if there are
// none.
static struct goroutine *take_free(uint32_t count, uint32_t *got, bool may_map)
{
	for (;;) {
		lock_acquire(&rt.lock);
		if (!rt.free)
			link_fresh(count);
		struct goroutine *first = rt.free;
		struct goroutine *last = first;
		*got = first != NULL;
		while (last && *got < count && last->next) {
			last = last->next;
			++*got;
		}
		if (first) {
			rt.free = last->next;
			last->next = NULL;
		}
		lock_release(&rt.lock);
		if (first || !may_map || !add_chunk())
			return first;
	}
}

static uint64_t take_ids(uint32_t count)
{
	return FIRST_ID + add_relaxed(&rt.ids_taken, count); // unique is all that is wanted
}

static NOINLINE bool refill(struct processor *p, bool may_map)
{
	p->free = take_free(GOROUTINE_CACHE / 2, &p->free_count, may_map);
	return p->free != NULL;
}

static ALWAYS_INLINE struct goroutine *get_descriptor(struct processor *p, bool may_map)
{
	if (unlikely(!p->free) && !refill(p, may_map))
		return NULL;
	struct goroutine *g = p->free;
	p->free = g->next;
	p->free_count--;
	if (unlikely(p->id_next == p->id_end)) {
		p->id_next = take_ids(GOROUTINE_ID_BATCH);
		p->id_end = p->id_next + GOROUTINE_ID_BATCH;
	}
	g->id = p->id_next++;
	store_relaxed(&p->created, p->created + 1); // statistic, only writer
	return g;
}

static NOINLINE struct goroutine *get_descriptor_foreign(bool may_map)
{
	uint32_t got;
	struct goroutine *g = take_free(1, &got, may_map);
	if (!g)
		return NULL;
	g->id = take_ids(1);
	lock_acquire(&rt.lock);
	rt.foreign_created++;
	lock_release(&rt.lock);
	return g;
}

static NOINLINE void spill(struct processor *p)
{
	struct goroutine *first = p->free;
	struct goroutine *last = first;
	for (uint32_t i = 1; i < GOROUTINE_CACHE / 2; i++)
		last = last->next;
	p->free = last->next;
	p->free_count -= GOROUTINE_CACHE / 2;
	lock_acquire(&rt.lock);
	last->next = rt.free;
	rt.free = first;
	lock_release(&rt.lock);
}

void goroutine_free(struct processor *p, struct goroutine *g)
{
	g->stack = NULL;
	store_release(&g->state, GOROUTINE_DEAD); // (dead) pairs with the load in inspect.c
	// (asleep) pairs with goroutine_ended_count: what it has left behind is seen. Only writer.
	store_release(&p->ended, p->ended + 1);
	g->next = p->free;
	p->free = g;
	if (unlikely(++p->free_count > GOROUTINE_CACHE))
		spill(p);
}

void goroutine_init_thread(struct goroutine *g)
{
	g->id = take_ids(1);
	g->flags = GOROUTINE_THREAD;
	goroutine_come_alive(g, NULL);
	store_relaxed(&g->state, GOROUTINE_RUNNING); // published by the list it is put into
}

uint64_t goroutine_created_count(void)
{
	uint64_t n = rt.foreign_created; // statistic
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++)
		n += load_relaxed(&processor_at(i)->created); // statistic
	return n;
}

uint64_t goroutine_ended_count(void)
{
	uint64_t n = rt.foreign_ended; // statistic
	uint32_t count = processor_count();
	for (uint32_t i = 0; i < count; i++)
		n += load_acquire(&processor_at(i)->ended); // (asleep) pairs with goroutine_free
	return n;
}

uint64_t goroutine_count(void)
{
	// Ended first: a goroutine that starts and ends in between must not make the number
	// negative.
	uint64_t ended = goroutine_ended_count();
	return goroutine_created_count() - ended;
}

// ---- the go statement ---------------------------------------------------------------------

struct spawner {
	struct machine *machine;
	struct processor *processor; // NULL: a plain thread, or inside a blocking section
	enum visit visit;            // then; ended by submit or give_up
};

static ALWAYS_INLINE struct spawner spawner_here(void)
{
	struct machine *m = machine_here();
	if (unlikely(load_relaxed(&m->leave)))
		machine_leave_from_goroutine(m);
	// A plain thread may be the first to need the runtime.
	return (struct spawner){
		m, m->processor, unlikely(!m->processor) ? visit_begin() : VISIT_NONE};
}

// Out of memory: nothing was started.
static COLD int give_up(struct spawner s)
{
	visit_end(s.visit);
	return -ENOMEM;
}

// Fills a descriptor with everything but what it is to run. `creator`: NULL for a timer that fires.
static ALWAYS_INLINE struct goroutine *prepare_descriptor(
	struct goroutine *g, const struct goroutine *creator, uintptr_t pc)
{
	g->creator_id = creator ? creator->id : 0;
	g->creation_pc = pc;
	g->flags = 0;
	g->stack_class = goroutine_default_class();
	g->extra = NULL;
	g->handle = NULL;
	g->owned = NULL;
	g->tsan_fiber = NULL;
	if (unlikely(creator && creator->extra != NULL))
		(void)goroutine_extra_inherit(g, creator); // out of memory: it goes without labels
	return g;
}

// A descriptor with everything but what it is to run. NULL: out of memory.
static ALWAYS_INLINE struct goroutine *prepare(struct spawner s, uintptr_t pc)
{
	struct goroutine *g = likely(s.processor != NULL) ? get_descriptor(s.processor, true)
							  : get_descriptor_foreign(true);
	return likely(g != NULL) ? prepare_descriptor(g, s.machine->current, pc) : NULL;
}

static ALWAYS_INLINE void submit(struct spawner s, struct goroutine *g)
{
	if (events_are_on())
		events_spawned(s.machine, g);
	store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the queue
	if (likely(s.processor != NULL)) {
		schedule_submit(s.processor, g, true);
	} else {
		global_queue_submit(g);
		visit_end(s.visit);
	}
	chaos_point();
}

static ALWAYS_INLINE void capture_simple(struct goroutine *g, void (*fn)(void *), void *arg)
{
	g->capture.fn = (void (*)(void))fn;
	g->capture.stack_args = NULL;
	g->capture.stack_args_bytes = 0;
	g->capture.flags = ARCH_CAPTURE_SIMPLE;
	g->capture.gpr[0] = (uint64_t)(uintptr_t)arg;
}

struct goroutine *goroutine_new(void (*fn)(void *), void *arg, uintptr_t pc)
{
	struct machine *m = machine_here();
	struct goroutine *g = prepare((struct spawner){m, m->processor, VISIT_NONE}, pc);
	if (!g)
		return NULL;
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_goroutine_created(g);
	capture_simple(g, fn, arg);
	store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the queue it is put into
	return g;
}

// What goroutine_new_at_hand could not find; any thread, atomic. Hints: who misses one is late.
static uint32_t descriptors_wanted, descriptors_refused;

struct goroutine *goroutine_new_at_hand(void (*fn)(void *), void *arg)
{
	struct machine *m = machine_current();
	struct goroutine *g = m && m->processor ? get_descriptor(m->processor, false)
						: get_descriptor_foreign(false);
	if (unlikely(!g)) {
		store_relaxed(&descriptors_wanted, 1); // a hint
		return NULL;
	}
	(void)prepare_descriptor(g, NULL, 0);
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_goroutine_created(g);
	capture_simple(g, fn, arg);
	store_relaxed(&g->state, GOROUTINE_RUNNABLE); // published by the queue it is put into
	return g;
}

bool goroutine_none_can_be_had(void) { return load_relaxed(&descriptors_refused) != 0; } // a hint

NOINLINE static void provide(void)
{
	store_relaxed(&descriptors_wanted, 0);             // a hint
	store_relaxed(&descriptors_refused, !add_chunk()); // a hint
}

void goroutine_provide(void)
{
	if (unlikely(load_relaxed(&descriptors_wanted) != 0)) // a hint
		provide();
}

EXPORT int tuza_go(void (*fn)(void *), void *arg)
{
	if (unlikely(!fn))
		fatal("go of nil func value");
	struct spawner s = spawner_here();
	struct goroutine *g = prepare(s, (uintptr_t)__builtin_return_address(0));
	if (unlikely(!g))
		return give_up(s);
	capture_simple(g, fn, arg);
	submit(s, g);
	return 0;
}

EXPORT int tuza_go_copy(void (*fn)(void *), const void *args, size_t bytes)
{
	if (unlikely(!fn))
		fatal("go of nil func value");
	void *copy = malloc(bytes ? bytes : 1);
	if (unlikely(!copy))
		return -ENOMEM;
	if (bytes)
		memcpy(copy, args, bytes);
	race_release(copy); // pairs with schedule_ended, which frees it
	struct spawner s = spawner_here();
	struct goroutine *g = prepare(s, (uintptr_t)__builtin_return_address(0));
	if (unlikely(!g)) {
		free(copy);
		return give_up(s);
	}
	capture_simple(g, fn, copy);
	g->owned = copy;
	submit(s, g);
	return 0;
}

EXPORT int tuza_go_with(const tuza_go_options *options, void (*fn)(void *), void *arg)
{
	if (unlikely(!fn))
		fatal("go of nil func value");
	uint32_t class = goroutine_default_class();
	if (options && options->stack_bytes) {
		class = stack_class_of(options->stack_bytes);
		if (!class)
			return -EINVAL;
	}
	struct spawner s = spawner_here();
	struct goroutine *g = prepare(s, (uintptr_t)__builtin_return_address(0));
	if (unlikely(!g))
		return give_up(s);
	g->stack_class = class;
	if (options && options->name && goroutine_extra_set_name(g, options->name) != 0) {
		goroutine_discard(s.processor, g);
		return give_up(s);
	}
	capture_simple(g, fn, arg);
	submit(s, g);
	return 0;
}

void goroutine_discard(struct processor *p, struct goroutine *g)
{
	goroutine_extra_free(g);
	if (events_are_for(EVENTS_FOR_TOOLS))
		sanitizer_goroutine_freed(g);
	if (p) {
		goroutine_free(p, g);
		return;
	}
	store_release(&g->state, GOROUTINE_DEAD); // (dead) pairs with the load in inspect.c
	lock_acquire(&rt.lock);
	rt.foreign_ended++;
	g->next = rt.free;
	rt.free = g;
	lock_release(&rt.lock);
}

EXPORT NORETURN void tuza_go_out_of_memory_(void);
NORETURN void tuza_go_out_of_memory_(void) { fatal("tuza: out of memory in a go statement"); }

static ALWAYS_INLINE void capture_registers(
	struct goroutine *g, void (*fn)(void), const struct arch_registers *r)
{
	g->capture.fn = fn;
	g->capture.flags = 0;
	memcpy(g->capture.gpr, r->gpr, sizeof r->gpr);
	memcpy(g->capture.fpr, r->fpr, sizeof r->fpr);
	g->capture.stack_args = NULL;
	g->capture.stack_args_bytes = 0;
}

int goroutine_start(
	void (*fn)(void), const struct arch_registers *r, void *owned, uintptr_t created_at)
{
	struct spawner s = spawner_here();
	struct goroutine *g = prepare(s, created_at);
	if (unlikely(!g))
		return give_up(s);
	capture_registers(g, fn, r);
	g->owned = owned;
	submit(s, g);
	return 0;
}

// Called by the assembler behind TUZA_GO; see arch.h.
void go_captured(const struct arch_registers *r, const void *stack_args,
	const struct tuza_go_site *site, uintptr_t pc)
{
	if (unlikely(!site->fn))
		fatal("go of nil func value");
	struct spawner s = spawner_here();
	struct goroutine *g = prepare(s, pc);
	if (unlikely(!g))
		tuza_go_out_of_memory_();
	capture_registers(g, site->fn, r);
	if (unlikely(site->stack_bytes != 0)) {
		size_t bytes = align_up(site->stack_bytes, 16);
		g->owned = malloc(bytes);
		if (!g->owned)
			tuza_go_out_of_memory_();
		arch_copy_stack_args(g->owned, stack_args, bytes);
		race_release(g->owned); // pairs with schedule_ended, which frees it
		g->capture.stack_args = g->owned;
		g->capture.stack_args_bytes = (uint32_t)bytes;
	}
	submit(s, g);
}

// ---- about the caller ---------------------------------------------------------------------

struct goroutine *goroutine_current(void) { return machine_here()->current; }

struct goroutine *goroutine_current_or_null(void)
{
	struct machine *m = machine_current();
	return m ? m->current : NULL;
}

EXPORT uint64_t tuza_id(void) { return goroutine_current()->id; }

EXPORT size_t tuza_num_goroutine(void)
{
	enum visit visit;
	if (!visit_to_look(&visit))
		return 0;
	size_t n = (size_t)goroutine_count();
	visit_end(visit);
	return n;
}
