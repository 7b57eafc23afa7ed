// SPDX-License-Identifier: MIT
/*
 * Leaked goroutines: nobody who may still run can reach what they wait for (Go's goroutineleak
 * profile, whose collector finds them; here a conservative look at memory).
 *
 *   1. All other threads are stopped.
 *   2. Whoever is not blocked on a channel or lock may run: it is live. So are timers, I/O
 *      and threads.
 *   3. What live ones know is reached: the objects in their stacks, in static memory, in blocks of
 *      malloc that pointers lead to.
 *   4. A blocked goroutine is live once something that it waits for is reached, or its stack is;
 *      then what it knows is reached, too. Back to 3 until nothing changes.
 *   5. Those left are leaked, and will be for ever: nobody has what would be needed to wake them.
 *
 * Words that look like pointers count as pointers, so some leaks are missed. None is reported
 * falsely while pointers lie in memory as they are, at addresses divisible by 8: the limits are
 * listed in docs/DEADLOCKS-AND-LEAKS.md.
 *
 * A select, or a wait with a context, is live if any one of its ways is. Whoever was taken out of
 * its queue, and is about to be made ready, is live: its place tells.
 *
 * A thread that blocks the signal is not stopped. Then nothing is assumed of malloc's blocks, which
 * it may change: all of the heap is a root. Its registers are not seen, so the look is taken twice,
 * and what is leaked in both is reported.
 *
 * Go: src/runtime/mgc.go, findGoroutineLeaks
 */
#include "debug/scan.h"

#include "base/race_hooks.h"
#include "debug/blocked.h"
#include "debug/scan_state.h"
#include "sched/current.h"
#include "sched/timer.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include "sys/clock.h"
#include "sys/sys.h"
#include "sys/valgrind.h"

#include <errno.h>

WEAK void __asan_init(void);

enum {
	MAIN_ID = 1, // goroutine 1: a server's often waits for ever, on purpose
	THREADS_MOST = 8192,
	STEADY_TRIES = 100, // one try in a thousand meets a lock that is held
	HEAP_TRIES = 5,     // malloc changes its chains for some nanoseconds; others' for ever
};
static const int64_t PAUSE = TUZA_MILLISECOND;                 // before another try
static const int64_t PAUSE_CONFIRMING = 20 * TUZA_MILLISECOND; // a guess

// ---- reaching -------------------------------------------------------------------------------

struct scan_goroutine *scan_goroutine_at(const struct scan *s, uintptr_t address)
{
	struct scan_goroutine *sg = scan_array_find(&s->goroutines, sizeof(*sg), address);

	return sg && address < sg->top ? sg : NULL;
}

static void make_live(struct scan *s, struct scan_goroutine *sg)
{
	struct scan_range *work;

	if (sg->is_live)
		return;
	sg->is_live = true;
	work = scan_array_add(&s->work, sizeof(*work));
	if (work)
		*work = (struct scan_range){(uintptr_t)sg, 0};
}

static void see_word(struct scan *s, uintptr_t word)
{
	struct scan_goroutine *sg;
	struct scan_range block, *work;

	if (word >= s->heap.low && word < s->heap.high) {
		enum scan_heap_mark mark = scan_heap_mark(&s->heap, word, &block);

		if (mark == SCAN_IS_REACHED && (work = scan_array_add(&s->work, sizeof(*work))))
			*work = block;
		// Stacks may lie between the heaps of threads.
		if (mark != SCAN_NO_BLOCK)
			return;
	}
	if (s->ignores_stacks || !scan_ranges_have(&s->stacks, word))
		return;
	sg = scan_goroutine_at(s, word);
	if (sg &&
		word >= (sg->sp ? sg->sp : sg->low)) // below is nothing: the runtime names slots so
		make_live(s, sg);
}

void scan_see(const uintptr_t *words, size_t n, void *scan)
{
	struct scan *s = scan;

	for (size_t i = 0; i < n; i++)
		if (words[i] >= 4096) // most are small numbers
			see_word(s, words[i]);
}

