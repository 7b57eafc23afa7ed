// SPDX-License-Identifier: MIT
// Which frames a profile shows, see frames.h.
#include "pprof/frames.h"

#include "debug/symbol.h"

NOINLINE void frames_of_caller(struct backtrace *b, const struct arch_saved *caller)
{
	if (caller)
		backtrace_context(b, caller);
	else
		backtrace_here(b);
}

static void take_function(const struct symbol *s, void *function)
{
	*(const char **)function = s->function; // of inlined ones the last: the one that holds them
}

static bool is_entry(struct backtrace_frame frame)
{
	const char *function = NULL;

	symbol_each(frame, take_function, &function);
	return symbol_is_public(function);
}

uint32_t pprof_programs_frames(
	const struct backtrace_frame *frames, uint32_t count, struct backtrace_frame *kept)
{
	const struct backtrace_frame *outermost = NULL; // of the run
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (symbol_is_runtime(frames[i].pc - frames[i].is_return)) {
			outermost = &frames[i];
			continue;
		}
		if (outermost && is_entry(*outermost))
			kept[n++] = *outermost;
		outermost = NULL;
		kept[n++] = frames[i];
	}
	// The program's function ended in this call and gave up its frame for it.
	if (n == 0 && outermost && is_entry(*outermost))
		kept[n++] = *outermost;
	return n;
}

uint32_t pprof_callers_frames(
	const struct backtrace_frame *frames, uint32_t count, struct backtrace_frame *kept)
{
	uint32_t own = 0;

	while (own < count && symbol_is_runtime(frames[own].pc - frames[own].is_return))
		own++;
	if (own == count) // the library's own, or the program's function gave up its frame
		return pprof_programs_frames(frames, count, kept);
	return pprof_programs_frames(frames + own, count - own, kept);
}
