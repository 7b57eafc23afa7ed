// SPDX-License-Identifier: MIT
/*
 * AArch64: see arch.h for what each function does.
 *
 * The CFI is exact at every instruction, so that a debugger or a profiler's signal may stop anywhere.
 * Where a function begins a new stack its return address is undefined: unwinders end there.
 *
 * Every switch ends in `ret`, mispredicted or not: a branch through another register would need a
 * landing pad (BTI) at its target, and compilers put none behind a call. Return addresses are not
 * signed here: there is no frame of C between the switch and its caller, whose own it signs itself.
 */
#include "arch_offsets.h"

	.text

.macro function name
	.globl	\name
	.hidden	\name
	local_function \name
.endm

.macro local_function name
	.type	\name, %function
	.p2align 4
\name:
	.cfi_startproc
	hint	34	// bti c
.endm

.macro end name
	.cfi_endproc
	.size	\name, . - \name
.endm

// Where the saved registers of the context at \reg are: the frame's caller is that context. 72 to 79 are d8 to d15.
.macro cfi_context_at reg
	.cfi_def_cfa \reg, ARCH_SAVED_BYTES
	.cfi_offset x19, ARCH_SAVED_X19 + 0 - ARCH_SAVED_BYTES
	.cfi_offset x20, ARCH_SAVED_X19 + 8 - ARCH_SAVED_BYTES
	.cfi_offset x21, ARCH_SAVED_X19 + 16 - ARCH_SAVED_BYTES
	.cfi_offset x22, ARCH_SAVED_X19 + 24 - ARCH_SAVED_BYTES
	.cfi_offset x23, ARCH_SAVED_X19 + 32 - ARCH_SAVED_BYTES
	.cfi_offset x24, ARCH_SAVED_X19 + 40 - ARCH_SAVED_BYTES
	.cfi_offset x25, ARCH_SAVED_X19 + 48 - ARCH_SAVED_BYTES
	.cfi_offset x26, ARCH_SAVED_X19 + 56 - ARCH_SAVED_BYTES
	.cfi_offset x27, ARCH_SAVED_X19 + 64 - ARCH_SAVED_BYTES
	.cfi_offset x28, ARCH_SAVED_X19 + 72 - ARCH_SAVED_BYTES
	.cfi_offset 72, ARCH_SAVED_D8 + 0 - ARCH_SAVED_BYTES
	.cfi_offset 73, ARCH_SAVED_D8 + 8 - ARCH_SAVED_BYTES
	.cfi_offset 74, ARCH_SAVED_D8 + 16 - ARCH_SAVED_BYTES
	.cfi_offset 75, ARCH_SAVED_D8 + 24 - ARCH_SAVED_BYTES
	.cfi_offset 76, ARCH_SAVED_D8 + 32 - ARCH_SAVED_BYTES
	.cfi_offset 77, ARCH_SAVED_D8 + 40 - ARCH_SAVED_BYTES
	.cfi_offset 78, ARCH_SAVED_D8 + 48 - ARCH_SAVED_BYTES
	.cfi_offset 79, ARCH_SAVED_D8 + 56 - ARCH_SAVED_BYTES
	.cfi_offset x29, ARCH_SAVED_FP - ARCH_SAVED_BYTES
	.cfi_offset x30, ARCH_SAVED_PC - ARCH_SAVED_BYTES
.endm

.macro cfi_restore_all
	.cfi_restore x19
	.cfi_restore x20
	.cfi_restore x21
	.cfi_restore x22
	.cfi_restore x23
	.cfi_restore x24
	.cfi_restore x25
	.cfi_restore x26
	.cfi_restore x27
	.cfi_restore x28
	.cfi_restore 72
	.cfi_restore 73
	.cfi_restore 74
	.cfi_restore 75
	.cfi_restore 76
	.cfi_restore 77
	.cfi_restore 78
	.cfi_restore 79
	.cfi_restore x29
	.cfi_restore x30
.endm

