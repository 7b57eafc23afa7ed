// SPDX-License-Identifier: MIT
/*
 * Offsets that switch.S shares with the C structures; arch.h asserts that both agree.
 */
#ifndef TUZA_ARCH_OFFSETS_H
#define TUZA_ARCH_OFFSETS_H

// struct arch_saved, from the lowest address on.
#define ARCH_SAVED_FPCR 0
#define ARCH_SAVED_X19 16
#define ARCH_SAVED_D8 96
#define ARCH_SAVED_FP 160
#define ARCH_SAVED_PC 168
#define ARCH_SAVED_BYTES 176
// What debuggers call them. Not d8 to d15: gdb takes no pseudo-registers from an unwinder.
// clang-format off
#define ARCH_SAVED_REGISTERS(X)                                                                    \
	X("x19", ARCH_SAVED_X19) X("x20", ARCH_SAVED_X19 + 8) X("x21", ARCH_SAVED_X19 + 16)        \
	X("x22", ARCH_SAVED_X19 + 24) X("x23", ARCH_SAVED_X19 + 32) X("x24", ARCH_SAVED_X19 + 40)  \
	X("x25", ARCH_SAVED_X19 + 48) X("x26", ARCH_SAVED_X19 + 56) X("x27", ARCH_SAVED_X19 + 64)  \
	X("x28", ARCH_SAVED_X19 + 72) X("x29", ARCH_SAVED_FP) X("pc", ARCH_SAVED_PC)
// clang-format on

// struct arch_capture
#define ARCH_CAPTURE_FN 0
#define ARCH_CAPTURE_STACK_ARGS 8
#define ARCH_CAPTURE_STACK_BYTES 16
#define ARCH_CAPTURE_FLAGS 20
#define ARCH_CAPTURE_GPR 24
#define ARCH_CAPTURE_FPR 88

// struct arch_registers
#define ARCH_REGISTERS_GPR 0
#define ARCH_REGISTERS_FPR 64
#define ARCH_REGISTERS_BYTES 192

// tuza_defer_record.arg
#define ARCH_DEFER_ARG 16

#endif
