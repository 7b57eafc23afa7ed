// SPDX-License-Identifier: MIT
/*
 * System calls that return -errno instead of setting errno.
 */
#ifndef TUZA_SYS_LINUX_SYSCALL_H
#define TUZA_SYS_LINUX_SYSCALL_H

#include "base/compiler.h"

#include <sys/syscall.h>

static inline long raw_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "unsupported CPU"
#endif
}

// Of a call that returns an address or a number: whether it is a negated errno value.
static inline bool raw_is_error(long r) { return (unsigned long)r > -4096ul; }

/*
 * clone: the child calls fn(arg) on the stack that ends at `stack`, and fn does not return. By
 * hand, because the C library's is intercepted by ThreadSanitizer, which takes a child that shares
 * the memory for one of its own. Returns the child's number in the parent.
 */
static inline long raw_clone(unsigned long flags, void *stack, void (*fn)(void *), void *arg)
{
#if defined(__x86_64__)
	long r;
	register void (*callee)(void *) __asm__("r12") = fn;
	register void *argument __asm__("r13") = arg;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t" // where unwinders stop
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(r)
			 : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(0l), "r"(r10), "r"(r8),
			 "r"(callee), "r"(argument)
			 : "rcx", "r11", "memory", "cc");
	return r;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = (long)flags;
	register void *x1 __asm__("x1") = stack;
	register long x2 __asm__("x2") = 0;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;
	register void (*callee)(void *) __asm__("x9") = fn;
	register void *argument __asm__("x10") = arg;
	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, #0\n\t" // where unwinders stop
			 "mov x0, x10\n\t"
			 "blr x9\n\t"
			 "brk #1\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(callee), "r"(argument)
			 : "memory", "cc");
	return x0;
#else
#error "unsupported CPU"
#endif
}

#endif
