// SPDX-License-Identifier: MIT
/*
 * AArch64: the frame between a faulting instruction and the function that turns the fault into
 * a panic: see arch_signal.h.
 *
 * The interrupted function may still need its return address in x30, so its pc is described apart,
 * in the column that libgcc uses for the kernel's signal frames.
 */
	.text
	.globl	arch_signal_entry
	.hidden	arch_signal_entry
	.type	arch_signal_entry, %function
	.p2align 4
arch_signal_entry:
	.cfi_startproc
	.cfi_signal_frame			// the caller stopped at the address itself
	.cfi_return_column 96
	.cfi_escape 0x0f, 3, 0x8f, 16, 0x06	// DW_CFA_def_cfa_expression: the word at sp + 16
	.cfi_escape 0x10, 96, 2, 0x8f, 0	// DW_CFA_expression: pc lies at sp
	.cfi_escape 0x10, 30, 2, 0x8f, 8	// x30 behind it
	hint	34	// bti c
	blr	x1
	brk	#1
	.cfi_endproc
	.size	arch_signal_entry, . - arch_signal_entry

	.section .note.gnu.property, "a", %note
	.p2align 3
	.word	4, 16, 5
	.asciz	"GNU"
	.word	0xc0000000, 4, 1, 0	// GNU_PROPERTY_AARCH64_FEATURE_1_AND: BTI

	.section .note.GNU-stack, "", %progbits
