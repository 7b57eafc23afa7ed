// SPDX-License-Identifier: MIT
/*
 * What arch.h promises of switching, landing and the thread's machine. What unwinders see is in
 * unwind_test.c, the go and defer statements are in capture_test.c.
 */
#include "contexts.h"
#include "registers.h"

#include "base/random.h"

#include <pthread.h>

// No go statement here.
void go_captured(const struct arch_registers *r, const void *stack_args,
	const struct tuza_go_site *site, uintptr_t pc)
{
	(void)r, (void)stack_args, (void)site, (void)pc;
	abort();
}

// ---- switching -----------------------------------------------------------------------------

enum { PLAYERS = 3, SWITCHES = 1000000 };

static struct context players[PLAYERS];
static uint64_t random_state = 1;
static int switches_left;

static void call_fill(struct register_call *call)
{
	for (int i = 0; i < SAVED_REGISTERS; i++)
		call->in[i] = random_next(&random_state);
}

static void call_check(const struct register_call *call)
{
	for (int i = 0; i < SAVED_REGISTERS; i++)
		CHECK(call->out[i] == call->in[i]);
}

// The first two players wait at the same place, the third elsewhere. Each hands over at random.
static void play(void *me)
{
	struct context *self = me;
	struct register_call call = {.fn = (const void *)(uintptr_t)arch_park};

	switch_to(self, &main_context);
	while (switches_left-- > 0) {
		struct context *next = &players[random_below(&random_state, PLAYERS)];
		if (next == self)
			next = &players[(self - players + 1) % PLAYERS];
		call_fill(&call);
		call.args[0] = (uintptr_t)&self->sp;
		call.args[1] = (uintptr_t)stack_top(machine_stack);
		call.args[2] = (uintptr_t)choose;
		call.args[3] = (uintptr_t)next;
		if (self == &players[2])
			call_there(&call);
		else
			call_here(&call);
		call_check(&call);
	}
	switch_to(self, &main_context);
	abort();
}

static void callee_saved_registers_survive_a_million_switches(void)
{
	switches_left = SWITCHES;
	for (int i = 0; i < PLAYERS; i++)
		context_start_simple(&players[i], play, &players[i]);
	switch_to(&main_context, &players[0]);
	CHECK(switches_left < 0);
	for (int i = 0; i < PLAYERS; i++)
		context_free(&players[i]);
}

static void round_own_way(void *me)
{
	struct context *self = me;
	uint64_t mine = control_word_samples[self - players];

	CHECK(control_words() == control_word_samples[0]); // a new context has the default
	control_words_set(mine);
	for (int i = 0; i < 8; i++) {
		switch_to(self, &main_context);
		CHECK(control_words() == mine);
		switch_to(self, &players[(self - players + 1) % PLAYERS]);
		CHECK(control_words() == mine);
	}
	switch_to(self, &main_context);
	abort();
}

static void each_context_has_its_own_rounding_mode(void)
{
	const uint64_t mine = control_word_samples[2];

	control_words_set(mine);
	for (int i = 0; i < PLAYERS; i++) {
		context_start_simple(&players[i], round_own_way, &players[i]);
		CHECK(control_words() == mine);
	}
	for (int i = 0; i < 8; i++) {
		switch_to(&main_context, &players[i % PLAYERS]);
		CHECK(control_words() == mine);
	}
	control_words_set(control_word_samples[0]);
	for (int i = 0; i < PLAYERS; i++)
		context_free(&players[i]);
}

static void *choose_self(void *saved, void *unused)
{
	(void)unused;
	return *(void **)saved;
}

static void a_context_may_continue_itself(void)
{
	void *sp = NULL;
	arch_park(&sp, stack_begin(machine_stack), choose_self, &sp, NULL);
	CHECK(sp);
}

static bool on_machine_stack(void)
{
	const char *here = __builtin_frame_address(0);
	return here > machine_stack && here < (const char *)stack_top(machine_stack);
}

static void *resume(void *context, void *same)
{
	CHECK(context == same && on_machine_stack());
	arch_resume(((struct context *)context)->sp);
}

static void *jump_on(void *context, void *same)
{
	CHECK(context == same && on_machine_stack());
	arch_jump(stack_begin(machine_stack), resume, context, same);
}

