// SPDX-License-Identifier: MIT
/*
 * What the unwinder of the C++ runtime sees, for the tests.
 */
#ifndef TUZA_TESTS_ARCH_TRACE_H
#define TUZA_TESTS_ARCH_TRACE_H

#include "contexts.h"

#include <unwind.h>

struct trace {
	unsigned n;
	const void *functions[64]; // where each frame's function begins
	uintptr_t fp[64];          // what each frame has in the frame pointer's register
	uintptr_t root_cfa;        // sp before the outermost function was entered; 0: no end seen
};

#define ADDRESS(fn) ((const void *)(uintptr_t)(fn))

#if defined(__x86_64__)
#define DWARF_FP 6
#else
#define DWARF_FP 29
#endif

static _Unwind_Reason_Code trace_add(struct _Unwind_Context *frame, void *trace)
{
	struct trace *t = trace;
	int before = 0;
	uintptr_t pc = _Unwind_GetIPInfo(frame, &before);

	if (t->n == COUNT_OF(t->functions))
		return _URC_END_OF_STACK;
	if (!pc) { // libgcc shows the root's caller too, which is none
		t->root_cfa = _Unwind_GetCFA(frame);
		return _URC_NO_REASON;
	}
	t->functions[t->n] = _Unwind_FindEnclosingFunction((void *)(pc - !before));
	t->fp[t->n] = _Unwind_GetGR(frame, DWARF_FP);
	t->n++;
	return _URC_NO_REASON;
}

static NOINLINE void trace_here(void *trace)
{
	((struct trace *)trace)->n = 0;
	((struct trace *)trace)->root_cfa = 0;
	_Unwind_Backtrace(trace_add, trace);
}

static inline bool trace_has(const struct trace *t, const void *fn)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->functions[i] == fn)
			return true;
	return false;
}

// The trace ends in `root`, at the top of `stack`.
static inline bool trace_ends_at(const struct trace *t, const void *root, char *stack)
{
	return t->n > 0 && t->functions[t->n - 1] == root &&
	       t->root_cfa == (uintptr_t)stack_top(stack);
}

// A walk along the frame pointers ends there too.
static inline bool trace_ends_for_frame_pointers(const struct trace *t)
{
	return t->fp[t->n - 1] == 0;
}

#endif
