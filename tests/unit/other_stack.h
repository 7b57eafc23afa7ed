// SPDX-License-Identifier: MIT
/*
 * CALL_ON defines NAME(top, fn), which calls fn on another stack, as programs do that have such of
 * their own: the old one is known by the frame pointer, or as the directive `cfa` tells.
 */
#ifndef TUZA_TEST_OTHER_STACK_H
#define TUZA_TEST_OTHER_STACK_H

#ifdef __x86_64__
#define CALL_ON(name, cfa)                                                                         \
	__asm__(".text\n"                                                                          \
		".globl " name "\n"                                                                \
		".type " name ", @function\n" name ":\n\t"                                         \
		".cfi_startproc\n\t"                                                               \
		"pushq %rbp\n\t"                                                                   \
		".cfi_def_cfa_offset 16\n\t"                                                       \
		".cfi_offset rbp, -16\n\t"                                                         \
		"movq %rsp, %rbp\n\t" cfa "\n\t"                                                   \
		"movq %rdi, %rsp\n\t"                                                              \
		"call *%rsi\n\t"                                                                   \
		"movq %rbp, %rsp\n\t"                                                              \
		"popq %rbp\n\t"                                                                    \
		".cfi_def_cfa rsp, 8\n\t"                                                          \
		"ret\n\t"                                                                          \
		".cfi_endproc\n"                                                                   \
		".size " name ", . - " name)
#define FP "rbp"
#define FP_OPERATION "0x76" // DW_OP_breg6
#else
#define CALL_ON(name, cfa)                                                                         \
	__asm__(".text\n"                                                                          \
		".p2align 2\n"                                                                     \
		".globl " name "\n"                                                                \
		".type " name ", %function\n" name ":\n\t"                                         \
		".cfi_startproc\n\t"                                                               \
		"stp x29, x30, [sp, #-16]!\n\t"                                                    \
		".cfi_def_cfa_offset 16\n\t"                                                       \
		".cfi_offset x29, -16\n\t"                                                         \
		".cfi_offset x30, -8\n\t"                                                          \
		"mov x29, sp\n\t" cfa "\n\t"                                                       \
		"mov sp, x0\n\t"                                                                   \
		"blr x1\n\t"                                                                       \
		"mov sp, x29\n\t"                                                                  \
		"ldp x29, x30, [sp], #16\n\t"                                                      \
		".cfi_def_cfa sp, 0\n\t"                                                           \
		".cfi_restore x29\n\t"                                                             \
		".cfi_restore x30\n\t"                                                             \
		"ret\n\t"                                                                          \
		".cfi_endproc\n"                                                                   \
		".size " name ", . - " name)
#define FP "x29"
#define FP_OPERATION "0x8d" // DW_OP_breg29
#endif

#endif
