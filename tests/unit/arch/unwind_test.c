// SPDX-License-Identifier: MIT
/*
 * What unwinders see of contexts: the whole stack up to its root and nothing beyond, wherever a
 * profiler's signal or a debugger stops the program.
 */
#define _GNU_SOURCE // REG_RIP
#include "registers.h"
#include "trace.h"

#include <signal.h>
#include <ucontext.h>

// No go statement here.
void go_captured(const struct arch_registers *r, const void *stack_args,
	const struct tuza_go_site *site, uintptr_t pc)
{
	(void)r, (void)stack_args, (void)site, (void)pc;
	abort();
}

static struct context traced;
static struct trace trace;
static struct arch_landing landing;

static void context_park(struct context *c, struct context *next, void *(*fn)(void *, void *))
{
	arch_park(&c->sp, stack_begin(machine_stack), fn, next, NULL);
}

static NOINLINE void parks_deep_down(int depth)
{
	if (depth > 0)
		parks_deep_down(depth - 1);
	else
		switch_to(&traced, &main_context);
	__asm__ volatile("" ::: "memory"); // no tail call
}

static void parks(void *unused)
{
	(void)unused;
	parks_deep_down(5);
}

static void a_parked_context_can_be_unwound_to_its_root(void)
{
	context_start_simple(&traced, parks, NULL);
	arch_call_as_if_from(traced.sp, trace_here, &trace);
	CHECK(trace_has(&trace, ADDRESS(arch_call_as_if_from)));
	CHECK(trace_has(&trace, ADDRESS(parks_deep_down)));
	CHECK(!trace_has(&trace, ADDRESS(a_parked_context_can_be_unwound_to_its_root)));
	CHECK(trace_ends_at(&trace, ADDRESS(arch_start), traced.stack));
	CHECK(trace_ends_for_frame_pointers(&trace));

	void *pc = (void *)arch_saved_pc(traced.sp);
	CHECK(trace_has(&trace, _Unwind_FindEnclosingFunction(pc)));
	switch_to(&main_context, &traced);
}

static NOINLINE void traces_itself(void *unused)
{
	(void)unused;
	trace_here(&trace);
	__asm__ volatile("" ::: "memory");
}

// There is something in the frame pointer's register when a stack is left.
static void *begin_with_registers(void *context, void *unused)
{
	struct context *c = context;
	(void)unused;
	call_arch(call_here, ADDRESS(arch_start), stack_begin(c->stack), &c->capture,
		ADDRESS(context_ended), NULL);
	abort();
}

static void a_running_context_can_be_unwound_to_its_root(void)
{
	context_prepare(&traced, traces_itself, NULL);
	context_start_by(begin_with_registers, &traced);
	CHECK(trace_has(&trace, ADDRESS(traces_itself)));
	CHECK(trace_ends_at(&trace, ADDRESS(arch_start), traced.stack));
	CHECK(trace_ends_for_frame_pointers(&trace));
}

static NOINLINE void *trace_then_choose(void *context, void *unused)
{
	trace_here(&trace);
	return choose(context, unused);
}

static NOINLINE void *jump_on(void *context, void *unused)
{
	call_arch(call_here, ADDRESS(arch_jump), stack_begin(machine_stack),
		ADDRESS(trace_then_choose), context, unused);
	abort();
}

static void the_machines_stack_can_be_unwound_to_its_root(void)
{
	context_park(&main_context, &main_context, trace_then_choose);
	CHECK(trace_has(&trace, ADDRESS(trace_then_choose)));
	CHECK(trace_ends_at(&trace, ADDRESS(arch_park), machine_stack));
	CHECK(trace_ends_for_frame_pointers(&trace));

	context_park(&main_context, &main_context, jump_on);
	CHECK(trace_has(&trace, ADDRESS(trace_then_choose)));
	CHECK(trace_ends_at(&trace, ADDRESS(arch_jump), machine_stack));
	CHECK(trace_ends_for_frame_pointers(&trace));
}

static void unwinding_passes_through_a_try(void)
{
	CHECK(arch_try(traces_itself, NULL, &landing) == 0);
	CHECK(trace_has(&trace, ADDRESS(arch_try)));
	CHECK(trace_has(&trace, ADDRESS(unwinding_passes_through_a_try)));
}

static unsigned registers_checked, lost;

// Where a function called by call_here or call_there is unwound, its caller's registers are as they
// were loaded.
static _Unwind_Reason_Code check_registers(struct _Unwind_Context *frame, void *unused)
{
	uintptr_t pc = _Unwind_GetIP(frame);
	void *fn = pc ? _Unwind_FindEnclosingFunction((void *)(pc - 1)) : NULL;

	(void)unused;
	if (fn != ADDRESS(call_here) && fn != ADDRESS(call_there))
		return _URC_NO_REASON;
	const struct register_call *call =
		*(struct register_call **)(_Unwind_GetCFA(frame) + CALL_AT);
	for (unsigned i = 0; i < COUNT_OF(dwarf_numbers); i++, registers_checked++)
		lost += _Unwind_GetGR(frame, dwarf_numbers[i]) != call->in[i];
	return _URC_NO_REASON;
}