void scan_see_in_place(uintptr_t low, uintptr_t high, void *scan)
{
	low = align_up(low, sizeof(uintptr_t));
	if (low < high)
		scan_see((const uintptr_t *)low, (high - low) / sizeof(uintptr_t), scan);
}

// Of a large block much may be untouched; so it stays.
static void see_copied(uintptr_t low, uintptr_t high, void *scan)
{
	scan_read(low, high, scan_see, scan);
}

static void see_what_was_reached(struct scan *s)
{
	static const size_t LARGE = 1 << 20; // a guess

	while (s->work.count > 0) {
		struct scan_range r = ((struct scan_range *)s->work.items)[--s->work.count];

		if (r.high == 0)
			scan_see_goroutine(s, (const struct scan_goroutine *)r.low);
		else
			scan_without(&s->hidden, r.low, r.high,
				r.high - r.low < LARGE ? scan_see_in_place : see_copied, s);
	}
}

// ---- the blocked ----------------------------------------------------------------------------

static bool is_reached(const struct scan *s, const void *object)
{
	uintptr_t address = (uintptr_t)object;
	struct scan_range block;

	if (scan_ranges_have(&s->stacks, address)) {
		const struct scan_goroutine *sg = scan_goroutine_at(s, address);

		return !sg || sg->is_live;
	}
	if (scan_heap_block(&s->heap, address, &block))
		return scan_heap_is_marked(&s->heap, address);
	return true; // in memory that is a root
}

struct asking {
	const struct scan *scan;
	bool any_is_reached;
};

static void ask(const void *channel, void *asking)
{
	struct asking *a = asking;

	a->any_is_reached |= is_reached(a->scan, channel);
}

// Whether something that it waits for is reached, or somebody has woken it already.
static bool may_be_woken(const struct scan *s, const struct goroutine *g)
{
	struct asking a = {s, false};
	const struct queued *w = g->waiting;

	switch (g->wait_reason) {
	case WAIT_CHAN_RECV_NIL:
	case WAIT_CHAN_SEND_NIL:
	case WAIT_SELECT_NONE:
		return false;
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_SEND:
		return !chan_each_awaited(w, ask, &a) || a.any_is_reached;
	case WAIT_SELECT:
		return !select_each_awaited(w, ask, &a) || a.any_is_reached;
	default:
		return !w || !w->address || is_reached(s, g->wait_object);
	}
}

static bool is_candidate(const struct scan_goroutine *sg)
{
	const struct goroutine *g = sg->g;

	return load_relaxed(&g->state) == GOROUTINE_WAITING && g->id != MAIN_ID && // nobody runs
	       blocked_by_others(g->wait_reason);
}

static struct scan_goroutine *goroutine_number(const struct scan *s, size_t i)
{
	return &((struct scan_goroutine *)s->goroutines.items)[i];
}

static void decide(struct scan *s)
{
	bool found;

	for (size_t i = 0; i < s->goroutines.count; i++)
		if (!is_candidate(goroutine_number(s, i)))
			make_live(s, goroutine_number(s, i));
	do {
		see_what_was_reached(s);
		found = false;
		for (size_t i = 0; i < s->goroutines.count; i++) {
			struct scan_goroutine *sg = goroutine_number(s, i);

			if (!sg->is_live && may_be_woken(s, sg->g)) {
				make_live(s, sg);
				found = true;
			}
		}
	} while (found);
}

// ---- one look -------------------------------------------------------------------------------

static bool is_cut(const struct scan *s)
{
	return s->goroutines.is_cut || s->stacks.is_cut || s->hidden.is_cut || s->managed.is_cut ||
	       s->heap.parts.is_cut || s->heap.large.is_cut || s->work.is_cut || s->mappings.is_cut;
}

