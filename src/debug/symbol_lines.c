// SPDX-License-Identifier: MIT
/*
 * Line information by libbacktrace, which gcc brings along; without it the dynamic linker's symbols
 * must do.
 *
 * libbacktrace is fit for signal handlers as built for gcc: it allocates by mmap (its lock is only
 * ever tried), and its state is read and published by atomics, so threads may look up at the same
 * time. Its one lock is that of dl_iterate_phdr, recursive, in the first look-up. Modules loaded
 * later are unknown to it. ThreadSanitizer knows nothing of all that, and looks away.
 */
#include "debug/symbol.h"

#if TUZA_HAVE_LIBBACKTRACE

#include "base/atomic.h"
#include "base/race_hooks.h"
#include "sched/config.h"

#include <backtrace.h>
#include <errno.h>

// A missing file or section is no error here: there is less to show.
static void ignore_error(void *arg, const char *message, int code)
{
	(void)arg;
	(void)message;
	(void)code;
}

// What the first look-up takes for the program, the C library and what else has line information:
// 17 MB with libc6-dbg.
enum { LINES_MEMORY = 32 << 20 };

/*
 * Made by the first look-up and never freed: libbacktrace has no function for that. A report that
 * memory has run out is better without lines than cut short by the kernel.
 */
static struct backtrace_state *shared_state(void)
{
	static struct backtrace_state *state;
	// (symbol-state) pairs with the cas below: the state is initialised when it is seen.
	struct backtrace_state *s = load_acquire(&state);

	if (s)
		return s;
	if (!config_memory_allows(LINES_MEMORY))
		return NULL;
	struct backtrace_state *mine = backtrace_create_state(NULL, 1, ignore_error, NULL);
	// (symbol-state) pairs with the load above. Of two first look-ups one loses a few hundred
	// bytes.
	if (mine && !cas_acq_rel(&state, &s, mine))
		mine = s;
	return mine;
}

struct lines_call {
	lines_visit *visit;
	void *arg;
};

static int found_line(void *arg, uintptr_t pc, const char *file, int line, const char *function)
{
	const struct lines_call *call = arg;

	(void)pc;
	if (file || function)
		call->visit(function, file, line, call->arg);
	return 0;
}

void lines_at(uintptr_t address, lines_visit *visit, void *arg)
{
	struct lines_call call = {visit, arg};
	int saved_errno = errno;

	race_ignore_begin();
	struct backtrace_state *state = shared_state();

	if (state)
		backtrace_pcinfo(state, address, found_line, ignore_error, &call);
	race_ignore_end();
	errno = saved_errno;
}

struct found_symbol {
	const char *function;
	uintptr_t start;
};

static void found_function(
	void *arg, uintptr_t pc, const char *function, uintptr_t start, uintptr_t bytes)
{
	struct found_symbol *found = arg;

	(void)pc;
	(void)bytes;
	found->function = function;
	found->start = start;
}

const char *lines_function(uintptr_t address, uintptr_t *start)
{
	struct found_symbol found = {NULL, 0};
	int saved_errno = errno;

	race_ignore_begin();
	struct backtrace_state *state = shared_state();

	if (state)
		backtrace_syminfo(state, address, found_function, ignore_error, &found);
	race_ignore_end();
	errno = saved_errno;
	*start = found.start;
	return found.function;
}

#else

void lines_at(uintptr_t address, lines_visit *visit, void *arg)
{
	(void)address;
	(void)visit;
	(void)arg;
}

const char *lines_function(uintptr_t address, uintptr_t *start)
{
	(void)address;
	*start = 0;
	return NULL;
}

#endif
