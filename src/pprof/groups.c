// SPDX-License-Identifier: MIT
/*
 * Groups of goroutines, kept from look to look.
 *
 * Walking a stack by the unwind tables costs 0.3 us a frame, and a program may have a million of
 * goroutines at a few places. So a walk leaves a shape behind: how deep the stack is, and where in
 * it the return addresses lie. A goroutine as deep that has the same addresses in the same places
 * stands where the other one stood: its stack is not walked, only compared, a word per frame.
 * Nothing is remembered of the single goroutine.
 *
 * All of it is guarded by the report lock (pprof_look_up). What no look has met for a while is
 * dropped; groups and shapes are limited in number.
 */
#include "pprof/groups.h"

#include "base/atomic.h"
#include "base/hash.h"
#include "debug/ask.h"
#include "debug/unwind_entry.h"
#include "sched/current.h"
#include "sched/timer.h"
#include "sys/clock.h"
#include "sys/valgrind.h"

#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS = 1024,
	GROUPS_MAX = 4096, // in which goroutines can be counted; others are `unknown`
	SHAPES_MAX = 4096,
	CHAIN_MAX = 16,  // shapes tried for one goroutine
	KEPT_LOOKS = 30, // that a group outlives its last goroutine: it may come back
	// Frames walked in one look, about 0.2 s: what lies beyond is `unknown`.
	FRAMES_WALKED_MAX = 600000,
	ASKED_MAX = 64, // threads interrupted in one look
};

struct shape {
	struct shape *next; // of its bucket
	uint64_t hash;
	uint32_t depth; // bytes from the saved context to the end of the stack
	uintptr_t creation_pc;
	struct group *group;
	uint32_t places
		[]; // of each frame but the first: its return address, bytes above the context
};

static struct {
	struct group *groups[BUCKETS];
	struct shape *shapes[BUCKETS];
	uint32_t group_count, shape_count;
	uint32_t look; // their number
} known APART;

// ---- groups ------------------------------------------------------------------------------------

static bool is_of(
	const struct group *g, uint64_t hash, const struct group *key, const struct backtrace *b)
{
	if (g->hash != hash || g->creation_pc != key->creation_pc || g->doing != key->doing ||
		g->frame_count != b->count || g->elided != b->elided)
		return false;
	for (uint32_t i = 0; i < b->count; i++)
		if (g->frames[i].pc != b->frames[i].pc)
			return false;
	return true;
}

// The group of this stack, made if there is none; NULL: there are too many, or no memory.
static struct group *group_get(const struct group *key, const struct backtrace *b)
{
	uint64_t hash = hash_mix(hash_mix(key->creation_pc, key->doing), b->elided);
	struct group *g;

	for (uint32_t i = 0; i < b->count; i++)
		hash = hash_mix(hash, b->frames[i].pc);
	for (g = known.groups[hash % BUCKETS]; g; g = g->next)
		if (is_of(g, hash, key, b))
			return g;
	if (known.group_count == GROUPS_MAX)
		return NULL;
	g = calloc(1, sizeof(*g) + b->count * sizeof(g->frames[0]));
	if (!g)
		return NULL;
	g->hash = hash;
	g->creation_pc = key->creation_pc;
	g->doing = key->doing;
	g->frame_count = b->count;
	g->elided = b->elided;
	memcpy(g->frames, b->frames, b->count * sizeof(g->frames[0]));
	g->next = known.groups[hash % BUCKETS];
	known.groups[hash % BUCKETS] = g;
	known.group_count++;
	return g;
}

// ---- shapes ------------------------------------------------------------------------------------

// The word there in a held goroutine's stack. Atomic: sanitizers know nothing of the hold.
static uintptr_t stack_word(const struct arch_saved *context, uint32_t place)
{
	return load_relaxed((const uintptr_t *)(const void *)((const char *)context + place));
}

static uint64_t shape_hash(const struct inspected *i, uint32_t depth)
{
	return hash_mix(hash_mix(arch_saved_pc(i->context), depth), i->creation_pc);
}

static bool has_shape(const struct shape *s, const struct arch_saved *context)
{
	const struct group *g = s->group;

	for (uint32_t i = 1; i < g->frame_count; i++)
		if (stack_word(context, s->places[i - 1]) != g->frames[i].pc)
			return false;
	return true;
}

static uint32_t stack_depth(const struct inspected *i)
{
	uintptr_t depth = (uintptr_t)i->stack.top - (uintptr_t)i->context;

	return depth < UINT32_MAX / 2 && i->context ? (uint32_t)depth : 0;
}

static struct group *group_by_shape(const struct inspected *i, uint32_t depth)
{
	uint64_t hash = shape_hash(i, depth);
	int left = CHAIN_MAX;