static void destroy(struct scan *s)
{
	scan_array_free(&s->goroutines, sizeof(struct scan_goroutine));
	scan_array_free(&s->stacks, sizeof(struct scan_range));
	scan_array_free(&s->hidden, sizeof(struct scan_range));
	scan_array_free(&s->managed, sizeof(struct scan_range));
	scan_array_free(&s->work, sizeof(struct scan_range));
	scan_array_free(&s->mappings, sizeof(struct sys_mapping));
	scan_heap_free(&s->heap);
}

static void take_result(const struct scan *s, struct scan_leaked *l)
{
	for (size_t i = 0; i < s->goroutines.count; i++) {
		const struct scan_goroutine *sg = goroutine_number(s, i);
		uint64_t *id = NULL;

		l->candidates += is_candidate(sg);
		if (!sg->is_live)
			id = scan_array_add(&l->ids, sizeof(*id));
		if (id)
			*id = sg->g->id;
	}
	scan_array_sort(&l->ids, sizeof(uint64_t));
}

// With all threads stopped. -EAGAIN: something is in the midst of a change.
static int look(struct scan *s, struct scan_leaked *l, bool accepts_partial_heap)
{
	if (!scan_prepare(s, accepts_partial_heap))
		return is_cut(s) ? -ENOMEM : -EAGAIN;
	scan_see_roots(s);
	decide(s);
	take_result(s, l);
	return is_cut(s) || l->ids.is_cut ? -ENOMEM : 0;
}

NOINLINE static int look_once(struct scan_leaked *l, const struct arch_saved *caller,
	struct sys_stopped *threads, size_t *deaf)
{
	struct goroutine *me = goroutine_current_or_null();
	const char *base = __builtin_frame_address(0);
	int error = -EAGAIN;

	for (int i = 0; error == -EAGAIN && i < STEADY_TRIES; i++) {
		struct scan s = {.threads = threads,
			.base = base,
			.caller = caller,
			.self = me && !(me->flags & GOROUTINE_THREAD) ? me : NULL,
			.on_valgrind = RUNNING_ON_VALGRIND,
			.skips_giants = race_is_on() || __asan_init};
		int64_t begin = sys_clock_now();

		if (i > 0)
			sys_sleep(PAUSE);
		s.thread_count = sys_threads_stop(threads, THREADS_MOST);
		if (s.thread_count < 0)
			return s.thread_count;
		error = look(&s, l, i >= HEAP_TRIES);
		sys_threads_resume();
		l->stopped_ns = sys_clock_now() - begin;
		*deaf = s.deaf;
		destroy(&s);
	}
	return error;
}

// Keeps of `l` what is in both.
static void keep_common(struct scan_leaked *l, const struct scan_leaked *second)
{
	uint64_t *ids = l->ids.items;
	size_t kept = 0;

	for (size_t i = 0; i < l->ids.count; i++)
		if (scan_leaked_has(second, ids[i]))
			ids[kept++] = ids[i];
	l->ids.count = kept;
}

int scan_leaked_take(struct scan_leaked *l, const struct arch_saved *caller)
{
	size_t bytes = THREADS_MOST * sizeof(struct sys_stopped), deaf = 0;
	struct sys_stopped *threads = sys_pages_alloc(bytes);
	int error = threads ? 0 : -ENOMEM;

	*l = (struct scan_leaked){.candidates = 0};
	if (!error)
		error = look_once(l, caller, threads, &deaf);
	if (!error && deaf > 0 && l->ids.count > 0) {
		struct scan_leaked second = {.candidates = 0};

		sys_sleep(PAUSE_CONFIRMING);
		error = look_once(&second, caller, threads, &deaf);
		keep_common(l, &second);
		scan_leaked_free(&second);
	}
	if (threads)
		sys_pages_free(threads, bytes);
	return error;
}

void scan_leaked_free(struct scan_leaked *l) { scan_array_free(&l->ids, sizeof(uint64_t)); }

bool scan_leaked_has(const struct scan_leaked *l, uint64_t id)
{
	const uint64_t *found = scan_array_find(&l->ids, sizeof(id), id);

	return found && *found == id;
}
