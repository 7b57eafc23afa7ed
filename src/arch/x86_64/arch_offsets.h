// SPDX-License-Identifier: MIT
/*
 * Offsets that switch.S shares with the C structures; arch.h asserts that both agree.
 */
#ifndef TUZA_ARCH_OFFSETS_H
#define TUZA_ARCH_OFFSETS_H

// struct arch_saved, from the lowest address on.
#define ARCH_SAVED_MXCSR 0
#define ARCH_SAVED_X87_CONTROL 4
#define ARCH_SAVED_R15 8
#define ARCH_SAVED_R14 16
#define ARCH_SAVED_R13 24
#define ARCH_SAVED_R12 32
#define ARCH_SAVED_RBX 40
#define ARCH_SAVED_RBP 48
#define ARCH_SAVED_PC 56
#define ARCH_SAVED_BYTES 64
// What debuggers call them; clang-format would put one on each line.
// clang-format off
#define ARCH_SAVED_REGISTERS(X)                                                                    \
	X("r15", ARCH_SAVED_R15) X("r14", ARCH_SAVED_R14) X("r13", ARCH_SAVED_R13)                 \
	X("r12", ARCH_SAVED_R12) X("rbx", ARCH_SAVED_RBX) X("rbp", ARCH_SAVED_RBP)                 \
	X("rip", ARCH_SAVED_PC)
// clang-format on

// struct arch_capture
#define ARCH_CAPTURE_FN 0
#define ARCH_CAPTURE_STACK_ARGS 8
#define ARCH_CAPTURE_STACK_BYTES 16
#define ARCH_CAPTURE_FLAGS 20
#define ARCH_CAPTURE_GPR 24
#define ARCH_CAPTURE_FPR 72

// struct arch_registers
#define ARCH_REGISTERS_GPR 0
#define ARCH_REGISTERS_FPR 48
#define ARCH_REGISTERS_BYTES 112

// tuza_defer_record.arg
#define ARCH_DEFER_ARG 16

#endif
