// SPDX-License-Identifier: MIT
/*
 * What a program counter means: function, file and line.
 */
#ifndef TUZA_DEBUG_SYMBOL_H
#define TUZA_DEBUG_SYMBOL_H

#include "debug/backtrace.h"

// The strings stay valid while their module is loaded.
struct symbol {
	const char *function; // NULL when unknown
	const char *file;     // NULL when unknown; the program or library when its source is
	int line;             // 0: `file` is no source
	uintptr_t offset;     // from the function's start, the module's when that is unknown
	bool is_runtime;      // inside this library
};

typedef void symbol_visit(const struct symbol *s, void *arg);

/*
 * Calls visit for each function that stands at the frame's program counter: those that the compiler
 * inlined first, the innermost one first, then the one that holds them. At least once.
 *
 * The first call reads the debug information of the program, the first for a frame in another
 * module that of all others: 1 to 100 ms and some MiB that stay. It uses about 10 KiB of stack,
 * mmap but not malloc, and no lock but the dynamic linker's, which this thread may hold already:
 * usable in a signal handler that ends the process. errno stays.
 */
void symbol_each(struct backtrace_frame frame, symbol_visit *visit, void *arg);

/*
 * Whether the address is in this library's code. In programs that link its objects one by one
 * (white-box tests) nothing is. Takes the dynamic linker's lock when the library is a shared one.
 */
bool symbol_is_runtime(uintptr_t pc);

// Whether it is the name of a public function: tuza_something, without a final underscore.
bool symbol_is_public(const char *function);

// Whether it is the name of a step of a public macro: tuza_something_.
bool symbol_is_private(const char *function);

// ---- symbol_lines.c: libbacktrace, where it was found -----------------------------------------

// Called as symbol_visit is, with what is known; each of the three may be NULL or 0.
typedef void lines_visit(const char *function, const char *file, int line, void *arg);

// Line information at the address. Not called when there is none.
void lines_at(uintptr_t address, lines_visit *visit, void *arg);

// The function in the module's symbol table that holds the address, static ones included, or NULL.
const char *lines_function(uintptr_t address, uintptr_t *start);

#endif
