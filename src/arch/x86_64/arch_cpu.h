// SPDX-License-Identifier: MIT
/*
 * x86-64, System V calling convention: the part of arch.h that differs by CPU.
 */
#ifndef TUZA_ARCH_CPU_H
#define TUZA_ARCH_CPU_H

#include "arch_offsets.h"
#include "base/compiler.h"

#if defined(__ILP32__)
#error "tuza needs 64-bit pointers; the x32 ABI is not supported"
#endif
// SafeStack keeps a second stack per thread, which a goroutine that moves to another thread would
// share.
#if defined(__has_feature)
#if __has_feature(safe_stack)
#error "tuza does not work with -fsanitize=safe-stack"
#endif
#endif

// What a goroutine that has not started may take: its arguments make most of it.
#define ARCH_GOROUTINE_BYTES 256
#define ARCH_CAPTURE_GPRS 6 // rdi, rsi, rdx, rcx, r8, r9
#define ARCH_CAPTURE_FPRS 8 // xmm0 to xmm7

// What an argument can use of a vector register: long double travels on the stack here.
typedef uint64_t arch_fpr;

// Where a function stands: see arch_here in arch.h.
struct arch_here {
	uintptr_t pc, sp, fp;
};

// What arch_park leaves on the stack, lowest address first.
struct arch_saved {
	uint32_t mxcsr;
	uint16_t x87_control;
	uint16_t unused;
	uint64_t r15, r14, r13, r12, rbx, rbp;
	uintptr_t pc;
};

_Static_assert(sizeof(struct arch_saved) == ARCH_SAVED_BYTES, "switch.S pushes exactly this");
_Static_assert(offsetof(struct arch_saved, x87_control) == ARCH_SAVED_X87_CONTROL, "switch.S");
_Static_assert(offsetof(struct arch_saved, r15) == ARCH_SAVED_R15, "switch.S");
_Static_assert(offsetof(struct arch_saved, r12) == ARCH_SAVED_R12, "switch.S");
_Static_assert(offsetof(struct arch_saved, rbx) == ARCH_SAVED_RBX, "switch.S");
_Static_assert(offsetof(struct arch_saved, rbp) == ARCH_SAVED_RBP, "switch.S");
_Static_assert(offsetof(struct arch_saved, pc) == ARCH_SAVED_PC, "switch.S");

static inline uintptr_t arch_saved_pc(const struct arch_saved *sp) { return sp->pc; }
static inline uintptr_t arch_saved_fp(const struct arch_saved *sp) { return sp->rbp; }

// The numbers that unwind tables use.
enum {
	ARCH_UNWIND_FP = 6, // rbp
	ARCH_UNWIND_SP = 7,
	ARCH_UNWIND_PC = 16,
	ARCH_UNWIND_PC_APART = ARCH_UNWIND_PC,
	ARCH_UNWIND_REGISTERS = 17, // as many as matter: numbers from 0 on
};

static ALWAYS_INLINE void arch_here(struct arch_here *here)
{
	__asm__ volatile("leaq 0(%%rip), %0\n\t"
			 "movq %%rsp, %1\n\t"
			 "movq %%rbp, %2"
			 : "=r"(here->pc), "=r"(here->sp), "=r"(here->fp));
}

// A return address as it lies on the stack, without a signature.
static ALWAYS_INLINE uintptr_t arch_return_address_of(uintptr_t saved) { return saved; }

static ALWAYS_INLINE uint64_t arch_ticks(void) { return __builtin_ia32_rdtsc(); }

// A hint to the CPU that this is a spin loop.
static inline void arch_relax(void) { __asm__ volatile("pause" ::: "memory"); }

// Copies what a go statement passed on the stack; `bytes` is a multiple of 16 and not 0. Assembler,
// because the bytes beyond the last argument belong to somebody else, which a sanitizer would
// report.
static ALWAYS_INLINE void arch_copy_stack_args(void *to, const void *from, size_t bytes)
{
	__asm__ volatile("1:\tmovups -16(%1,%0), %%xmm0\n\t"
			 "movups %%xmm0, -16(%2,%0)\n\t"
			 "subq $16, %0\n\t"
			 "jnz 1b"
			 : "+r"(bytes)
			 : "r"(from), "r"(to)
			 : "memory", "cc", "xmm0");
}

/*
 * The thread's machine. A goroutine may be on another thread after any call that parks, and a
 * compiler may keep the address of a thread-local variable over such a call; it cannot keep what it
 * never computed, so the address is formed inside the asm each time.
 *
 * Defined in sched with __attribute__((used)): link-time optimisation does not see the uses below.
 */
extern __thread void *machine_tls __attribute__((tls_model("initial-exec"), visibility("hidden")));

static ALWAYS_INLINE void *arch_tls_machine(void)
{
	void *machine;
	__asm__ volatile("movq machine_tls@GOTTPOFF(%%rip), %0\n\t"
			 "movq %%fs:(%0), %0"
			 : "=&r"(machine)
			 :
			 : "memory");
	return machine;
}

static ALWAYS_INLINE void arch_tls_machine_set(void *machine)
{
	uintptr_t offset;
	__asm__ volatile("movq machine_tls@GOTTPOFF(%%rip), %0\n\t"
			 "movq %1, %%fs:(%0)"
			 : "=&r"(offset)
			 : "r"(machine)
			 : "memory");
}

#endif