	for (const struct shape *s = known.shapes[hash % BUCKETS]; s && left > 0; s = s->next)
		if (s->hash == hash && s->depth == depth && s->creation_pc == i->creation_pc) {
			if (s->group->frames[0].pc == arch_saved_pc(i->context) &&
				has_shape(s, i->context))
				return s->group;
			left--;
		}
	return NULL;
}

/*
 * Where the return address into frame n lies: it is the last word of the frame below it (x86-64),
 * or one before. 0: it is not there, because it is signed or in a register.
 */
static uint32_t find_place(const struct arch_saved *context, const uint32_t *tops, uint32_t n,
	uint32_t depth, uintptr_t pc)
{
	uint32_t lowest = n > 1 ? tops[n - 1] : (uint32_t)sizeof(*context);
	uint32_t place = tops[n];

	if (place > depth || place % sizeof(uintptr_t) != 0)
		return 0;
	while (place >= lowest + sizeof(uintptr_t)) {
		place -= (uint32_t)sizeof(uintptr_t);
		if (stack_word(context, place) == pc)
			return place;
	}
	return 0;
}

static void shape_add(const struct inspected *i, uint32_t depth, const struct backtrace *b,
	const uint32_t *tops, struct group *g)
{
	struct shape *s;
	uint32_t n = b->count;

	// Valgrind would tell of words that are compared and were never written.
	if (n == 0 || b->elided > 0 || known.shape_count == SHAPES_MAX || RUNNING_ON_VALGRIND)
		return;
	s = malloc(sizeof(*s) + (n - 1) * sizeof(s->places[0]));
	if (!s)
		return;
	for (uint32_t k = 1; k < n; k++) {
		s->places[k - 1] = find_place(i->context, tops, k, depth, b->frames[k].pc);
		if (s->places[k - 1] == 0) {
			free(s);
			return;
		}
	}
	s->hash = shape_hash(i, depth);
	s->depth = depth;
	s->creation_pc = i->creation_pc;
	s->group = g;
	s->next = known.shapes[s->hash % BUCKETS];
	known.shapes[s->hash % BUCKETS] = s;
	known.shape_count++;
}

// ---- forgetting --------------------------------------------------------------------------------

static bool is_stale(const struct group *g)
{
	uint32_t most = known.group_count >= GROUPS_MAX / 2 ? 1 : KEPT_LOOKS;

	return known.look - g->look > most;
}

static void forget_stale(void)
{
	bool all_shapes = known.shape_count == SHAPES_MAX; // some may be of no use any more

	for (uint32_t i = 0; i < BUCKETS; i++)
		for (struct shape **at = &known.shapes[i], *s; (s = *at);) {
			if (!all_shapes && !is_stale(s->group)) {
				at = &s->next;
				continue;
			}
			*at = s->next;
			free(s);
			known.shape_count--;
		}
	for (uint32_t i = 0; i < BUCKETS; i++)
		for (struct group **at = &known.groups[i], *g; (g = *at);) {
			if (!is_stale(g)) {
				at = &g->next;
				continue;
			}
			*at = g->next;
			free(g->text);
			free(g);
			known.group_count--;
		}
}

// ---- a look ------------------------------------------------------------------------------------

struct looking {
	struct groups *groups;
	groups_visit *visit;
	void *arg;
	uint32_t frames; // walked
	uint32_t asked;
	struct ask_patience patience;
};

void group_copy_text(char to[GROUP_TEXT_BYTES], const char *text)
{
	uint32_t n = 0;

	// By atomics: see the note on races in goroutine.c.
	for (char c; n < GROUP_TEXT_BYTES - 1 && (c = load_relaxed(&text[n])) != 0; n++) // held
		to[n] = c;
	to[n] = 0;
}

void group_mark_leaked(struct group *g)
{
	if (g->leaked_look != known.look)
		g->leaked = 0;
	g->leaked_look = known.look;
	g->leaked++;
}

static void begin_look_of(struct group *g)
{
	if (g->look == known.look)
		return;
	if (g->look != known.look - 1)
		g->grows_since = g->leaked = 0; // there were none of them
	g->look = known.look;
	g->count = g->waiting = g->runnable = g->young = g->example_count = 0;
	g->oldest = 0;
	g->young_first_id = g->old_last_id = 0;
	g->name[0] = g->labels[0] = 0;
	memset(g->ages, 0, sizeof(g->ages));
}

