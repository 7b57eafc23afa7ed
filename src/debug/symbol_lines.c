// SPDX-License-Identifier: MIT
/*
 * Line information by libbacktrace, which gcc brings along; without it the dynamic linker's symbols
 * must do.
 *
 * libbacktrace is fit for signal handlers as built for gcc: it allocates by mmap (its lock is only
 * ever tried), and its state is read and published by atomics, so threads may look up at the same
 * time. Its one lock is that of dl_iterate_phdr, recursive, in the first look-up. Modules loaded
 * later are unknown to it. ThreadSanitizer knows nothing of all that, and looks away.
 *
 * It reads all modules at once, and the debug information of the C library alone, where it is
 * installed, takes ten times as long as the program's. Frames of goroutines are hardly ever in
 * there: so the program has a state of its own, and the others are read when one of them is asked
 * for.
 */
#define _GNU_SOURCE
#include "debug/symbol.h"

#if TUZA_HAVE_LIBBACKTRACE

#include "base/atomic.h"
#include "base/race_hooks.h"
#include "sched/config.h"

#include <backtrace.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>

// A missing file or section is no error here: there is less to show.
static void ignore_error(void *arg, const char *message, int code)
{
	(void)arg;
	(void)message;
	(void)code;
}

// What a first look-up takes for the program, or for the C library and what else has line
// information: 17 MB with libc6-dbg.
enum { LINES_MEMORY = 32 << 20 };

// Which modules a state knows: the program and this library, or all others.
enum lines_of { LINES_OF_PROGRAM, LINES_OF_OTHERS, LINES_KINDS };

// What this thread's look-up is for, while libbacktrace asks for the modules.
static __thread enum lines_of lines_wanted;

static bool holds_this_library(const struct dl_phdr_info *module)
{
	for (int i = 0; i < module->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &module->dlpi_phdr[i];
		uintptr_t start = module->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && (uintptr_t)lines_at - start < part->p_memsz)
			return true;
	}
	return false;
}

struct module_visit {
	int (*visit)(struct dl_phdr_info *module, size_t size, void *arg);
	void *arg;
};

static int visit_if_wanted(struct dl_phdr_info *module, size_t size, void *arg)
{
	const struct module_visit *v = arg;
	bool is_program = module->dlpi_name[0] == 0 || holds_this_library(module);

	return is_program == (lines_wanted == LINES_OF_PROGRAM) ? v->visit(module, size, v->arg)
								: 0;
}

// What libbacktrace calls instead of dl_iterate_phdr (cmake/TuzaLibrary.cmake).
int lines_each_module(int (*visit)(struct dl_phdr_info *, size_t, void *), void *arg);
int lines_each_module(int (*visit)(struct dl_phdr_info *, size_t, void *), void *arg)
{
	struct module_visit v = {visit, arg};

	return dl_iterate_phdr(visit_if_wanted, &v);
}

static enum lines_of lines_of(uintptr_t address)
{
	struct link_map *map = NULL;
	Dl_info own, module;

	// The program itself has no name, and what is in no module is nowhere.
	if (!dladdr1((void *)address, &module, (void **)&map, RTLD_DL_LINKMAP) || !map ||
		map->l_name[0] == 0)
		return LINES_OF_PROGRAM;
	return dladdr((void *)(uintptr_t)lines_at, &own) && own.dli_fbase == module.dli_fbase
		       ? LINES_OF_PROGRAM
		       : LINES_OF_OTHERS;
}

/*
 * Made by the first look-up and never freed: libbacktrace has no function for that. A report that
 * memory has run out is better without lines than cut short by the kernel.
 */
static struct backtrace_state *shared_state(enum lines_of of)
{
	static struct backtrace_state *states[LINES_KINDS];
	// (symbol-state) pairs with the cas below: the state is initialised when it is seen.
	struct backtrace_state *s = load_acquire(&states[of]);

	if (s)
		return s;
	if (!config_memory_allows(LINES_MEMORY))
		return NULL;
	struct backtrace_state *mine = backtrace_create_state(NULL, 1, ignore_error, NULL);
	// (symbol-state) pairs with the load above. Of two first look-ups one loses a few hundred
	// bytes.
	if (mine && !cas_acq_rel(&states[of], &s, mine))
		mine = s;
	return mine;
}

/*
 * Begins a look-up, which a signal handler's may interrupt: the state, or NULL. lines_end ends it
 * with what this one returned in `outer`.
 */
static struct backtrace_state *lines_begin(uintptr_t address, enum lines_of *outer)
{
	race_ignore_begin();
	*outer = lines_wanted;
	lines_wanted = lines_of(address);
	return shared_state(lines_wanted);
}

static void lines_end(enum lines_of outer)
{
	lines_wanted = outer;
	race_ignore_end();
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

	enum lines_of outer;
	struct backtrace_state *state = lines_begin(address, &outer);

	if (state)
		backtrace_pcinfo(state, address, found_line, ignore_error, &call);
	lines_end(outer);
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

	enum lines_of outer;
	struct backtrace_state *state = lines_begin(address, &outer);

	if (state)
		backtrace_syminfo(state, address, found_function, ignore_error, &found);
	lines_end(outer);
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
