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
