// SPDX-License-Identifier: MIT
// Stacks: the running one, a parked one, one that a signal interrupted.
#include "test.h"

#include "../other_stack.h"

#include "debug/backtrace.h"
#include "debug/own_stack.h"

#include <setjmp.h>
#include <unwind.h>

#define IS_IN(frame, function) is_in((frame), (uintptr_t)(function))

static bool is_in(struct backtrace_frame frame, uintptr_t function)
{
	return (uintptr_t)_Unwind_FindEnclosingFunction((void *)(frame.pc - frame.is_return)) ==
	       function;
}

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static struct backtrace b;

static NOINLINE void takes_it(void)
{
	backtrace_here(&b);
	KEEP_FRAME();
}
static NOINLINE void calls_it(void)
{
	takes_it();
	KEEP_FRAME();
}

TEST_PLAIN(here_begins_with_the_caller)
{
	calls_it();
	CHECK(b.count > 3);
	CHECK(IS_IN(b.frames[0], takes_it));
	CHECK(IS_IN(b.frames[1], calls_it));
	CHECK(IS_IN(b.frames[2], here_begins_with_the_caller));
	CHECK(b.frames[0].is_return);
	CHECK_EQ(b.elided, 0);
	CHECK(!b.is_cut);
}

static NOINLINE void recurse(int depth)
{
	if (depth > 1)
		recurse(depth - 1);
	else
		takes_it();
	KEEP_FRAME();
}

static NOINLINE void begins_recursion(int depth)
{
	recurse(depth);
	KEEP_FRAME();
}

TEST_PLAIN(deep_stack_keeps_both_ends)
{
	begins_recursion(1);
	uint32_t others = b.count - 1; // without the frames of recurse

	for (uint32_t depth = 1; depth <= 300; depth += depth > 80 && depth < 120 ? 1 : 7) {
		uint32_t all = others + depth, kept = all < BACKTRACE_MAX ? all : BACKTRACE_MAX;

		begins_recursion((int)depth);
		if (!CHECK_EQ(b.count, kept) || !CHECK_EQ(b.elided, all - kept))
			break;
		CHECK(IS_IN(b.frames[0], takes_it));
		for (uint32_t i = 1; i < b.count; i++) {
			// Counted from the outermost one: those of main and its callers, then
			// begins_recursion.
			uint32_t from_end = b.count - i;
			bool is_recursion = from_end > others - 1;

			CHECK_EQ(IS_IN(b.frames[i], recurse), is_recursion);
			if (from_end == others - 1)
				CHECK(IS_IN(b.frames[i], begins_recursion));
		}
	}
}

// ---- a parked stack ---------------------------------------------------------------------------

static void *parked, *host;
static char goroutine_stack[64 << 10] __attribute__((aligned(16)));

static void *resume_host(void *context, void *unused)
{
	(void)unused;
	return context;
}

static NOINLINE void parks(char *top)
{
	arch_park(&parked, top, resume_host, host, NULL);
	KEEP_FRAME();
}

// On a third stack runs what the scheduler would, between one goroutine and the next.
static char scheduler_stack[16 << 10] __attribute__((aligned(16)));

static NOINLINE void goroutine_body(void *arg)
{
	(void)arg;
	parks(scheduler_stack + sizeof(scheduler_stack));
	KEEP_FRAME();
}

static void goroutine_returns(void) { arch_resume(host); }

static void *start_goroutine(void *arg, void *unused)
{
	static struct arch_capture capture = {.flags = ARCH_CAPTURE_SIMPLE};

	(void)arg;
	(void)unused;
	capture.fn = (void (*)(void))goroutine_body;
	arch_start(goroutine_stack + sizeof(goroutine_stack), &capture, goroutine_returns);
}

TEST_PLAIN(parked_stack_is_walked_to_its_root)
{
	struct backtrace again;

	arch_park(&host, scheduler_stack + sizeof(scheduler_stack), start_goroutine, NULL, NULL);
	backtrace_context(&b, parked);
	CHECK_EQ(b.count, 2);
	CHECK(IS_IN(b.frames[0], parks));
	CHECK(IS_IN(b.frames[1], goroutine_body));
	backtrace_context(&again, parked);
	CHECK_EQ(again.count, 2);
	arch_park(&host, scheduler_stack + sizeof(scheduler_stack), resume_host, parked, NULL);
}

static const struct arch_saved *seen_caller;

static void takes_callers(const struct arch_saved *caller, void *arg)
{
	(void)arg;
	seen_caller = caller;
	backtrace_context(&b, caller);
}

