// SPDX-License-Identifier: MIT
/*
 * Stacks as numbers. See stack.h.
 *
 * What a machine knows of program counters and stacks is its own, found by one look; what it does
 * not know the unwind tables are asked for (a microsecond), or the table of all stacks, under its
 * lock. So a stack that occurs again and again costs its frames alone.
 *
 * A frame whose end is not to be told from the stack or the frame pointer alone ends the walk:
 * functions that align their stack, and assembler without tables. Stacks beyond STACK_FRAMES_MAX
 * frames lose their outer ones; beyond STACKS_MAX different stacks have no number.
 *
 * Lock: `lock`, the last in the order.
 */
#include "trace/stack.h"

#include "debug/unwind_table.h"
#include "sched/lock.h"
#include "sys/sys.h"

#include <errno.h>

enum {
	STACKS_MAX = 1 << 16,
	SLOTS = STACKS_MAX * 2,
	WORDS = STACKS_MAX * 16,
	FROM_FP = 1, // in stack_step.cfa, beside twice the offset
	WAYS = 4,    // a power of two
	ENDS = 0,    // stack_step.cfa: how it goes on is not known
	ROOT = 1 << 30,
	FP_SAME = INT16_MIN,
};

struct numbered {
	uint64_t hash;
	const uintptr_t *pcs;
	uint32_t count;
};

// All of it guarded by the lock; numbered stacks are constant.
static struct lock lock;
static struct tables {
	uint32_t slots[SLOTS]; // numbers by hash; 0: free
	struct numbered stacks[STACKS_MAX];
	uintptr_t words[WORDS]; // of which stacks are made
} * tables;
static uint32_t stacks_used; // numbers below exist, from 1 on
static uint32_t words_used;
uint32_t stack_epoch = 1;

// ---- steps -----------------------------------------------------------------------------------

static bool offset_fits(const struct unwind_rule *rule, int16_t *words)
{
	if (rule->kind != RULE_OFFSET || rule->offset % (int64_t)sizeof(uintptr_t) != 0 ||
		rule->offset <= -100000 || rule->offset >= 100000)
		return false;
	*words = (int16_t)(rule->offset / (int64_t)sizeof(uintptr_t));
	return true;
}

// Asks the tables for the step out of the function at pc. 800 bytes of stack.
static NOINLINE void learn_step(struct stack_step *step, uintptr_t pc)
{
	struct unwind_row row;
	bool from_fp;

	*step = (struct stack_step){.pc = pc, .cfa = ENDS};
	if (!unwind_table_find(pc, UNWIND_ANYWHERE, &row))
		return;
	if (unwind_is_root(&row)) {
		step->cfa = ROOT;
		return;
	}
	from_fp = row.cfa_register == ARCH_UNWIND_FP;
	if (row.cfa_expression || (!from_fp && row.cfa_register != ARCH_UNWIND_SP) ||
		row.cfa_offset <= 0 || row.cfa_offset >= ROOT / 4 ||
		row.return_column >= ARCH_UNWIND_REGISTERS ||
		!offset_fits(&row.rules[row.return_column], &step->ra))
		return;
	step->fp = FP_SAME;
	if (row.rules[ARCH_UNWIND_FP].kind != RULE_SAME &&
		!offset_fits(&row.rules[ARCH_UNWIND_FP], &step->fp))
		return;
	step->cfa = (uint32_t)row.cfa_offset * 2 | (from_fp ? FROM_FP : 0);
}

// Where pc's step is, or may be: in one of WAYS places.
static ALWAYS_INLINE struct stack_step *step_at(struct stack_walker *w, uintptr_t pc)
{
	uint32_t at = (uint32_t)((pc * HASH_FACTOR) >> 40) % STACK_STEPS & ~(WAYS - 1u);
	struct stack_step *steps = &w->steps[at];

	for (uint32_t i = 0; i < WAYS; i++)
		if (likely(steps[i].pc == pc))
			return &steps[i];
	struct stack_step *step = &steps[w->turn++ % WAYS];
	learn_step(step, pc);
	return step;
}

// ---- walks -----------------------------------------------------------------------------------

static ALWAYS_INLINE uint64_t mix(uint64_t hash, uintptr_t pc)
{
	hash = (hash ^ pc) * HASH_FACTOR;
	return hash ^ hash >> 29;
}

static void memo_begin(struct stack_memo *memo, const struct arch_here *at)
{
	memo->pc = at->pc;
	memo->count = 0;
	memo->number = 0;
}

// False: the walk cannot be remembered.
static bool memo_add(struct stack_memo *memo, const uintptr_t *sp, const uintptr_t *address)
{
	uintptr_t words = (uintptr_t)(address - sp);

	if (memo->count == STACK_MEMO_FRAMES || words > UINT16_MAX) {
		memo->count = 0;
		return false;
	}
	memo->words[memo->count] = (uint16_t)words;
	memo->returns[memo->count++] = *address;
	return true;
}