// Builds a struct arch_saved at sp. The registers keep their values, so the CFI needs no step for each.
.macro push_context
	sub	sp, sp, ARCH_SAVED_BYTES
	.cfi_adjust_cfa_offset ARCH_SAVED_BYTES
	stp	x19, x20, [sp, ARCH_SAVED_X19 + 0]
	stp	x21, x22, [sp, ARCH_SAVED_X19 + 16]
	stp	x23, x24, [sp, ARCH_SAVED_X19 + 32]
	stp	x25, x26, [sp, ARCH_SAVED_X19 + 48]
	stp	x27, x28, [sp, ARCH_SAVED_X19 + 64]
	stp	d8, d9, [sp, ARCH_SAVED_D8 + 0]
	stp	d10, d11, [sp, ARCH_SAVED_D8 + 16]
	stp	d12, d13, [sp, ARCH_SAVED_D8 + 32]
	stp	d14, d15, [sp, ARCH_SAVED_D8 + 48]
	stp	x29, x30, [sp, ARCH_SAVED_FP]
	mrs	x9, fpcr
	str	x9, [sp, ARCH_SAVED_FPCR]
	cfi_context_at sp
.endm

// Writing fpcr may drain the pipeline, so it is written only when it changes. Uses x10 and flags.
.macro load_fpcr value
	mrs	x10, fpcr
	cmp	x10, \value
	b.eq	1f
	msr	fpcr, \value
1:
.endm

// Loads all of the context saved at \reg, its pc into x30. \reg is not one of the registers loaded.
.macro load_context reg
	ldr	x9, [\reg, ARCH_SAVED_FPCR]
	load_fpcr x9
	cfi_context_at \reg
	ldp	x19, x20, [\reg, ARCH_SAVED_X19 + 0]
	ldp	x21, x22, [\reg, ARCH_SAVED_X19 + 16]
	ldp	x23, x24, [\reg, ARCH_SAVED_X19 + 32]
	ldp	x25, x26, [\reg, ARCH_SAVED_X19 + 48]
	ldp	x27, x28, [\reg, ARCH_SAVED_X19 + 64]
	ldp	d8, d9, [\reg, ARCH_SAVED_D8 + 0]
	ldp	d10, d11, [\reg, ARCH_SAVED_D8 + 16]
	ldp	d12, d13, [\reg, ARCH_SAVED_D8 + 32]
	ldp	d14, d15, [\reg, ARCH_SAVED_D8 + 48]
	ldp	x29, x30, [\reg, ARCH_SAVED_FP]
	add	sp, \reg, ARCH_SAVED_BYTES
	.cfi_def_cfa sp, 0
	cfi_restore_all
.endm

// A new stack begins: nobody called this.
.macro cfi_root
	.cfi_def_cfa sp, 0
	.cfi_undefined x30
.endm

// void arch_park(void **save, void *top, void *(*fn)(void *, void *), void *a, void *b)
function arch_park
	push_context
.globl arch_parked_at
.hidden arch_parked_at
arch_parked_at:
	mov	x9, sp
	str	x9, [x0]
	mov	sp, x1
	cfi_root
	mov	x0, x3
	mov	x1, x4
	mov	x29, xzr
	blr	x2
	load_context x0
	ret
end arch_park

// void arch_resume(void *sp)
function arch_resume
	load_context x0
	ret
end arch_resume

// void arch_jump(void *top, void *(*fn)(void *, void *), void *a, void *b)
function arch_jump
	mov	sp, x0
	cfi_root
	mov	x9, x1
	mov	x0, x2
	mov	x1, x3
	mov	x29, xzr
	blr	x9
	load_context x0
	ret
end arch_jump

// void arch_start(void *top, const struct arch_capture *c, void (*on_return)(void))
function arch_start
	mov	sp, x0
	cfi_root
	mov	x20, x0
	.cfi_def_cfa x20, 0
	mov	x19, x2
	mov	x9, x1
	mov	x29, xzr
	load_fpcr xzr	// round to nearest, no traps
	ldr	x0, [x9, ARCH_CAPTURE_GPR]
	ldr	w10, [x9, ARCH_CAPTURE_FLAGS]
	tbnz	w10, 0, 4f	// ARCH_CAPTURE_SIMPLE
	ldr	w10, [x9, ARCH_CAPTURE_STACK_BYTES]
	cbz	w10, 3f
	ldr	x11, [x9, ARCH_CAPTURE_STACK_ARGS]
	sub	sp, sp, x10
	mov	x12, sp
2:	ldr	q0, [x11], 16
	str	q0, [x12], 16
	subs	w10, w10, 16
	b.ne	2b
