// SPDX-License-Identifier: MIT
/*
 * The smallest scheduler that arch/ can be tested with, and a harness of two macros. Included once
 * by each test program, which provides go_captured.
 *
 * A context is a stack and the place where it stopped. The main program is one too. Whoever stops
 * names the one that goes on; the choice is made on the machine's stack, as in the real scheduler.
 */
#ifndef TUZA_TESTS_ARCH_CONTEXTS_H
#define TUZA_TESTS_ARCH_CONTEXTS_H

#include "arch/arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);           \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define RUN(test)                                                                                  \
	do {                                                                                       \
		puts(#test);                                                                       \
		test();                                                                            \
	} while (0)

enum {
	STACK_BYTES = 256 * 1024, // sanitizers and printf are not modest
	GARBAGE = 0x5a,
};

struct context {
	void *sp;
	char *stack;
	struct arch_capture capture;
};

__thread void *machine_tls __attribute__((used, tls_model("initial-exec"), visibility("hidden")));

static struct context main_context;
static char *machine_stack;

static void *stack_top(char *stack) { return stack + STACK_BYTES - ARCH_STACK_ARGS_SLACK; }

static char *stack_new(void)
{
	char *stack = aligned_alloc(4096, STACK_BYTES);
	CHECK(stack);
	memset(stack, GARBAGE,
		STACK_BYTES); // zeros above the top would look like the end to an unwinder
	return stack;
}

/*
 * AddressSanitizer must be told which frames are given up where its compiler cannot see it: those
 * of a stack that is begun anew, and those that a landing jumps over.
 */
void __asan_unpoison_memory_region(const volatile void *start, size_t bytes) WEAK;
void __asan_handle_no_return(void) WEAK;

static inline void frames_vanish(void)
{
	if (__asan_handle_no_return)
		__asan_handle_no_return();
}

// The top of a stack that is begun anew.
static void *stack_begin(char *stack)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(stack, STACK_BYTES);
	return stack_top(stack);
}

// Nobody may write above the top.
static void stack_check(char *stack)
{
	for (int i = STACK_BYTES - ARCH_STACK_ARGS_SLACK; i < STACK_BYTES; i++)
		CHECK(stack[i] == GARBAGE);
}

// What the scheduler would be: decides on the machine's stack who goes on.
static void *choose(void *context, void *unused)
{
	(void)unused;
	return ((struct context *)context)->sp;
}

// Stops `from`, which is running, and continues `to`.
static inline void switch_to(struct context *from, struct context *to)
{
	arch_park(&from->sp, stack_begin(machine_stack), choose, to, NULL);
}

// A context that ends gives its stack up at once: nothing of it is in use any more.
static void context_ended(void)
{
	arch_jump(stack_begin(machine_stack), choose, &main_context, NULL);
}

static inline void *begin(void *context, void *unused)
{
	struct context *c = context;
	(void)unused;
	arch_start(stack_begin(c->stack), &c->capture, context_ended);
}

// Runs the function in c->capture on a stack of its own until it stops or ends; then main goes on.
static void context_start_by(void *(*starter)(void *, void *), struct context *c)
{
	if (!c->stack)
		c->stack = stack_new();
	if (!machine_stack)
		machine_stack = stack_new();
	arch_park(&main_context.sp, stack_begin(machine_stack), starter, c, NULL);
	stack_check(c->stack);
	stack_check(machine_stack);
}

static inline void context_start(struct context *c) { context_start_by(begin, c); }

static inline void context_prepare(struct context *c, void (*fn)(void *), void *arg)
{
	c->capture.fn = (void (*)(void))fn;
	c->capture.flags = ARCH_CAPTURE_SIMPLE;
	c->capture.stack_args_bytes = 1 << 30; // nothing but gpr[0] is looked at
	c->capture.gpr[0] = (uintptr_t)arg;
}

static inline void context_start_simple(struct context *c, void (*fn)(void *), void *arg)
{
	context_prepare(c, fn, arg);
	context_start(c);
}

static inline void context_free(struct context *c)
{
	free(c->stack);
	c->stack = NULL;
}

#endif