static void the_machines_stack_may_be_left_by_resume_or_jump(void)
{
	arch_park(
		&main_context.sp, stack_begin(machine_stack), resume, &main_context, &main_context);
	arch_park(&main_context.sp, stack_begin(machine_stack), jump_on, &main_context,
		&main_context);
}

static unsigned stack_misalignment;

static void look_at_alignment(void *unused)
{
	(void)unused;
	stack_misalignment = (uintptr_t)__builtin_dwarf_cfa() % 16;
}

static void a_function_starts_on_an_aligned_stack(void)
{
	struct context c = {0};
	stack_misalignment = 99;
	context_start_simple(&c, look_at_alignment, NULL);
	CHECK(stack_misalignment == 0);
	context_free(&c);
}

// ---- landing -------------------------------------------------------------------------------

static struct arch_landing landing;

static void does_nothing(void *arg) { CHECK(arg == &landing); }

static void lands_with_seven(void *arg)
{
	struct register_call call = {0};

	CHECK(arg == &landing);
	control_words_set(control_word_samples[1]);
	call_fill(&call);
	call.fn = (const void *)(uintptr_t)arch_land;
	call.args[0] = (uintptr_t)&landing;
	call.args[1] = 7;
	frames_vanish();
	call_here(&call); // lands with garbage in all registers
	abort();
}

static uint64_t try_with_registers(void (*fn)(void *))
{
	struct register_call call = {.fn = (const void *)(uintptr_t)arch_try};

	call_fill(&call);
	call.args[0] = (uintptr_t)fn;
	call.args[1] = (uintptr_t)&landing;
	call.args[2] = (uintptr_t)&landing;
	call_there(&call);
	call_check(&call);
	return (uint32_t)call.result;
}

static void try_returns_zero_when_the_function_returns(void)
{
	CHECK(try_with_registers(does_nothing) == 0);
}

static void landing_returns_its_value_and_restores_registers_and_rounding(void)
{
	CHECK(try_with_registers(lands_with_seven) == 7);
	CHECK(control_words() == control_word_samples[0]);
}

static void tries_inside(void *arg)
{
	struct arch_landing outer = landing;
	CHECK(arg == NULL);
	CHECK(arch_try(lands_with_seven, &landing, &landing) == 7);
	arch_land(&outer, 8);
}

static void the_inner_of_two_tries_is_landed_at_first(void)
{
	CHECK(arch_try(tries_inside, NULL, &landing) == 8);
	control_words_set(control_word_samples[0]);
}

// ---- the thread's machine ------------------------------------------------------------------

static struct context wanderer;

static void wander(void *machines)
{
	void **machine = machines;
	CHECK(arch_tls_machine() == machine[0]);
	switch_to(&wanderer, &main_context);
	CHECK(arch_tls_machine() == machine[1]);
	switch_to(&wanderer, &main_context);
	CHECK(arch_tls_machine() == machine[0]);
}

static void *second_thread(void *machines)
{
	CHECK(arch_tls_machine() == NULL);
	arch_tls_machine_set(((void **)machines)[1]);
	switch_to(&main_context, &wanderer);
	return NULL;
}

static void a_context_on_another_thread_sees_that_threads_machine(void)
{
	int a, b;
	void *machines[2] = {&a, &b};
	pthread_t thread;

	arch_tls_machine_set(&a);
	context_start_simple(&wanderer, wander, machines);
	CHECK(pthread_create(&thread, NULL, second_thread, machines) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	switch_to(&main_context, &wanderer);
	context_free(&wanderer);
	CHECK(arch_tls_machine() == &a && machine_tls == &a);
}

static void relax_returns(void) { arch_relax(); }

int main(void)
{
	RUN(callee_saved_registers_survive_a_million_switches);
	RUN(each_context_has_its_own_rounding_mode);
	RUN(a_context_may_continue_itself);
	RUN(the_machines_stack_may_be_left_by_resume_or_jump);
	RUN(a_function_starts_on_an_aligned_stack);
	RUN(try_returns_zero_when_the_function_returns);
	RUN(landing_returns_its_value_and_restores_registers_and_rounding);
	RUN(the_inner_of_two_tries_is_landed_at_first);
	RUN(a_context_on_another_thread_sees_that_threads_machine);
	RUN(relax_returns);
	free(machine_stack);
	return 0;
}
