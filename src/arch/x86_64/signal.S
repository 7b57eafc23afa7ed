// SPDX-License-Identifier: MIT
/*
 * x86-64: the frame between a faulting instruction and the function that turns the fault into
 * a panic: see arch_signal.h.
 */
	.text
	.globl	arch_signal_entry
	.hidden	arch_signal_entry
	.type	arch_signal_entry, @function
	.p2align 4
arch_signal_entry:
	.cfi_startproc
	.cfi_signal_frame			// the caller stopped at the address itself
	.cfi_escape 0x0f, 3, 0x77, 8, 0x06	// DW_CFA_def_cfa_expression: the word at rsp + 8
	.cfi_escape 0x10, 16, 2, 0x77, 0	// DW_CFA_expression: rip lies at rsp
	endbr64
	call	*%rsi
	ud2
	.cfi_endproc
	.size	arch_signal_entry, . - arch_signal_entry

	.section .note.gnu.property, "a", @note
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000002, 4, 1, 0	// GNU_PROPERTY_X86_FEATURE_1_AND: IBT

	.section .note.GNU-stack, "", @progbits