// memo: where it is to be remembered, or NULL.
static uint32_t walk(struct stack_walker *w, struct arch_here at, uintptr_t top, uintptr_t *pcs,
	uint64_t *hash, struct stack_memo *memo)
{
	const uintptr_t *sp = (const uintptr_t *)at.sp;
	uint32_t n = 0;

	*hash = 0;
	if (memo)
		memo_begin(memo, &at);
	while (n < STACK_FRAMES_MAX) {
		struct stack_step step = *step_at(w, at.pc);

		if (step.cfa == ROOT)
			break;
		pcs[n++] = at.pc;
		*hash = mix(*hash, at.pc);
		uintptr_t cfa = (step.cfa & FROM_FP ? at.fp : at.sp) + step.cfa / 2;

		// It goes up, and stays on this stack: else the tables are wrong.
		if (step.cfa == ENDS || cfa <= at.sp || cfa > top || cfa % sizeof(uintptr_t) != 0)
			break;
		const uintptr_t *frame = (const uintptr_t *)cfa;
		if ((uintptr_t)(frame + step.ra) < at.sp || step.ra >= 0)
			break;
		if (memo && (step.cfa & FROM_FP || !memo_add(memo, sp, frame + step.ra))) {
			memo->count = 0;
			memo = NULL;
		}
		at.pc = arch_return_address_of(frame[step.ra]) - 1; // inside the call
		if (step.fp != FP_SAME) {
			if ((uintptr_t)(frame + step.fp) < at.sp || step.fp >= 0)
				break;
			at.fp = frame[step.fp];
		}
		at.sp = cfa;
	}
	return n;
}

// ---- numbers ---------------------------------------------------------------------------------

// Needs: the lock
static uint32_t number_locked(uint64_t hash, const uintptr_t *pcs, uint32_t count)
{
	uint32_t at = (uint32_t)hash % SLOTS;

	if (!tables)
		return 0;
	for (; tables->slots[at] != 0; at = (at + 1) % SLOTS)
		if (tables->stacks[tables->slots[at]].hash == hash)
			return tables->slots[at];
	if (stacks_used == STACKS_MAX || words_used + count > WORDS)
		return 0;
	uintptr_t *copy = &tables->words[words_used];

	for (uint32_t i = 0; i < count; i++)
		// Under the lock, of which ThreadSanitizer knows nothing: it would see a memcpy.
		store_relaxed(&copy[i], pcs[i]);
	words_used += count;
	tables->stacks[stacks_used] = (struct numbered){hash, copy, count};
	tables->slots[at] = stacks_used;
	return stacks_used++;
}

static NOINLINE uint32_t learn_number(
	struct stack_known *known, uint64_t hash, const uintptr_t *pcs, uint32_t count)
{
	lock_acquire(&lock);
	uint32_t number = number_locked(hash, pcs, count);
	uint32_t now = stack_epoch;
	lock_release(&lock);
	if (number)
		*known = (struct stack_known){hash, number, now};
	return number;
}

static uint32_t number_of(
	struct stack_walker *w, uint64_t hash, const uintptr_t *pcs, uint32_t count)
{
	struct stack_known *known = &w->known[hash >> 40 & (STACK_NUMBERS - WAYS)];

	if (count == 0)
		return 0;
	for (uint32_t i = 0; i < WAYS; i++)
		// A epoch ends when nobody notes any more: a late look finds the old one.
		if (known[i].hash == hash && known[i].epoch == load_relaxed(&stack_epoch))
			return known[i].number;
	return learn_number(&known[w->turn++ % WAYS], hash, pcs, count);
}

NOINLINE uint32_t stack_number_walk(struct stack_walker *w, const struct arch_here *here,
	const char *top, struct stack_memo *set)
{
	uintptr_t pcs[STACK_FRAMES_MAX];
	struct stack_memo *memo = &set[w->turn++ % STACK_WAYS];
	uint64_t hash;
	uint32_t n = walk(w, *here, (uintptr_t)top, pcs, &hash, memo);
	uint32_t number = number_of(w, hash, pcs, n);

	if (memo->count > 0) {
		memo->epoch = load_relaxed(&stack_epoch); // as in number_of
		memo->number = number;
	}
	return number;
}

uint32_t stack_number_of(struct stack_walker *w, const struct arch_saved *context, const char *top)
{
	uintptr_t pcs[STACK_FRAMES_MAX];
	struct arch_here at = {
		arch_saved_pc(context) - 1, (uintptr_t)(context + 1), arch_saved_fp(context)};
	uint64_t hash;
	uint32_t n = walk(w, at, (uintptr_t)top, pcs, &hash, NULL);

	return number_of(w, hash, pcs, n);
}

uint32_t stack_number_of_pc(struct stack_walker *w, uintptr_t pc, bool is_return)
{
	pc -= is_return;
	return pc ? number_of(w, mix(0, pc), &pc, 1) : 0;
}

uint32_t stack_frames(uint32_t number, const uintptr_t **pcs)
{
	uint32_t count = 0;

	lock_acquire(&lock);
	if (tables && number > 0 && number < stacks_used) {
		*pcs = tables->stacks[number].pcs;
		count = tables->stacks[number].count;
	}
	lock_release(&lock);
	return count;
}

uint32_t stack_count(void)
{
	lock_acquire(&lock);
	uint32_t n = stacks_used;
	lock_release(&lock);
	return n;
}

int stacks_begin(void)
{
	struct tables *t = sys_pages_alloc(sizeof(*t)); // memory where it is touched

	if (!t)
		return -ENOMEM;
	lock_acquire(&lock);
	tables = t;
	stacks_used = 1;
	words_used = 0;
	store_relaxed(&stack_epoch, stack_epoch + 1); // as in number_of
	lock_release(&lock);
	return 0;
}

void stacks_forget(void)
{
	lock_acquire(&lock);
	struct tables *t = tables;
	tables = NULL;
	stacks_used = 0;
	store_relaxed(&stack_epoch, stack_epoch + 1); // as in number_of
	lock_release(&lock);
	if (t)
		sys_pages_free(t, sizeof(*t));
}
