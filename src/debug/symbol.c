// SPDX-License-Identifier: MIT
/*
 * Joins what is known about a program counter: source lines and inlined functions from the debug
 * information, the start of the function from the symbol table, the module from the dynamic linker.
 *
 * The runtime's own functions are told by their addresses, because a stripped program has neither
 * names nor files.
 */
#define _GNU_SOURCE
#include "debug/symbol.h"

#include "debug/unwind_entry.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

static bool is_ours(const char *function) { return function && strncmp(function, "tuza_", 5) == 0; }

bool symbol_is_public(const char *function)
{
	return is_ours(function) && function[strlen(function) - 1] != '_';
}

bool symbol_is_private(const char *function)
{
	return is_ours(function) && function[strlen(function) - 1] == '_';
}

// All of libtuza.a lies in this section (cmake/TuzaLibrary.cmake); the linker marks its ends.
extern WEAK const char __start_tuza_text[], __stop_tuza_text[];

bool symbol_is_runtime(uintptr_t pc)
{
	Dl_info own, module;
	struct link_map *map = NULL;

	if (__start_tuza_text)
		return pc >= (uintptr_t)__start_tuza_text && pc < (uintptr_t)__stop_tuza_text;
	dladdr1((void *)(uintptr_t)symbol_is_runtime, &own, (void **)&map, RTLD_DL_LINKMAP);
	// The program itself has no name: then the objects are linked into it.
	return map && map->l_name[0] != 0 && dladdr((void *)pc, &module) &&
	       module.dli_fbase == own.dli_fbase;
}

struct look_up {
	symbol_visit *visit;
	void *arg;
	uintptr_t address;  // what is looked up
	uintptr_t pc;       // what the offset is of
	const char *symbol; // the symbol table's
	uintptr_t start;
	const char *module;
	uintptr_t base;
	bool is_found;
};

static void found_line(const char *function, const char *file, int line, void *arg)
{
	struct look_up *l = arg;
	struct symbol s = {.function = function ? function : l->symbol,
		.file = file ? file : l->module,
		.line = file ? line : 0};

	struct unwind_fde fde;

	// A function that the symbol table lost still has unwind information.
	if (s.function && !l->symbol && unwind_entry_find(l->address, UNWIND_ALL, &fde))
		l->start = fde.function;
	s.offset = l->pc - (s.function ? l->start : l->base);
	s.is_runtime = symbol_is_runtime(l->address);
	l->is_found = true;
	l->visit(&s, l->arg);
}

void symbol_each(struct backtrace_frame frame, symbol_visit *visit, void *arg)
{
	struct look_up l = {.visit = visit, .arg = arg, .pc = frame.pc};
	Dl_info module;

	l.address = frame.pc - frame.is_return;
	if (dladdr((void *)l.address, &module)) {
		l.module = module.dli_fname;
		l.base = (uintptr_t)module.dli_fbase;
		l.symbol = module.dli_sname;
		l.start = (uintptr_t)module.dli_saddr;
	}
	// The symbol table knows static functions, the dynamic linker also what was loaded late.
	uintptr_t start;
	const char *function = lines_function(l.address, &start);
	if (function) {
		l.symbol = function;
		l.start = start;
	}
	lines_at(l.address, found_line, &l);
	if (!l.is_found)
		found_line(NULL, NULL, 0, &l);
}
