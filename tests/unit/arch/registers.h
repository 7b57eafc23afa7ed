// SPDX-License-Identifier: MIT
/*
 * Calls that look at the registers: call_here and call_there load all callee-saved registers with
 * given values, call fn and store what the registers hold when it returns. There are two, so that
 * contexts can wait at the same place of the program or at different ones.
 */
#ifndef TUZA_TESTS_ARCH_REGISTERS_H
#define TUZA_TESTS_ARCH_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

enum {
	SAVED_REGISTERS = 6,
	CALL_AT = 0, // where call_here keeps its argument, from sp on
};

static const int dwarf_numbers[] = {3, 6, 12, 13, 14, 15};

struct register_call {
	uint64_t in[SAVED_REGISTERS];
	uint64_t out[SAVED_REGISTERS];
	const void *fn;
	uint64_t args[5];
	uint64_t result;
};

// clang-format off
#define REGISTER_PUSH(r) "pushq %" r "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset " r ", 0\n"
#define REGISTER_POP(r) "popq %" r "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " r "\n"
#define REGISTER_CALL(name)                                     \
	__asm__(".text\n"                                       \
		".globl " #name "\n"                            \
		".type " #name ", @function\n"                  \
		#name ":\n"                                     \
		".cfi_startproc\n"                              \
		"endbr64\n"                                     \
		REGISTER_PUSH("rbp")                            \
		REGISTER_PUSH("rbx")                            \
		REGISTER_PUSH("r12")                            \
		REGISTER_PUSH("r13")                            \
		REGISTER_PUSH("r14")                            \
		REGISTER_PUSH("r15")                            \
		"pushq %rdi\n.cfi_adjust_cfa_offset 8\n"        \
		"movq %rdi, %rax\n"                             \
		"movq 0(%rax), %rbx\n"                          \
		"movq 8(%rax), %rbp\n"                          \
		"movq 16(%rax), %r12\n"                         \
		"movq 24(%rax), %r13\n"                         \
		"movq 32(%rax), %r14\n"                         \
		"movq 40(%rax), %r15\n"                         \
		"movq 104(%rax), %rdi\n"                        \
		"movq 112(%rax), %rsi\n"                        \
		"movq 120(%rax), %rdx\n"                        \
		"movq 128(%rax), %rcx\n"                        \
		"movq 136(%rax), %r8\n"                         \
		"call *96(%rax)\n"                              \
		"popq %rdi\n.cfi_adjust_cfa_offset -8\n"        \
		"movq %rax, 144(%rdi)\n"                        \
		"movq %rbx, 48(%rdi)\n"                         \
		"movq %rbp, 56(%rdi)\n"                         \
		"movq %r12, 64(%rdi)\n"                         \
		"movq %r13, 72(%rdi)\n"                         \
		"movq %r14, 80(%rdi)\n"                         \
		"movq %r15, 88(%rdi)\n"                         \
		REGISTER_POP("r15")                             \
		REGISTER_POP("r14")                             \
		REGISTER_POP("r13")                             \
		REGISTER_POP("r12")                             \
		REGISTER_POP("rbx")                             \
		REGISTER_POP("rbp")                             \
		"ret\n"                                         \
		".cfi_endproc\n"                                \
		".size " #name ", . - " #name "\n")
// clang-format on

// The words that say how floating point is calculated: mxcsr's control bits above the x87's.
static inline uint64_t control_words(void)
{
	uint32_t mxcsr;
	uint16_t x87;
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
	return (uint64_t)(mxcsr & 0xffc0) << 32 | x87;
}

static inline void control_words_set(uint64_t words)
{
	uint32_t mxcsr = (uint32_t)(words >> 32);
	uint16_t x87 = (uint16_t)words;
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(x87));
}

// The default; rounding up; rounding down with a 53-bit mantissa; denormals flushed to zero.
static const uint64_t control_word_samples[] = {
	0x00001f800000037f,
	0x00005f8000000b7f,
	0x00003f800000067f,
	0x00009f800000037f,
};

#elif defined(__aarch64__)

enum {
	SAVED_REGISTERS = 19, // x19 to x29, d8 to d15
	CALL_AT = 160,        // where call_here keeps its argument, from sp on
};

static const int dwarf_numbers[] = {
	19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 72, 73, 74, 75, 76, 77, 78, 79};

struct register_call {
	uint64_t in[SAVED_REGISTERS];
	uint64_t out[SAVED_REGISTERS];
	const void *fn;
	uint64_t args[5];
	uint64_t result;
};

// clang-format off
#define REGISTER_STORE(a, b, da, db, at)                                                \
	"stp " a ", " b ", [sp, " #at "]\n"                                             \
	".cfi_rel_offset " da ", " #at "\n.cfi_rel_offset " db ", " #at " + 8\n"