3:	ldp	x1, x2, [x9, ARCH_CAPTURE_GPR + 8]
	ldp	x3, x4, [x9, ARCH_CAPTURE_GPR + 24]
	ldp	x5, x6, [x9, ARCH_CAPTURE_GPR + 40]
	ldr	x7, [x9, ARCH_CAPTURE_GPR + 56]
	add	x10, x9, ARCH_CAPTURE_FPR
	ldp	q0, q1, [x10]
	ldp	q2, q3, [x10, 32]
	ldp	q4, q5, [x10, 64]
	ldp	q6, q7, [x10, 96]
4:	ldr	x9, [x9, ARCH_CAPTURE_FN]
	blr	x9
	blr	x19
	brk	1
end arch_start

// int arch_try(void (*fn)(void *), void *arg, struct arch_landing *frame)
function arch_try
	push_context
	mov	x9, sp
	str	x9, [x2]
	mov	x9, x0
	mov	x0, x1
	add	x29, sp, ARCH_SAVED_FP
	blr	x9
	mov	w0, wzr
	ldp	x29, x30, [sp, ARCH_SAVED_FP]	// fn preserved the others
	add	sp, sp, ARCH_SAVED_BYTES
	.cfi_def_cfa sp, 0
	cfi_restore_all
	ret
end arch_try

// void arch_land(struct arch_landing *frame, int value)
function arch_land
	ldr	x2, [x0]
	mov	w0, w1
	load_context x2
	ret
end arch_land

// void arch_call_as_if_from(const struct arch_saved *sp, void (*fn)(void *), void *arg)
function arch_call_as_if_from
	stp	x29, x30, [sp, -32]!
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	str	x19, [sp, 16]
	.cfi_rel_offset x19, 16
	mov	x29, sp
	mov	x19, x0
	.cfi_remember_state
	cfi_context_at x19
	mov	x0, x2
	blr	x1
	.cfi_restore_state
	ldr	x19, [sp, 16]
	ldp	x29, x30, [sp], 32
	.cfi_def_cfa sp, 0
	.cfi_restore x19
	.cfi_restore x29
	.cfi_restore x30
	ret
end arch_call_as_if_from

// Entered as any function at all; x18 points at the struct tuza_go_site.
local_function go_capture
	stp	x29, x30, [sp, -(ARCH_REGISTERS_BYTES + 16)]!
	.cfi_adjust_cfa_offset ARCH_REGISTERS_BYTES + 16
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	mov	x29, sp
	stp	x0, x1, [sp, 16 + ARCH_REGISTERS_GPR + 0]
	stp	x2, x3, [sp, 16 + ARCH_REGISTERS_GPR + 16]
	stp	x4, x5, [sp, 16 + ARCH_REGISTERS_GPR + 32]
	stp	x6, x7, [sp, 16 + ARCH_REGISTERS_GPR + 48]
	stp	q0, q1, [sp, 16 + ARCH_REGISTERS_FPR + 0]
	stp	q2, q3, [sp, 16 + ARCH_REGISTERS_FPR + 32]
	stp	q4, q5, [sp, 16 + ARCH_REGISTERS_FPR + 64]
	stp	q6, q7, [sp, 16 + ARCH_REGISTERS_FPR + 96]
	add	x0, sp, 16
	add	x1, sp, ARCH_REGISTERS_BYTES + 16
	mov	x2, x18
	mov	x3, x30
	bl	go_captured
	ldp	x29, x30, [sp], ARCH_REGISTERS_BYTES + 16
	.cfi_def_cfa sp, 0
	.cfi_restore x29
	.cfi_restore x30
	ret
end go_capture

// Entered as a function of one integer or pointer; x18 points at the tuza_defer_record.
local_function defer_capture
	str	x0, [x18, ARCH_DEFER_ARG]
	ret
end defer_capture

	.hidden	go_captured

.macro public_address name, of
	.globl	\name
	.type	\name, %object
	.size	\name, 8
\name:	.xword	\of
.endm

	.section .data.rel.ro, "aw", %progbits
	.p2align 3
	public_address tuza_go_capture_, go_capture
	public_address tuza_defer_capture_, defer_capture

	.section .note.gnu.property, "a", %note
	.p2align 3
	.word	4, 16, 5
	.asciz	"GNU"
	.word	0xc0000000, 4, 1, 0	// GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI

	.section .note.GNU-stack, "", %progbits
