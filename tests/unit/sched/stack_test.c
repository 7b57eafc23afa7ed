// SPDX-License-Identifier: MIT
/*
 * Stack slots: classes, alignment, reuse, guards, memory that goes back.
 */
#include "../../test.h"

#include "sched/stack.h"
#include "sys/sys.h"

#include <setjmp.h>
#include <sys/wait.h>

// No runtime starts here, which would do it.
__attribute__((constructor)) static void init(void) { sys_init(); }

static size_t resident_pages(char *from, size_t bytes)
{
	unsigned char there[4096];
	size_t pages = bytes / sys_page_bytes, n = 0;

	if (pages > sizeof there || mincore(from, bytes, there) != 0)
		return SIZE_MAX;
	for (size_t i = 0; i < pages; i++)
		n += there[i] & 1;
	return n;
}

TEST_PLAIN(classes_are_powers_of_two_from_16_kib_to_1_gib)
{
	CHECK_EQ(stack_class_of(1), 0);
	CHECK_EQ(stack_class_of(16 << 10), 14);
	CHECK_EQ(stack_class_of((16 << 10) + 1), 15);
	CHECK_EQ(stack_class_of(256 << 10), 18);
	CHECK_EQ(stack_class_of((size_t)1 << 30), 30);
	CHECK_EQ(stack_class_of(((size_t)1 << 30) + 1), 0);
	CHECK_EQ(stack_class_of(SIZE_MAX), 0);
}

TEST_PLAIN(slots_of_every_class_are_aligned_apart_and_writable_to_both_ends)
{
	for (uint32_t class = STACK_CLASS_MIN; class <= 24; class ++) {
		char *a = stack_alloc(class), *b = stack_alloc(class);
		struct stack_bounds bounds = stack_bounds(a, class);

		if (!CHECK(a && b && a != b))
			return;
		CHECK_EQ((uintptr_t)a % stack_slot_bytes(class), 0);
		CHECK((size_t)(a > b ? a - b : b - a) >= stack_slot_bytes(class));
		CHECK((size_t)(bounds.top - bounds.low) >= stack_slot_bytes(class) / 2);
		CHECK_EQ((uintptr_t)bounds.top % 16, 0);
		*bounds.low = 1;
		bounds.top[-1] = 1;
		stack_free(a, class);
		stack_free(b, class);
	}
}

TEST_PLAIN(last_freed_slot_is_used_first)
{
	char *a = stack_alloc(STACK_CLASS_DEFAULT), *b = stack_alloc(STACK_CLASS_DEFAULT);

	stack_free(a, STACK_CLASS_DEFAULT);
	stack_free(b, STACK_CLASS_DEFAULT);
	CHECK(stack_alloc(STACK_CLASS_DEFAULT) == b);
	CHECK(stack_alloc(STACK_CLASS_DEFAULT) == a);
	stack_free(a, STACK_CLASS_DEFAULT);
	stack_free(b, STACK_CLASS_DEFAULT);
}

TEST_PLAIN(many_slots_are_all_different)
{
	enum { N = 2000 };
	static char *slots[N];
	size_t before = stack_slots_in_use();

	for (int i = 0; i < N; i++) {
		slots[i] = stack_alloc(STACK_CLASS_DEFAULT);
		if (!CHECK(slots[i] != NULL))
			return;
		*(int *)(void *)stack_bounds(slots[i], STACK_CLASS_DEFAULT).low = i;
	}
	CHECK_EQ(stack_slots_in_use(), before + N);
	for (int i = 0; i < N; i++)
		CHECK_EQ(*(int *)(void *)stack_bounds(slots[i], STACK_CLASS_DEFAULT).low, i);
	stack_free_many(STACK_CLASS_DEFAULT, slots, N);
	CHECK_EQ(stack_slots_in_use(), before);
}

static sigjmp_buf fault;
static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(fault, 1);
}

// Every byte of the guard faults, also after the slot's memory was given back.
TEST_PLAIN(guard_faults_at_both_ends_and_survives_trimming)
{
	struct sigaction act = {.sa_handler = on_fault}, old;
	char *slot = stack_alloc(STACK_CLASS_DEFAULT);
	volatile int faults = 0;

	sigaction(SIGSEGV, &act, &old);
	for (volatile int round = 0; round < 2; round++) {
		char *const at[] = {slot, stack_bounds(slot, STACK_CLASS_DEFAULT).low - 1};
		for (volatile int i = 0; i < 2; i++) {
			if (sigsetjmp(fault, 1) == 0)
				*(volatile char *)at[i] = 1;
			else
				faults++;
		}
		stack_trim_below(
			slot, STACK_CLASS_DEFAULT, stack_bounds(slot, STACK_CLASS_DEFAULT).top);
	}
	sigaction(SIGSEGV, &old, NULL);
	CHECK_EQ(faults, 4);
	stack_free(slot, STACK_CLASS_DEFAULT);
}

TEST_PLAIN(trimming_gives_back_what_lies_below_the_stack_pointer)
{
	char *slot = stack_alloc(STACK_CLASS_DEFAULT);
	struct stack_bounds b = stack_bounds(slot, STACK_CLASS_DEFAULT);
	size_t usable =
		stack_slot_bytes(STACK_CLASS_DEFAULT) - stack_guard_bytes(STACK_CLASS_DEFAULT);

	memset(b.low, 7, (size_t)(b.top - b.low));
	CHECK_EQ(resident_pages(b.low, usable), usable / sys_page_bytes);
	stack_trim_below(slot, STACK_CLASS_DEFAULT, b.top - 1000);
	CHECK(resident_pages(b.low, usable) <= 2);
	CHECK_EQ(b.top[-1], 7);
	stack_free(slot, STACK_CLASS_DEFAULT);
}

TEST_PLAIN(scavenging_gives_free_slots_back_entirely)
{
	enum { N = 64 };
	char *slots[N];
	size_t usable =
		stack_slot_bytes(STACK_CLASS_DEFAULT) - stack_guard_bytes(STACK_CLASS_DEFAULT);

	CHECK_EQ(stack_alloc_many(STACK_CLASS_DEFAULT, slots, 1), 1);
	for (int i = 1; i < N; i++)
		slots[i] = stack_alloc(STACK_CLASS_DEFAULT);
	for (int i = 0; i < N; i++)
		stack_bounds(slots[i], STACK_CLASS_DEFAULT).top[-1] = 7;
	stack_free_many(STACK_CLASS_DEFAULT, slots, N);
	while (stack_scavenge(16) > 0)
		;
	for (int i = 0; i < N; i++)
		CHECK_EQ(
			resident_pages(stack_bounds(slots[i], STACK_CLASS_DEFAULT).low, usable), 0);
}