#define REGISTER_CALL(name)                                             \
	__asm__(".text\n"                                               \
		".globl " #name "\n"                                    \
		".type " #name ", %function\n"                          \
		#name ":\n"                                             \
		".cfi_startproc\n"                                      \
		"hint 34\n"                                             \
		"sub sp, sp, 192\n.cfi_adjust_cfa_offset 192\n"         \
		REGISTER_STORE("x29", "x30", "x29", "x30", 0)           \
		REGISTER_STORE("x19", "x20", "x19", "x20", 16)          \
		REGISTER_STORE("x21", "x22", "x21", "x22", 32)          \
		REGISTER_STORE("x23", "x24", "x23", "x24", 48)          \
		REGISTER_STORE("x25", "x26", "x25", "x26", 64)          \
		REGISTER_STORE("x27", "x28", "x27", "x28", 80)          \
		REGISTER_STORE("d8", "d9", "72", "73", 96)              \
		REGISTER_STORE("d10", "d11", "74", "75", 112)           \
		REGISTER_STORE("d12", "d13", "76", "77", 128)           \
		REGISTER_STORE("d14", "d15", "78", "79", 144)           \
		"str x0, [sp, 160]\n"                                   \
		"mov x9, x0\n"                                          \
		"ldp x19, x20, [x9, 0]\n"                               \
		"ldp x21, x22, [x9, 16]\n"                              \
		"ldp x23, x24, [x9, 32]\n"                              \
		"ldp x25, x26, [x9, 48]\n"                              \
		"ldp x27, x28, [x9, 64]\n"                              \
		"ldr x29, [x9, 80]\n"                                   \
		"ldp d8, d9, [x9, 88]\n"                                \
		"ldp d10, d11, [x9, 104]\n"                             \
		"ldp d12, d13, [x9, 120]\n"                             \
		"ldp d14, d15, [x9, 136]\n"                             \
		"add x10, x9, 312\n"                                    \
		"ldp x0, x1, [x10]\n"                                   \
		"ldp x2, x3, [x10, 16]\n"                               \
		"ldr x4, [x10, 32]\n"                                   \
		"ldr x9, [x9, 304]\n"                                   \
		"blr x9\n"                                              \
		"ldr x9, [sp, 160]\n"                                   \
		"str x0, [x9, 352]\n"                                   \
		"add x10, x9, 152\n"                                    \
		"stp x19, x20, [x10, 0]\n"                              \
		"stp x21, x22, [x10, 16]\n"                             \
		"stp x23, x24, [x10, 32]\n"                             \
		"stp x25, x26, [x10, 48]\n"                             \
		"stp x27, x28, [x10, 64]\n"                             \
		"str x29, [x10, 80]\n"                                  \
		"stp d8, d9, [x10, 88]\n"                               \
		"stp d10, d11, [x10, 104]\n"                            \
		"stp d12, d13, [x10, 120]\n"                            \
		"stp d14, d15, [x10, 136]\n"                            \
		"ldp x19, x20, [sp, 16]\n"                              \
		"ldp x21, x22, [sp, 32]\n"                              \
		"ldp x23, x24, [sp, 48]\n"                              \
		"ldp x25, x26, [sp, 64]\n"                              \
		"ldp x27, x28, [sp, 80]\n"                              \
		"ldp d8, d9, [sp, 96]\n"                                \
		"ldp d10, d11, [sp, 112]\n"                             \
		"ldp d12, d13, [sp, 128]\n"                             \
		"ldp d14, d15, [sp, 144]\n"                             \
		"ldp x29, x30, [sp]\n"                                  \
		"add sp, sp, 192\n.cfi_adjust_cfa_offset -192\n"        \
		"ret\n"                                                 \
		".cfi_endproc\n"                                        \
		".size " #name ", . - " #name "\n")
// clang-format on

static inline uint64_t control_words(void)
{
	uint64_t fpcr;
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	return fpcr;
}

static inline void control_words_set(uint64_t fpcr)
{
	__asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}

// The default; rounding up; rounding down; denormals flushed to zero.
static const uint64_t control_word_samples[] = {0, 1u << 22, 2u << 22, 1u << 24};

#endif

_Static_assert(offsetof(struct register_call, fn) == 16 * SAVED_REGISTERS, "the assembler above");
_Static_assert(
	offsetof(struct register_call, args) == 16 * SAVED_REGISTERS + 8, "the assembler above");
_Static_assert(
	offsetof(struct register_call, result) == 16 * SAVED_REGISTERS + 48, "the assembler above");

void call_here(struct register_call *call);
void call_there(struct register_call *call);
REGISTER_CALL(call_here);
REGISTER_CALL(call_there);

// Calls an arch function with pairwise different values in the callee-saved registers; x86-64: 0 in
// al.
static inline void call_arch(void (*how)(struct register_call *), const void *fn, const void *a,
	const void *b, const void *c, const void *d)
{
	static uint64_t pattern = 1;
	_Alignas(256) struct register_call call = {
		.fn = fn, .args = {(uintptr_t)a, (uintptr_t)b, (uintptr_t)c, (uintptr_t)d}};

	for (int i = 0; i < SAVED_REGISTERS; i++)
		call.in[i] = pattern += 0x9e3779b97f4a7c15u;
	how(&call);
}

#endif