static void check_all_registers(void *unused) { _Unwind_Backtrace(check_registers, unused); }

static void parks_with_registers(void *unused)
{
	(void)unused;
	call_arch(call_here, ADDRESS(arch_park), &traced.sp, stack_begin(machine_stack),
		ADDRESS(choose), &main_context);
}

static void unwinding_a_parked_context_restores_its_registers(void)
{
	context_start_simple(&traced, parks_with_registers, NULL);
	arch_call_as_if_from(traced.sp, check_all_registers, NULL);
	CHECK(registers_checked == SAVED_REGISTERS && lost == 0);
	switch_to(&main_context, &traced);
}

// ---- at every instruction ------------------------------------------------------------------

#if defined(__x86_64__)

/*
 * A tour through all of switch.S one instruction at a time, unwinding at each from the trap's
 * handler. The arch functions are called by call_here and call_there, so that the registers can be
 * checked too.
 */
static const void *const assembled[] = {
	ADDRESS(arch_park),
	ADDRESS(arch_resume),
	ADDRESS(arch_jump),
	ADDRESS(arch_start),
	ADDRESS(arch_try),
	ADDRESS(arch_land),
	ADDRESS(arch_call_as_if_from),
};
static unsigned steps_in[COUNT_OF(assembled)];

static void take_tour(void);

static void trapped(int signal, siginfo_t *info, void *context)
{
	void *pc = (void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	const void *fn = _Unwind_FindEnclosingFunction(pc);
	unsigned lost_before = lost;

	(void)signal, (void)info;
	for (unsigned i = 0; i < COUNT_OF(assembled); i++) {
		struct trace t;
		if (fn != assembled[i])
			continue;
		steps_in[i]++;
		trace_here(&t);
		lost += !trace_has(&t, fn);
		lost += !trace_has(&t, ADDRESS(take_tour)) &&
			!trace_ends_at(&t, ADDRESS(arch_start), traced.stack) &&
			!trace_ends_at(&t, ADDRESS(arch_park), machine_stack) &&
			!trace_ends_at(&t, ADDRESS(arch_jump), machine_stack);
		check_all_registers(NULL);
		if (lost != lost_before)
			printf("lost at %p\n", pc);
	}
}

static void single_step(bool on)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "andq $~0x100, (%%rsp)\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "leaq 128(%%rsp), %%rsp"
			 :
			 : "r"((uint64_t)on << 8)
			 : "memory", "cc");
}

static void *resume(void *context, void *unused)
{
	(void)unused;
	call_arch(
		call_here, ADDRESS(arch_resume), ((struct context *)context)->sp, NULL, NULL, NULL);
	abort();
}

static void parks_twice(void *unused)
{
	void *top = stack_begin(machine_stack);
	(void)unused;
	call_arch(call_here, ADDRESS(arch_park), &traced.sp, top, ADDRESS(choose), &main_context);
	call_arch(call_there, ADDRESS(arch_park), &traced.sp, top, ADDRESS(resume), &main_context);
}

static void does_nothing(void *unused) { (void)unused; }

static void lands(void *unused)
{
	(void)unused;
	frames_vanish();
	call_arch(call_there, ADDRESS(arch_land), &landing, ADDRESS(1), NULL, NULL);
}

static NOINLINE void take_tour(void)
{
	void *top = stack_begin(machine_stack);
	context_start_simple(&traced, parks_twice, NULL);
	call_arch(call_here, ADDRESS(arch_call_as_if_from), traced.sp, ADDRESS(does_nothing), NULL,
		NULL);
	call_arch(call_here, ADDRESS(arch_park), &main_context.sp, top, ADDRESS(choose), &traced);
	call_arch(call_here, ADDRESS(arch_park), &main_context.sp, top, ADDRESS(choose), &traced);
	call_arch(call_there, ADDRESS(arch_try), ADDRESS(does_nothing), NULL, &landing, NULL);
	call_arch(call_there, ADDRESS(arch_try), ADDRESS(lands), NULL, &landing, NULL);
	__asm__ volatile("" ::: "memory");
}

void __tsan_init(void) WEAK;

static void every_instruction_of_a_switch_can_be_unwound(void)
{
	if (__tsan_init) {
		puts("  skipped: ThreadSanitizer's signal handlers do not follow a switch of "
		     "stacks");
		return;
	}
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
	single_step(true);
	take_tour();
	single_step(false);
	CHECK(lost == 0);
	for (unsigned i = 0; i < COUNT_OF(assembled); i++)
		CHECK(steps_in[i] > 0);
}

#endif

int main(void)
{
	RUN(a_parked_context_can_be_unwound_to_its_root);
	RUN(a_running_context_can_be_unwound_to_its_root);
	RUN(the_machines_stack_can_be_unwound_to_its_root);
	RUN(unwinding_passes_through_a_try);
	RUN(unwinding_a_parked_context_restores_its_registers);
#if defined(__x86_64__)
	RUN(every_instruction_of_a_switch_can_be_unwound);
#endif
	context_free(&traced);
	free(machine_stack);
	return 0;
}
