// SPDX-License-Identifier: MIT
/*
 * x86-64: what a signal handler reads and changes in the context that it interrupted.
 *
 *   uintptr_t arch_signal_pc(const ucontext_t *c)
 *   uintptr_t arch_signal_sp(const ucontext_t *c)
 *   uintptr_t arch_signal_caller(const ucontext_t *c)
 *                                       where a function that has no frame yet will return to
 *   void arch_signal_return(ucontext_t *c)
 *                                       makes the context one that stands in the call before that
 *   void arch_signal_call(ucontext_t *c, void (*fn)(void *), const void *data, size_t bytes)
 *   void arch_signal_registers(const ucontext_t *c, uintptr_t registers[ARCH_UNWIND_REGISTERS])
 *                                       all of them, by the numbers that unwind tables use
 *   void arch_registers_here(uintptr_t registers[ARCH_UNWIND_REGISTERS])
 *                                       those that a function preserves, at this place of the
 *                                       function that it is part of; 0 for the others
 *   const ucontext_t *arch_signal_frame(const void *code, uintptr_t sp)
 *                                       where the context lies that a signal interrupted, if the
 *                                       code is the one that handlers return to, and sp the stack
 *                                       there; else NULL. Needs: ARCH_TRAMPOLINE_BYTES of code
 *
 * After arch_signal_call and the end of the handler the thread calls fn with a copy of `data` on
 * the interrupted stack. fn must not return. Its caller, as unwinders see it, is the interrupted
 * instruction.
 */
#ifndef TUZA_ARCH_SIGNAL_H
#define TUZA_ARCH_SIGNAL_H

#ifndef _GNU_SOURCE
#error "registers in ucontext.h need _GNU_SOURCE"
#endif

#include "arch_cpu.h"

#include <string.h>
#include <ucontext.h>

enum { ARCH_TRAMPOLINE_BYTES = 9 };

// signal.S: calls rsi(rdi); the interrupted rip and rsp lie at rsp.
void arch_signal_entry(void) __attribute__((visibility("hidden")));

static inline uintptr_t arch_signal_pc(const ucontext_t *c)
{
	return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
}

static inline uintptr_t arch_signal_sp(const ucontext_t *c)
{
	return (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
}

static inline uintptr_t arch_signal_caller(const ucontext_t *c)
{
	return *(const uintptr_t *)arch_signal_sp(c);
}

static inline void arch_signal_registers(
	const ucontext_t *c, uintptr_t registers[ARCH_UNWIND_REGISTERS])
{
	static const unsigned char order[ARCH_UNWIND_REGISTERS] = {REG_RAX, REG_RDX, REG_RCX,
		REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10, REG_R11,
		REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

	for (int i = 0; i < ARCH_UNWIND_REGISTERS; i++)
		registers[i] = (uintptr_t)c->uc_mcontext.gregs[order[i]];
}

static ALWAYS_INLINE void arch_registers_here(uintptr_t registers[ARCH_UNWIND_REGISTERS])
{
	uintptr_t pc;
	memset(registers, 0, ARCH_UNWIND_REGISTERS * sizeof registers[0]);
	__asm__ volatile("movq %%rbx, 3*8(%1)\n\t"
			 "movq %%rbp, 6*8(%1)\n\t"
			 "movq %%rsp, 7*8(%1)\n\t"
			 "movq %%r12, 12*8(%1)\n\t"
			 "movq %%r13, 13*8(%1)\n\t"
			 "movq %%r14, 14*8(%1)\n\t"
			 "movq %%r15, 15*8(%1)\n\t"
			 "leaq 0(%%rip), %0\n\t"
			 "movq %0, 16*8(%1)"
			 : "=&r"(pc)
			 : "r"(registers)
			 : "memory");
}

static inline const ucontext_t *arch_signal_frame(const void *code, uintptr_t sp)
{
	// movq $SYS_rt_sigreturn, %rax; syscall
	static const unsigned char trampoline[ARCH_TRAMPOLINE_BYTES] = {
		0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
	return memcmp(code, trampoline, sizeof trampoline) == 0 ? (const ucontext_t *)sp : NULL;
}

static inline void arch_signal_return(ucontext_t *c)
{
	c->uc_mcontext.gregs[REG_RIP] = (greg_t)(arch_signal_caller(c) - 1);
	c->uc_mcontext.gregs[REG_RSP] += 8;
}

static inline void arch_signal_call(
	ucontext_t *c, void (*fn)(void *), const void *data, size_t bytes)
{
	enum { RED_ZONE = 128, DIRECTION_FLAG = 0x400 };
	greg_t *registers = c->uc_mcontext.gregs;
	uintptr_t copy = (arch_signal_sp(c) - RED_ZONE - bytes) & ~(uintptr_t)15;
	uintptr_t *frame = (uintptr_t *)copy - 2;

	memcpy((void *)copy, data, bytes);
	frame[0] = arch_signal_pc(c);
	frame[1] = arch_signal_sp(c);
	registers[REG_RSP] = (greg_t)(uintptr_t)frame;
	registers[REG_RDI] = (greg_t)copy;
	registers[REG_RSI] = (greg_t)(uintptr_t)fn;
	registers[REG_RIP] = (greg_t)(uintptr_t)arch_signal_entry;
	registers[REG_EFL] &= ~(greg_t)DIRECTION_FLAG;
}

#endif
