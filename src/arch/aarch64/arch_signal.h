// SPDX-License-Identifier: MIT
/*
 * AArch64: what a signal handler reads and changes in the context that it interrupted.
 * See arch/x86_64/arch_signal.h for what each function does.
 */
#ifndef TUZA_ARCH_SIGNAL_H
#define TUZA_ARCH_SIGNAL_H

#ifndef _GNU_SOURCE
#error "registers in ucontext.h need _GNU_SOURCE"
#endif

#include "base/compiler.h"

#include <string.h>
#include <ucontext.h>

// Registers in unwind tables. The return address is in x30's column; the pc has a place of its own
// here, behind those that matter.
enum {
	ARCH_DWARF_REGISTERS = 33,
	ARCH_DWARF_SP = 31,
	ARCH_DWARF_PC = 32,
};

// signal.S: calls x1(x0); the interrupted pc, x30 and sp lie at sp.
void arch_signal_entry(void) __attribute__((visibility("hidden")));

static inline uintptr_t arch_signal_pc(const ucontext_t *c) { return c->uc_mcontext.pc; }
static inline uintptr_t arch_signal_sp(const ucontext_t *c) { return c->uc_mcontext.sp; }
static inline uintptr_t arch_signal_caller(const ucontext_t *c) { return c->uc_mcontext.regs[30]; }

static inline void arch_signal_registers(
	const ucontext_t *c, uintptr_t registers[ARCH_DWARF_REGISTERS])
{
	for (int i = 0; i < 31; i++)
		registers[i] = c->uc_mcontext.regs[i];
	registers[ARCH_DWARF_SP] = c->uc_mcontext.sp;
	registers[ARCH_DWARF_PC] = c->uc_mcontext.pc;
}

static inline uintptr_t arch_return_address(uintptr_t saved)
{
	register uintptr_t x30 __asm__("x30") = saved;

	// xpaclri: does nothing on CPUs that sign no addresses
	__asm__("hint #7" : "+r"(x30));
	return x30;
}

static inline void arch_signal_return(ucontext_t *c)
{
	c->uc_mcontext.pc = arch_signal_caller(c) - 4;
}

static inline void arch_signal_call(
	ucontext_t *c, void (*fn)(void *), const void *data, size_t bytes)
{
	mcontext_t *m = &c->uc_mcontext;
	uintptr_t copy = (m->sp - bytes) & ~(uintptr_t)15;
	uintptr_t *frame = (uintptr_t *)copy - 4;

	memcpy((void *)copy, data, bytes);
	frame[0] = m->pc;
	frame[1] = m->regs[30];
	frame[2] = m->sp;
	m->sp = (uintptr_t)frame;
	m->regs[0] = copy;
	m->regs[1] = (uintptr_t)fn;
	m->pc = (uintptr_t)arch_signal_entry;
}

#endif