static NOINLINE void calls_on_own_stack(void)
{
	own_stack_call(takes_callers, NULL);
	KEEP_FRAME();
}

TEST_PLAIN(own_stack_shows_the_calling_one)
{
	calls_on_own_stack();
	if (!CHECK(seen_caller != NULL))
		return;
	CHECK(IS_IN(b.frames[0], own_stack_call));
	CHECK(IS_IN(b.frames[1], calls_on_own_stack));
	CHECK(IS_IN(b.frames[2], own_stack_shows_the_calling_one));
}

// ---- a stack that the program changes -----------------------------------------------------------

void call_on(void *top, void (*fn)(void));
CALL_ON("call_on", ".cfi_def_cfa_register " FP);
// The same by an expression, of FP + 0, 2, 8, a product and a sum, as OpenSSL's assembler has them.
void call_on_by_expression(void *top, void (*fn)(void));
CALL_ON("call_on_by_expression",
	".cfi_escape 0x0f, 6, " FP_OPERATION ", 0, 0x32, 0x38, 0x1e, 0x22");

static char two_stacks[128 << 10] __attribute__((aligned(16)));

static NOINLINE void is_on_higher(void)
{
	takes_it();
	KEEP_FRAME();
}
static NOINLINE void is_on_lower(void)
{
	call_on_by_expression(two_stacks + sizeof(two_stacks), is_on_higher);
	KEEP_FRAME();
}

TEST_PLAIN(stack_of_the_programs_own_leads_to_its_caller)
{
	call_on(two_stacks + sizeof(two_stacks) / 2, is_on_lower);
	CHECK(b.count > 6);
	CHECK(IS_IN(b.frames[1], is_on_higher));
	CHECK(IS_IN(b.frames[2], call_on_by_expression));
	CHECK(IS_IN(b.frames[3], is_on_lower));
	CHECK(IS_IN(b.frames[4], call_on));
	CHECK(IS_IN(b.frames[5], stack_of_the_programs_own_leads_to_its_caller));
}

static void uses_much(const struct arch_saved *caller, void *arg)
{
	volatile char much[96 << 10];

	(void)caller;
	for (size_t i = 0; i < sizeof(much); i += 512)
		much[i] = 1;
	*(bool *)arg = true;
}

TEST_PLAIN(own_stack_has_room)
{
	bool done = false;

	own_stack_call(uses_much, &done);
	CHECK(done);
}

// ---- an interrupted stack ---------------------------------------------------------------------

static sigjmp_buf back;

static void take_interrupted(int signal)
{
	backtrace_interrupted(&b);
	if (signal == SIGSEGV)
		siglongjmp(back, 1);
}

static int *volatile nothing;

static NOINLINE void faults(void)
{
	*nothing = 1;
	KEEP_FRAME();
}
static NOINLINE void calls_fault(void)
{
	faults();
	KEEP_FRAME();
}

static void with_handler(int signal, void (*fn)(void))
{
	static char stack[64 << 10];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)}, old_alternate;
	struct sigaction action = {.sa_handler = take_interrupted, .sa_flags = SA_ONSTACK}, old;

	sigaltstack(&alternate, &old_alternate);
	sigaction(signal, &action, &old);
	if (sigsetjmp(back, 1) == 0)
		fn();
	sigaction(signal, &old, NULL);
	sigaltstack(&old_alternate, NULL);
}

TEST_PLAIN(interrupted_stack_begins_with_the_faulting_instruction)
{
	with_handler(SIGSEGV, calls_fault);
	CHECK(b.count > 3);
	CHECK(IS_IN(b.frames[0], faults));
	CHECK(!b.frames[0].is_return);
	CHECK(IS_IN(b.frames[1], calls_fault));
	CHECK(b.frames[1].is_return);
}

static void (*volatile no_function)(void);
static void calls_nothing(void) { no_function(); }

TEST_PLAIN(interrupted_stack_has_one_frame_when_the_program_counter_is_no_code)
{
	with_handler(SIGSEGV, calls_nothing);
	CHECK_EQ(b.count, 1);
	CHECK_EQ(b.frames[0].pc, 0);
}

static NOINLINE void raises(void)
{
	raise(SIGUSR1);
	KEEP_FRAME();
}

TEST_PLAIN(interrupted_stack_leads_through_library_code)
{
	bool is_seen = false;

	with_handler(SIGUSR1, raises);
	for (uint32_t i = 0; i < b.count; i++)
		is_seen |= IS_IN(b.frames[i], raises);
	CHECK(is_seen);
}