static void count(struct group *g, const struct inspected *i)
{
	begin_look_of(g);
	g->count++;
	if (g->example_count < GROUP_EXAMPLES)
		g->examples[g->example_count++] = i->id;
	if (g->name[0] == 0 && i->name)
		group_copy_text(g->name, i->name);
	if (g->labels[0] == 0 && i->labels)
		group_copy_text(g->labels, i->labels);
	if (g->doing != GOROUTINE_RUNNABLE)
		return;
	if (i->state == GOROUTINE_WAITING) {
		g->waiting++;
		g->reason = i->reason;
		group_add_age(g, i->id, i->waiting_ns);
	} else {
		g->runnable++;
	}
}

static NOINLINE struct group *group_not_started(const struct inspected *i)
{
	struct group key = {.creation_pc = i->creation_pc, .doing = GOROUTINE_RUNNABLE};
	struct backtrace b = {
		.count = 1, .frames = {{.pc = (uintptr_t)i->entry, .is_return = false}}};

	return group_get(&key, &b);
}

/*
 * One that runs is asked where it is. Where in the innermost function is another place in each
 * look, so the function as a whole stands for it.
 */
static NOINLINE struct group *group_of_running(struct looking *l, const struct inspected *i)
{
	struct group key = {.creation_pc = i->creation_pc,
		.doing = i->state == GOROUTINE_BLOCKED ? GOROUTINE_BLOCKED : GOROUTINE_RUNNING};
	struct unwind_fde fde;
	struct asked a;

	if (i->is_current || l->asked >= ASKED_MAX || !ask_running(i, &l->patience, &a, 0))
		a.b.count = a.b.elided = 0;
	l->asked++;
	if (a.b.count > 0 && unwind_entry_find(a.b.frames[0].pc, UNWIND_ALL, &fde))
		a.b.frames[0] = (struct backtrace_frame){fde.function, false};
	return group_get(&key, &a.b);
}

static NOINLINE struct group *group_by_walk(
	struct looking *l, const struct inspected *i, uint32_t depth)
{
	struct group key = {.creation_pc = i->creation_pc, .doing = GOROUTINE_RUNNABLE};
	uint32_t tops[BACKTRACE_MAX];
	struct backtrace b;
	struct group *g;

	if (l->frames >= FRAMES_WALKED_MAX)
		return NULL;
	backtrace_context_tops(&b, i->context, tops);
	l->groups->walked++;
	l->frames += b.count + b.elided;
	g = group_get(&key, &b);
	if (g)
		shape_add(i, depth, &b, tops, g);
	return g;
}

static struct group *group_of(struct looking *l, const struct inspected *i)
{
	uint32_t depth = stack_depth(i);
	struct group *g;

	if (i->entry)
		return group_not_started(i);
	if (!i->context || i->is_current || depth == 0)
		return group_of_running(l, i);
	g = group_by_shape(i, depth);
	return g ? g : group_by_walk(l, i, depth);
}

// inspect_each's: the goroutine is held, or runs.
static void look(const struct inspected *i, void *arg)
{
	struct looking *l = arg;
	struct groups *all = l->groups;
	struct group *g;

	if (i->g->flags & GOROUTINE_THREAD)
		return;
	if (i->state == GOROUTINE_RUNNING && all->running_count < GROUPS_RUNNING)
		all->running[all->running_count++] =
			(struct group_runner){load_relaxed(&i->g->machine), i->id}; // a glimpse
	all->goroutines++;
	g = group_of(l, i);
	if (!g) {
		all->unknown++;
		return;
	}
	count(g, i);
	if (l->visit)
		l->visit(i, g, l->arg);
}

static int compare(const void *left, const void *right)
{
	const struct group *a = *(struct group *const *)left, *b = *(struct group *const *)right;

	if (a->suspicion != b->suspicion)
		return a->suspicion > b->suspicion ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->hash == b->hash ? 0 : a->hash > b->hash ? -1 : 1; // any that stays the same
}

static void sort_groups(struct groups *all)
{
	all->sorted = malloc((known.group_count + 1) * sizeof(struct group *));
	for (uint32_t i = 0; all->sorted && i < BUCKETS; i++)
		for (struct group *g = known.groups[i]; g; g = g->next)
			if (g->look == known.look) {
				group_judge(g, all->now);
				all->sorted[all->count++] = g;
			}
	if (all->sorted)
		qsort(all->sorted, all->count, sizeof(struct group *), compare);
}

void groups_look(struct groups *g, groups_visit *visit, void *arg)
{
	struct looking l = {.groups = g, .visit = visit, .arg = arg};

	*g = (struct groups){.now = sys_clock_now()};
	known.look++;
	forget_stale();
	inspect_each(look, &l);
	sort_groups(g);
}

void groups_end(struct groups *g) { free(g->sorted); }
