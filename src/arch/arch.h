// SPDX-License-Identifier: MIT
/*
 * What a CPU must provide. arch/<cpu>/switch.S and arch/<cpu>/arch_cpu.h implement it, the tests in
 * tests/unit/arch prove it.
 *
 * Every saved context lies on its own stack: the callee-saved registers and the floating-point
 * control words are pushed there and `sp` points at the lowest word (struct arch_saved).
 *
 * The scheduler is never switched *to*, it is called: a goroutine that stops pushes its registers
 * and calls a function at the top of the machine's own stack, which answers with the context to
 * continue. Hence one switch costs one save and one restore, and calls and returns stay in pairs:
 * when the next context waits at the same place of the program, `ret` takes it there and the whole
 * path back is predicted (15 ns against 40 for eight like goroutines three calls deep, Zen 4). When
 * it waits elsewhere `ret` would surely be mispredicted, and an indirect jump goes there.
 */
#ifndef TUZA_ARCH_ARCH_H
#define TUZA_ARCH_ARCH_H

#include "base/compiler.h"
#include "arch_cpu.h" // the CPU is chosen by the include path: struct arch_saved, ARCH_*

/*
 * The arguments of a `go` statement as the calling convention put them into registers; the rest in
 * stack_args. Lives in the goroutine's descriptor until it starts.
 */
struct arch_capture {
	void (*fn)(void);
	// Copy of the arguments passed on the stack, or NULL; arch_start does not free it.
	void *stack_args;
	uint32_t stack_args_bytes; // multiple of 16
	uint32_t flags;            // ARCH_CAPTURE_*
	uint64_t gpr[ARCH_CAPTURE_GPRS];
	arch_fpr fpr[ARCH_CAPTURE_FPRS];
};
enum {
	ARCH_CAPTURE_SIMPLE = 1, // only gpr[0] is meaningful: fn(void *)
};

/*
 * Saves the running context on its own stack, stores the stack pointer in *save, moves to the stack
 * that ends at `top` (16-byte aligned) and calls fn(a, b) there. fn either returns the saved
 * context to continue, which may be the one just saved, or leaves by arch_resume, arch_jump or
 * arch_start. Returns when somebody continues *save, maybe on another thread.
 */
void arch_park(void **save, void *top, void *(*fn)(void *, void *), void *a, void *b);
// In it, where the stack pointer is what *save gets: for debuggers.
extern HIDDEN const char arch_parked_at[];

// Leaves the current stack for good and continues the context saved at `sp`.
NORETURN void arch_resume(void *sp);

// Leaves the current stack for good and calls fn(a, b) at `top`, as arch_park does.
NORETURN void arch_jump(void *top, void *(*fn)(void *, void *), void *a, void *b);

/*
 * The copy of a go statement's stack arguments may take up to so many bytes beyond the last one,
 * and they lie at the very top of the caller's stack if the caller is a goroutine's first function:
 * so many bytes above every `top` given to arch_start must be readable.
 */
enum {
	ARCH_STACK_ARGS_SLACK = 160,
};

/*
 * Leaves the current stack for good; on the stack that ends at `top` loads the default
 * floating-point control words, copies c->stack_args, loads the captured registers and calls c->fn.
 * When it returns, calls `on_return()`, which never returns. `c` is read before c->fn is entered
 * and not afterwards. Unwinders stop at this frame: it is the goroutine's root.
 */
NORETURN void arch_start(void *top, const struct arch_capture *c, void (*on_return)(void));

/*
 * Calls fn(arg) and returns 0; or returns `value` when arch_land(frame, value) is called meanwhile
 * on the same stack, all frames above it given up. Then the floating-point control words are those
 * from before the call, as the callee-saved registers are in either case.
 */
struct arch_landing {
	void *sp;
};
int arch_try(void (*fn)(void *), void *arg, struct arch_landing *frame);
NORETURN void arch_land(struct arch_landing *frame, int value);

/*
 * Calls fn(arg) on the current stack in a frame whose caller, as the unwinder sees it, is the
 * context saved at `sp`: so an unwinder in fn walks the parked goroutine. (Only its CFI lies.)
 */
void arch_call_as_if_from(const struct arch_saved *sp, void (*fn)(void *), void *arg);

/*
 * Inline, in arch_cpu.h:
 *
 *   uintptr_t arch_saved_pc(const struct arch_saved *sp)
 *       Where the context saved at `sp` will continue.
 *   uintptr_t arch_saved_fp(const struct arch_saved *sp)
 *       Its frame pointer. Its stack pointer will be behind the saved context.
 *   void arch_here(struct arch_here *here)
 *       Program counter, stack and frame pointer at this place of the function that it is part of,
 *       for a walk by the unwind tables.
 *   uint64_t arch_ticks(void)
 *       A counter of the CPU that only grows, at one rate. The same on all CPUs where
 *       sys_ticks_are_steady (sys/clock.h).
 *   void arch_relax(void)
 *       A hint to the CPU that this is a spin loop.
 *   void *arch_tls_machine(void), void arch_tls_machine_set(void *machine)
 *       The thread's machine; never a stale address.
 *   void arch_copy_stack_args(void *to, const void *from, size_t bytes)
 *       How go_captured copies stack_args.
 */

/*
 * What the public macros call through the variables that hold its address. In the static chain
 * register: a pointer to the site or to the defer record (see tuza/goroutine.h, tuza/panic.h).
 *
 *   *tuza_go_capture_     saves all argument registers and calls go_captured
 *   *tuza_defer_capture_  stores the first integer argument register in the record's arg
 */
struct arch_registers {
	uint64_t gpr[ARCH_CAPTURE_GPRS];
	arch_fpr fpr[ARCH_CAPTURE_FPRS];
};

/*
 * Provided by sched: copies the arguments of a go statement into a descriptor and queues it.
 *
 *   r           the argument registers; dead after the return.
 *   stack_args  the caller's arguments on the stack, as many bytes as the site says; to be copied
 *               by arch_copy_stack_args.
 *   pc          where the go statement returns to: its place in the source.
 */
struct tuza_go_site;
void go_captured(const struct arch_registers *r, const void *stack_args,
	const struct tuza_go_site *site, uintptr_t pc) __attribute__((visibility("hidden")));

// The assembler's view of the structures.
_Static_assert(offsetof(struct arch_capture, fn) == ARCH_CAPTURE_FN, "switch.S");
_Static_assert(offsetof(struct arch_capture, stack_args) == ARCH_CAPTURE_STACK_ARGS, "switch.S");
_Static_assert(
	offsetof(struct arch_capture, stack_args_bytes) == ARCH_CAPTURE_STACK_BYTES, "switch.S");
_Static_assert(offsetof(struct arch_capture, flags) == ARCH_CAPTURE_FLAGS, "switch.S");
_Static_assert(offsetof(struct arch_capture, gpr) == ARCH_CAPTURE_GPR, "switch.S");
_Static_assert(offsetof(struct arch_capture, fpr) == ARCH_CAPTURE_FPR, "switch.S");
_Static_assert(offsetof(struct arch_registers, gpr) == ARCH_REGISTERS_GPR, "switch.S");
_Static_assert(offsetof(struct arch_registers, fpr) == ARCH_REGISTERS_FPR, "switch.S");
_Static_assert(sizeof(struct arch_registers) == ARCH_REGISTERS_BYTES, "switch.S");

#endif
