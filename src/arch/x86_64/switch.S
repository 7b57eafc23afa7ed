// SPDX-License-Identifier: MIT
/*
 * x86-64: see arch.h for what each function does.
 *
 * The CFI is exact at every instruction, so that a debugger or a profiler's signal may stop anywhere.
 * Where a function begins a new stack its return address is undefined: unwinders end there.
 *
 * Jumps to a return address carry `notrack`, because no endbr64 stands there; the object is marked for
 * indirect-branch tracking (IBT) and not for the shadow stack, which a switch of stacks would break.
 */
#include "arch_offsets.h"

	.text

.macro function name
	.globl	\name
	.hidden	\name
	local_function \name
.endm

.macro local_function name
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	endbr64
.endm

.macro end name
	.cfi_endproc
	.size	\name, . - \name
.endm

.macro push_saved reg
	pushq	%\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
.endm

.macro pop_saved reg
	popq	%\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
.endm

// Completes a struct arch_saved above whose end the return address lies already.
.macro push_context
	push_saved rbp
	push_saved rbx
	push_saved r12
	push_saved r13
	push_saved r14
	push_saved r15
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	ARCH_SAVED_MXCSR(%rsp)
	fnstcw	ARCH_SAVED_X87_CONTROL(%rsp)
.endm

// Where the saved registers of the context at \reg are: the frame's caller is that context.
.macro cfi_context_at reg
	.cfi_def_cfa \reg, ARCH_SAVED_BYTES
	.cfi_offset rip, ARCH_SAVED_PC - ARCH_SAVED_BYTES
	.cfi_offset rbp, ARCH_SAVED_RBP - ARCH_SAVED_BYTES
	.cfi_offset rbx, ARCH_SAVED_RBX - ARCH_SAVED_BYTES
	.cfi_offset r12, ARCH_SAVED_R12 - ARCH_SAVED_BYTES
	.cfi_offset r13, ARCH_SAVED_R13 - ARCH_SAVED_BYTES
	.cfi_offset r14, ARCH_SAVED_R14 - ARCH_SAVED_BYTES
	.cfi_offset r15, ARCH_SAVED_R15 - ARCH_SAVED_BYTES
.endm

/*
 * Loads all of the context saved at \reg but its pc, which then lies at rsp: as if arch_park's caller
 * had just called here. Loading equal control words again costs no more than comparing them.
 */
.macro load_context reg
	ldmxcsr	ARCH_SAVED_MXCSR(%\reg)
	fldcw	ARCH_SAVED_X87_CONTROL(%\reg)
	leaq	ARCH_SAVED_R15(%\reg), %rsp
	cfi_context_at rsp
	.cfi_def_cfa_offset ARCH_SAVED_BYTES - ARCH_SAVED_R15
	pop_saved r15
	pop_saved r14
	pop_saved r13
	pop_saved r12
	pop_saved rbx
	pop_saved rbp
.endm

.macro jump_to_return_address
	popq	%rdx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rdx
	notrack jmp *%rdx
.endm

// A new stack begins: nobody called this.
.macro cfi_root
	.cfi_def_cfa rsp, 0
	.cfi_undefined rip
.endm

// void arch_park(void **save, void *top, void *(*fn)(void *, void *), void *a, void *b)
function arch_park
	push_context
.globl arch_parked_at
.hidden arch_parked_at
arch_parked_at:
	movq	%rsp, (%rdi)
	movq	ARCH_SAVED_PC(%rsp), %rbx
	xorl	%ebp, %ebp
	movq	%rsi, %rsp
	cfi_root
	movq	%rcx, %rdi
	movq	%r8, %rsi
	call	*%rdx
	movq	%rbx, %rcx
	load_context rax
	cmpq	%rcx, (%rsp)
	jne	1f
	ret		// the predictor expects this address: no call here went unreturned
1:	jump_to_return_address
end arch_park

// void arch_resume(void *sp)
function arch_resume
	load_context rdi
	jump_to_return_address
end arch_resume

// void arch_jump(void *top, void *(*fn)(void *, void *), void *a, void *b)
function arch_jump
	movq	%rdi, %rsp
	cfi_root
	movq	%rsi, %rax
	movq	%rdx, %rdi
	movq	%rcx, %rsi
	xorl	%ebp, %ebp
	call	*%rax
	load_context rax
	jump_to_return_address
end arch_jump

// void arch_start(void *top, const struct arch_capture *c, void (*on_return)(void))
function arch_start
	movq	%rdi, %rsp
	cfi_root
	movq	%rdi, %r12
	.cfi_def_cfa_register r12
	ldmxcsr	default_mxcsr(%rip)
	fldcw	default_x87_control(%rip)
	movq	%rdx, %rbx
	movq	%rsi, %r11
	xorl	%ebp, %ebp
	movq	ARCH_CAPTURE_GPR + 0(%r11), %rdi
	testl	$1, ARCH_CAPTURE_FLAGS(%r11)	// ARCH_CAPTURE_SIMPLE
	jnz	5f
	movl	ARCH_CAPTURE_STACK_BYTES(%r11), %ecx
	testl	%ecx, %ecx
	jz	4f
	movq	ARCH_CAPTURE_STACK_ARGS(%r11), %rsi
	subq	%rcx, %rsp
3:	movups	-16(%rsi, %rcx), %xmm0
	movaps	%xmm0, -16(%rsp, %rcx)
	subl	$16, %ecx
	jnz	3b
