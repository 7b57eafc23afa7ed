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

#include "arch_cpu.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

enum { ARCH_TRAMPOLINE_BYTES = 8 };

// signal.S: calls x1(x0); the interrupted pc, x30 and sp lie at sp.
void arch_signal_entry(void) __attribute__((visibility("hidden")));

static inline uintptr_t arch_signal_pc(const ucontext_t *c) { return c->uc_mcontext.pc; }
static inline uintptr_t arch_signal_sp(const ucontext_t *c) { return c->uc_mcontext.sp; }
static inline uintptr_t arch_signal_caller(const ucontext_t *c) { return c->uc_mcontext.regs[30]; }

static inline void arch_signal_registers(
	const ucontext_t *c, uintptr_t registers[ARCH_UNWIND_REGISTERS])
{
	for (int i = 0; i < 31; i++)
		registers[i] = c->uc_mcontext.regs[i];
	registers[ARCH_UNWIND_SP] = c->uc_mcontext.sp;
	registers[ARCH_UNWIND_PC] = c->uc_mcontext.pc;
}

static ALWAYS_INLINE void arch_registers_here(uintptr_t registers[ARCH_UNWIND_REGISTERS])
{
	uintptr_t scratch;
	memset(registers, 0, ARCH_UNWIND_REGISTERS * sizeof registers[0]);
	__asm__ volatile("stp x19, x20, [%1, #19*8]\n\t"
			 "stp x21, x22, [%1, #21*8]\n\t"
			 "stp x23, x24, [%1, #23*8]\n\t"
			 "stp x25, x26, [%1, #25*8]\n\t"
			 "stp x27, x28, [%1, #27*8]\n\t"
			 "stp x29, x30, [%1, #29*8]\n\t"
			 "mov %0, sp\n\t"
			 "str %0, [%1, #31*8]\n\t"
			 "adr %0, .\n\t"
			 "str %0, [%1, #32*8]"
			 : "=&r"(scratch)
			 : "r"(registers)
			 : "memory");
}

// The kernel's own trampoline has no unwind tables, on purpose.
static inline const ucontext_t *arch_signal_frame(const void *code, uintptr_t sp)
{
	// mov x8, #SYS_rt_sigreturn; svc #0
	static const uint32_t trampoline[] = {0xd2801168, 0xd4000001};
	if (memcmp(code, trampoline, sizeof trampoline) != 0)
		return NULL;
	return (const ucontext_t *)(sp + sizeof(siginfo_t));
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
