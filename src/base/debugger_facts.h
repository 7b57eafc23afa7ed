// SPDX-License-Identifier: MIT
/*
 * What debuggers have to know of the runtime's structures (tools/gdb/tuza-gdb.py). Each layer has
 * a table of its own, declared in <tuza/debug.h>: so a debugger needs no debug information of the
 * library, which may have been stripped, and cannot mistake a program's `rt` or `struct machine`
 * for the library's.
 */
#ifndef TUZA_BASE_DEBUGGER_FACTS_H
#define TUZA_BASE_DEBUGGER_FACTS_H

#include "base/compiler.h"
#include <tuza/debug.h>

// Integers travel as addresses: both may be constants in the same initializer.
#define FACT(name, value)                                                                          \
	{                                                                                          \
		name, (const void *)(uintptr_t)(value)                                             \
	}
#define FACT_ADDRESS(name, object)                                                                 \
	{                                                                                          \
		name, (object)                                                                     \
	}
#define FACT_OFFSET(type, field) FACT(#type "." #field, offsetof(struct type, field))
// Behind the last one.
#define FACTS_END                                                                                  \
	{                                                                                          \
		"", NULL                                                                           \
	}

#endif
