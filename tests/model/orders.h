// SPDX-License-Identifier: MIT
/*
 * All orders of the steps of a few actors, one after the other, depth first.
 *
 * An actor is a coroutine that stops before each step that others can see (model_step). The model
 * lets one of those that can go on do its next step until all are done, as `order_choose` says, and
 * then does everything again in the next order, as long as there is one (order_next).
 *
 * What a model claims is checked by CLAIM, which shows the order in which it did not hold.
 */
#ifndef TUZA_MODEL_ORDERS_H
#define TUZA_MODEL_ORDERS_H

#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum { ACTORS = 3, STEPS_MAX = 256, STACK_BYTES = 64 << 10 };

struct coroutine {
	void (*body)(void);
	bool done;
	ucontext_t context;
	char stack[STACK_BYTES] __attribute__((aligned(16)));
};

static struct coroutine *running; // NULL: the scenario prepares or looks at the outcome
static ucontext_t explorer;

static struct {
	int depth;
	int repeated; // so many of its first steps are those of the order before
	unsigned char choice[STEPS_MAX], of[STEPS_MAX];
} order;

static int failures;
static bool fails_silently;

#define CLAIM(condition)                                                                           \
	do {                                                                                       \
		if (!(condition) && failures++ < 10 && !fails_silently) {                          \
			printf("%s:%d: failed: %s, in the order", __FILE__, __LINE__, #condition); \
			for (int i_ = 0; i_ < order.depth; i_++)                                   \
				printf(" %d/%d", order.choice[i_], order.of[i_]);                  \
			printf("\n");                                                              \
		}                                                                                  \
	} while (0)

static void model_step(void)
{
	if (running)
		swapcontext(&running->context, &explorer);
}

static void coroutine_main(void)
{
	running->body();
	running->done = true;
	swapcontext(&running->context, &explorer);
}

static NOINLINE void coroutine_prepare(struct coroutine *c, void (*body)(void))
{
	c->body = body;
	c->done = false;
	getcontext(&c->context);
	c->context.uc_stack.ss_sp = c->stack;
	c->context.uc_stack.ss_size = sizeof(c->stack);
	makecontext(&c->context, coroutine_main, 0);
}

static void coroutine_step(struct coroutine *c)
{
	running = c;
	swapcontext(&explorer, &c->context);
	running = NULL;
}

// Which of n things this order does next.
static int order_choose(int n)
{
	if (order.depth >= STEPS_MAX)
		abort();
	order.of[order.depth] = (unsigned char)n;
	return order.choice[order.depth++];
}

// Goes on to the next order, depth first; false after the last.
static bool order_next(void)
{
	for (int at = order.depth; at-- > 0;) {
		if (order.choice[at] + 1 < order.of[at]) {
			order.choice[at]++;
			order.repeated = at;
			memset(order.choice + at + 1, 0, sizeof(order.choice) - (size_t)at - 1);
			return true;
		}
	}
	return false;
}

#endif