4:	movq	ARCH_CAPTURE_GPR + 8(%r11), %rsi
	movq	ARCH_CAPTURE_GPR + 16(%r11), %rdx
	movq	ARCH_CAPTURE_GPR + 24(%r11), %rcx
	movq	ARCH_CAPTURE_GPR + 32(%r11), %r8
	movq	ARCH_CAPTURE_GPR + 40(%r11), %r9
	movsd	ARCH_CAPTURE_FPR + 0(%r11), %xmm0
	movsd	ARCH_CAPTURE_FPR + 8(%r11), %xmm1
	movsd	ARCH_CAPTURE_FPR + 16(%r11), %xmm2
	movsd	ARCH_CAPTURE_FPR + 24(%r11), %xmm3
	movsd	ARCH_CAPTURE_FPR + 32(%r11), %xmm4
	movsd	ARCH_CAPTURE_FPR + 40(%r11), %xmm5
	movsd	ARCH_CAPTURE_FPR + 48(%r11), %xmm6
	movsd	ARCH_CAPTURE_FPR + 56(%r11), %xmm7
	movl	$8, %eax	// a variadic function looks here for the number of vector registers
5:	call	*ARCH_CAPTURE_FN(%r11)
	call	*%rbx
	ud2
end arch_start

// int arch_try(void (*fn)(void *), void *arg, struct arch_landing *frame)
function arch_try
	push_context
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	xorl	%eax, %eax
	addq	$ARCH_SAVED_PC, %rsp	// fn preserved the registers
	.cfi_adjust_cfa_offset -ARCH_SAVED_PC
	.cfi_restore rbp
	.cfi_restore rbx
	.cfi_restore r12
	.cfi_restore r13
	.cfi_restore r14
	.cfi_restore r15
	ret
end arch_try

// void arch_land(struct arch_landing *frame, int value)
function arch_land
	movq	(%rdi), %rdi
	movl	%esi, %eax
	load_context rdi
	jump_to_return_address
end arch_land

// void arch_call_as_if_from(const struct arch_saved *sp, void (*fn)(void *), void *arg)
function arch_call_as_if_from
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	movq	%rdi, %rbx
	.cfi_remember_state
	cfi_context_at rbx
	movq	%rdx, %rdi
	call	*%rsi
	.cfi_restore_state
	popq	%rbx
	.cfi_def_cfa_offset 8	// clang 14 would adjust from before the state was restored
	.cfi_restore rbx
	ret
end arch_call_as_if_from

// Entered as any function at all; r10 points at the struct tuza_go_site.
local_function go_capture
	subq	$ARCH_REGISTERS_BYTES + 8, %rsp
	.cfi_adjust_cfa_offset ARCH_REGISTERS_BYTES + 8
	movq	%rdi, ARCH_REGISTERS_GPR + 0(%rsp)
	movq	%rsi, ARCH_REGISTERS_GPR + 8(%rsp)
	movq	%rdx, ARCH_REGISTERS_GPR + 16(%rsp)
	movq	%rcx, ARCH_REGISTERS_GPR + 24(%rsp)
	movq	%r8, ARCH_REGISTERS_GPR + 32(%rsp)
	movq	%r9, ARCH_REGISTERS_GPR + 40(%rsp)
	movsd	%xmm0, ARCH_REGISTERS_FPR + 0(%rsp)
	movsd	%xmm1, ARCH_REGISTERS_FPR + 8(%rsp)
	movsd	%xmm2, ARCH_REGISTERS_FPR + 16(%rsp)
	movsd	%xmm3, ARCH_REGISTERS_FPR + 24(%rsp)
	movsd	%xmm4, ARCH_REGISTERS_FPR + 32(%rsp)
	movsd	%xmm5, ARCH_REGISTERS_FPR + 40(%rsp)
	movsd	%xmm6, ARCH_REGISTERS_FPR + 48(%rsp)
	movsd	%xmm7, ARCH_REGISTERS_FPR + 56(%rsp)
	movq	%rsp, %rdi
	leaq	ARCH_REGISTERS_BYTES + 16(%rsp), %rsi
	movq	%r10, %rdx
	movq	ARCH_REGISTERS_BYTES + 8(%rsp), %rcx
	call	go_captured
	addq	$ARCH_REGISTERS_BYTES + 8, %rsp
	.cfi_adjust_cfa_offset -(ARCH_REGISTERS_BYTES + 8)
	ret
end go_capture

// Entered as a function of one integer or pointer; r10 points at the tuza_defer_record.
local_function defer_capture
	movq	%rdi, ARCH_DEFER_ARG(%r10)
	ret
end defer_capture

	.hidden	go_captured

.macro public_address name, of
	.globl	\name
	.type	\name, @object
	.size	\name, 8
\name:	.quad	\of
.endm

	.section .data.rel.ro, "aw", @progbits
	.p2align 3
	public_address tuza_go_capture_, go_capture
	public_address tuza_defer_capture_, defer_capture

	.section .rodata
	.p2align 2
default_mxcsr:
	.long	0x1f80	// round to nearest, no traps
default_x87_control:
	.short	0x037f	// the same, 64-bit mantissa

	.section .note.gnu.property, "a", @note
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000002, 4, 1, 0	// GNU_PROPERTY_X86_FEATURE_1_AND: IBT

	.section .note.GNU-stack, "", @progbits
