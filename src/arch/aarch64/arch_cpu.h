// SPDX-License-Identifier: MIT
/*
 * AArch64, little-endian, Linux calling convention: the part of arch.h that differs by CPU.
 */
#ifndef TUZA_ARCH_CPU_H
#define TUZA_ARCH_CPU_H

#include "arch_offsets.h"
#include "base/compiler.h"

#if defined(__ILP32__) || defined(__AARCH64EB__)
#error "tuza needs 64-bit pointers and a little-endian CPU"
#endif
// SafeStack keeps a second stack per thread, which a goroutine that moves to another thread would
// share; ShadowCallStack keeps one too, and its register is the static chain.
#if defined(__has_feature)
#if __has_feature(safe_stack)
#error "tuza does not work with -fsanitize=safe-stack"
#endif
#if __has_feature(shadow_call_stack)
#error "tuza does not work with -fsanitize=shadow-call-stack"
#endif
#endif

// What a goroutine that has not started may take: its arguments make most of it.
#define ARCH_GOROUTINE_BYTES 320
#define ARCH_CAPTURE_GPRS 8 // x0 to x7
#define ARCH_CAPTURE_FPRS 8 // q0 to q7

// A whole vector register, because long double travels in one.
typedef struct {
	uint64_t half[2];
} arch_fpr;

// Where a function stands: see arch_here in arch.h.
struct arch_here {
	uintptr_t pc, sp, fp;
};

// What arch_park leaves on the stack, lowest address first.
struct arch_saved {
	uint64_t fpcr;
	uint64_t unused;
	uint64_t x19_to_x28[10];
	uint64_t d8_to_d15[8];
	uint64_t fp;
	uintptr_t pc;
};

_Static_assert(sizeof(struct arch_saved) == ARCH_SAVED_BYTES, "switch.S stores exactly this");
_Static_assert(offsetof(struct arch_saved, x19_to_x28) == ARCH_SAVED_X19, "switch.S");
_Static_assert(offsetof(struct arch_saved, d8_to_d15) == ARCH_SAVED_D8, "switch.S");
_Static_assert(offsetof(struct arch_saved, fp) == ARCH_SAVED_FP, "switch.S");
_Static_assert(offsetof(struct arch_saved, pc) == ARCH_SAVED_PC, "switch.S");

static inline uintptr_t arch_saved_pc(const struct arch_saved *sp) { return sp->pc; }
static inline uintptr_t arch_saved_fp(const struct arch_saved *sp) { return sp->fp; }

// The numbers that unwind tables use.
enum {
	ARCH_UNWIND_FP = 29,
	ARCH_UNWIND_SP = 31,
	ARCH_UNWIND_PC = 32,        // our place for it: return addresses are x30's
	ARCH_UNWIND_PC_APART = 96,  // libgcc's, of frames whose caller still needs its x30
	ARCH_UNWIND_REGISTERS = 33, // as many as matter: numbers from 0 on
};

static ALWAYS_INLINE void arch_here(struct arch_here *here)
{
	__asm__ volatile("adr %0, .\n\t"
			 "mov %1, sp\n\t"
			 "mov %2, x29"
			 : "=r"(here->pc), "=r"(here->sp), "=r"(here->fp));
}

// A return address as it lies on the stack, without a signature: xpaclri, which does nothing where
// the CPU signs no addresses.
static ALWAYS_INLINE uintptr_t arch_return_address_of(uintptr_t saved)
{
	register uintptr_t x30 __asm__("x30") = saved;

	__asm__("hint #7" : "+r"(x30));
	return x30;
}

static ALWAYS_INLINE uint64_t arch_ticks(void)
{
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
}

// A hint to the CPU that this is a spin loop. (`yield` does nothing on most; `isb` waits a few
// nanoseconds.)
static inline void arch_relax(void) { __asm__ volatile("isb" ::: "memory"); }

// Copies what a go statement passed on the stack; `bytes` is a multiple of 16 and not 0. Assembler,
// because the bytes beyond the last argument belong to somebody else, which a sanitizer would
// report.
static ALWAYS_INLINE void arch_copy_stack_args(void *to, const void *from, size_t bytes)
{
	uint64_t low, high;
	__asm__ volatile("1:\tldp %0, %1, [%3], #16\n\t"
			 "stp %0, %1, [%2], #16\n\t"
			 "subs %4, %4, #16\n\t"
			 "b.ne 1b"
			 : "=&r"(low), "=&r"(high), "+r"(to), "+r"(from), "+r"(bytes)
			 :
			 : "memory", "cc");
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
	uintptr_t thread;
	__asm__ volatile("mrs %1, tpidr_el0\n\t"
			 "adrp %0, :gottprel:machine_tls\n\t"
			 "ldr %0, [%0, #:gottprel_lo12:machine_tls]\n\t"
			 "ldr %0, [%1, %0]"
			 : "=&r"(machine), "=&r"(thread)
			 :
			 : "memory");
	return machine;
}

static ALWAYS_INLINE void arch_tls_machine_set(void *machine)
{
	uintptr_t offset, thread;
	__asm__ volatile("mrs %1, tpidr_el0\n\t"
			 "adrp %0, :gottprel:machine_tls\n\t"
			 "ldr %0, [%0, #:gottprel_lo12:machine_tls]\n\t"
			 "str %2, [%1, %0]"
			 : "=&r"(offset), "=&r"(thread)
			 : "r"(machine)
			 : "memory");
}

#endif
