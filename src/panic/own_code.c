// SPDX-License-Identifier: MIT
/*
 * Whose code is at a program counter?
 *
 * A fault may be contained only where no lock can be held that nobody will release: not in the C
 * library, the dynamic linker and the system's other libraries, and not in tuza, whose callbacks
 * into the program hold none. So the program's own code is what was loaded from the program's file
 * or from a library outside the system's folders.
 *
 * In a statically linked program the C library cannot be told from the program: there nothing is
 * its own.
 */
#define _GNU_SOURCE
#include "panic/panic.h"

#include "debug/symbol.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

// Whether the module that holds `pc` is the program, or one that did not come with the system.
static bool is_own_module(const Dl_info *module, const struct link_map *map)
{
	if ((uintptr_t)module->dli_fbase == getauxval(AT_SYSINFO_EHDR))
		return false;
	return !has_prefix(map->l_name, "/lib") && !has_prefix(map->l_name, "/usr/lib");
}

bool own_code_holds(uintptr_t pc)
{
	Dl_info module;
	struct link_map *map = NULL;

	if (getauxval(AT_BASE) == 0)
		return false; // no dynamic linker
	if (!dladdr1((void *)pc, &module, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return false;
	return is_own_module(&module, map) && !symbol_is_runtime(pc);
}
