// SPDX-License-Identifier: MIT
/*
 * Stacks as numbers (src/trace/stack.c).
 */
#include "test.h"

#include "debug/symbol.h"
#include "trace/stack.h"

static struct stack_walker *walker;
static const char *top;

// Inlined without optimisation as well: it is the test's frame where the walks end.
static inline __attribute__((always_inline)) void begin(void)
{
	walker = calloc(1, sizeof(*walker));
	top = __builtin_frame_address(0);
	CHECK_EQ(stacks_begin(), 0);
}

static void end(void)
{
	stacks_forget();
	free(walker);
}

static uint32_t number;

#define KEEP __attribute__((noinline))

KEEP static void leaf(void)
{
	number = stack_number_here(walker, top, 1);
	__asm__ volatile("");
}

// Two functions that are alike, but for their addresses.
KEEP static void left(void)
{
	leaf();
	__asm__ volatile("");
}

KEEP static void right(void)
{
	leaf();
	__asm__ volatile("");
}

KEEP static uint32_t by(void (*f)(void))
{
	f();
	__asm__ volatile("");
	return number;
}

TEST_PLAIN(a_stack_keeps_its_number_and_another_has_another)
{
	begin();
	uint32_t l = 0, r = 0;

	// volatile: or compilers make two loops of it, with calls of their own
	for (volatile int i = 0; i < 100; i = i + 1) {
		uint32_t one = by(left), other = by(right);

		CHECK(one != 0 && other != 0 && one != other);
		CHECK(i == 0 || (one == l && other == r));
		l = one;
		r = other;
	}
	const uintptr_t *pcs;
	CHECK(stack_frames(l, &pcs) >= 4);
	CHECK_EQ(stack_frames(0, &pcs), 0);
	CHECK_EQ(stack_frames(stack_count(), &pcs), 0);
	end();
}

static void take(const struct symbol *s, void *names)
{
	char *text = names;

	if (s->function && strlen(text) + strlen(s->function) < 900)
		strcat(strcat(text, s->function), " ");
}

TEST_PLAIN(the_frames_of_a_number_are_those_of_the_walk)
{
	char names[1000] = "";
	const uintptr_t *pcs;

	begin();
	uint32_t n = stack_frames(by(right), &pcs);

	for (uint32_t i = 0; i < n; i++)
		symbol_each((struct backtrace_frame){pcs[i], false}, take, names);
	CHECK_CONTAINS(names, "leaf right by ");
	end();
}

KEEP static void deeper(int n)
{
	if (n > 0)
		deeper(n - 1);
	else
		leaf();
	__asm__ volatile("");
}

TEST_PLAIN(a_deep_stack_loses_its_outer_frames)
{
	const uintptr_t *pcs;

	begin();
	deeper(200);
	CHECK_EQ(stack_frames(number, &pcs), STACK_FRAMES_MAX);
	end();
}

TEST_PLAIN(numbers_are_given_out_anew)
{
	begin();
	uint32_t before = by(left);
	CHECK(before != 0);
	stacks_forget();
	CHECK_EQ(by(left), 0); // nobody asks
	CHECK_EQ(stacks_begin(), 0);
	CHECK(by(right) != 0);
	CHECK(by(left) != by(right));
	end();
}

TEST_PLAIN(a_stack_of_one_frame_is_its_program_counter)
{
	const uintptr_t *pcs;

	begin();
	uint32_t n = stack_number_of_pc(walker, 0x401000, false);
	CHECK_EQ(stack_frames(n, &pcs), 1);
	CHECK_EQ(pcs[0], 0x401000);
	CHECK_EQ(stack_number_of_pc(walker, 0x401001, true), n);
	CHECK_EQ(stack_number_of_pc(walker, 0, false), 0);
	end();
}
