// SPDX-License-Identifier: MIT
/*
 * What the numbers of stacks mean. See names.h.
 *
 * A frame whose function holds others that the compiler inlined becomes several; each needs an
 * address of its own in Go's format, so those get numbers that are none.
 */
#include "trace/names.h"

#include "base/hash.h"
#include "debug/symbol.h"
#include "sched/goroutine.h"
#include "sys/sys.h"
#include "trace/stack.h"

#include <errno.h>
#include <string.h>

static void take_function(const struct symbol *s, void *function)
{
	*(const char **)function = s->function; // of inlined ones the last: the one that holds them
}

static bool is_entry(uintptr_t pc)
{
	const char *function = NULL;

	symbol_each((struct backtrace_frame){pc, false}, take_function, &function);
	return symbol_is_public(function);
}

// Keeps of each run of the runtime's frames the public function; drops one at the outer end. As in
// pprof/goroutine.c.
static uint32_t keep_programs_frames(const uintptr_t *pcs, uint32_t count, uintptr_t *kept)
{
	uintptr_t outermost = 0; // of the run
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (symbol_is_runtime(pcs[i])) {
			outermost = pcs[i];
			continue;
		}
		if (outermost && is_entry(outermost))
			kept[n++] = outermost;
		outermost = 0;
		kept[n++] = pcs[i];
	}
	if (n == 0 && outermost)
		kept[n++] = outermost;
	return n;
}

struct naming {
	struct named_frame *frames;
	uint32_t count;
	uint64_t pc;
	uint32_t inlined; // of this address
	bool is_runtime;  // then only the function that holds the others counts
};

static void take_frame(const struct symbol *s, void *arg)
{
	struct naming *n = arg;

	if (n->is_runtime && n->inlined > 0)
		n->count--;
	if (n->count == NAMED_FRAMES_MAX)
		return;
	n->frames[n->count++] = (struct named_frame){
		.pc = n->pc | (uint64_t)n->inlined++ << 56,
		.function = s->function ? s->function : "?",
		.file = s->file ? s->file : "?",
		.line = s->line,
	};
}

uint32_t names_of_stack(uint32_t number, struct named_frame frames[NAMED_FRAMES_MAX])
{
	const uintptr_t *pcs;
	uintptr_t kept[STACK_FRAMES_MAX];
	uint32_t count = stack_frames(number, &pcs);
	struct naming n = {.frames = frames};

	count = keep_programs_frames(pcs, count, kept);
	for (uint32_t i = 0; i < count; i++) {
		n.pc = kept[i];
		n.inlined = 0;
		n.is_runtime = symbol_is_runtime(kept[i]);
		symbol_each((struct backtrace_frame){kept[i], false}, take_frame, &n);
	}
	return n.count;
}

const char *names_of_reason(uint32_t reason)
{
	switch (reason) {
	case WAIT_IO:
		return "network";
	case WAIT_SEMAPHORE:
		return "sync (semaphore)";
	case WAIT_SINGLEFLIGHT:
		return "sync (singleflight)";
	case WAIT_JOIN:
		return "sync (tuza_join)";
	default:
		return wait_reason_text((enum wait_reason)reason);
	}
}

// ---- numbers for names -----------------------------------------------------------------------

enum { KNOWN_NAMES = 1 << 15 };

struct known_name {
	const char *name;
	uint32_t number;
};

int names_begin(struct known_names *k)
{
	*k = (struct known_names){sys_pages_alloc(KNOWN_NAMES * sizeof(*k->slots)), 0};
	return k->slots ? 0 : -ENOMEM;
}

void names_end(struct known_names *k)
{
	if (k->slots)
		sys_pages_free(k->slots, KNOWN_NAMES * sizeof(*k->slots));
}

uint32_t names_number(struct known_names *k, const char *name, bool *is_new)
{
	struct known_name *slot = &k->slots[((uintptr_t)name * HASH_FACTOR >> 32) % KNOWN_NAMES];

	*is_new = slot->name != name;
	if (*is_new)
		*slot = (struct known_name){name, k->count++};
	return slot->number;
}
