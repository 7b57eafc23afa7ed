// SPDX-License-Identifier: MIT
/*
 * Where a module's unwind tables are: asked in signal handlers, so without the dynamic linker's
 * lock.
 *
 * glibc answers that by itself since 2.35 (_dl_find_object). Before, and in other C libraries, it
 * is a table of the modules, made outside of handlers whenever some were loaded or unloaded. A
 * handler that still uses an old table finds it whole: tables are never freed, and modules change
 * seldom. What the table says of a module that is gone is asked of the kernel before it is
 * believed.
 *
 * The table is compiled in any case, so that tests/unit/debug/unwind_test.c can compare the two.
 */
#define _GNU_SOURCE
#include "base/atomic.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <dlfcn.h>
#include <link.h>

#ifndef PT_GNU_EH_FRAME
#define PT_GNU_EH_FRAME 0x6474e550
#endif

enum { MODULES_MAX = 500 };

struct module {
	uintptr_t start, end; // of its code
	const void *index;    // .eh_frame_hdr
};

struct modules {
	unsigned long long changes; // of the linker's list, when this was made
	uint32_t count;
	struct module list[MODULES_MAX];
};

static struct modules *table; // any thread, atomic
static uint32_t refreshing;   // atomic: 1 while somebody makes a table

static int count_changes(struct dl_phdr_info *info, size_t bytes, void *changes)
{
	(void)bytes;
	*(unsigned long long *)changes = info->dlpi_adds + info->dlpi_subs;
	return 1; // one is enough
}

static int add_module(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	struct modules *m = arg;
	const void *index = NULL;

	(void)bytes;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
			index = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (int i = 0; i < info->dlpi_phnum && index; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) ||
			m->count == MODULES_MAX)
			continue;
		m->list[m->count++] = (struct module){start, start + segment->p_memsz, index};
	}
	return 0;
}

void sys_unwind_table_refresh(void)
{
	// (modules) pairs with the store below.
	const struct modules *now = load_acquire(&table);
	unsigned long long changes = 0;
	uint32_t nobody = 0;
	struct modules *made;

	dl_iterate_phdr(count_changes, &changes);
	if (now && now->changes == changes)
		return;
	// (modules-making) pairs with the release below.
	if (!cas_acquire(&refreshing, &nobody, 1))
		return; // it is being made
	made = sys_pages_alloc(sizeof(*made));
	if (made) {
		made->changes = changes;
		dl_iterate_phdr(add_module, made);
		// (modules) pairs with the loads: published here.
		store_release(&table, made);
	}
	store_release(&refreshing, 0); // (modules-making)
}

const void *sys_unwind_table_index(uintptr_t pc)
{
	// (modules) pairs with the store in sys_unwind_table_refresh.
	const struct modules *m = load_acquire(&table);

	for (uint32_t i = 0; m && i < m->count; i++)
		if (pc - m->list[i].start < m->list[i].end - m->list[i].start)
			return sys_is_readable(m->list[i].index) ? m->list[i].index : NULL;
	return NULL;
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE // glibc 2.35

const void *sys_unwind_index(uintptr_t pc)
{
	struct dl_find_object module;

	return _dl_find_object((void *)pc, &module) == 0 ? module.dlfo_eh_frame : NULL;
}

void sys_unwind_refresh(void) {}

#else

const void *sys_unwind_index(uintptr_t pc) { return sys_unwind_table_index(pc); }
void sys_unwind_refresh(void) { sys_unwind_table_refresh(); }

#endif
