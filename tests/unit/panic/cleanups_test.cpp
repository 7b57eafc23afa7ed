// SPDX-License-Identifier: MIT
/*
 * Which C++ frames would miss a cleanup if a panic gave them up. On its own, because the harness is
 * C.
 */
#include "../other_stack.h"

#include <cstdint>
#include <cstdio>

extern "C" void __attribute__((weak)) __tsan_acquire(void *);
extern "C" bool cleanups_find_foreign(const void *limit, uintptr_t *pc);

extern "C" void call_on(void *top, void (*fn)());
CALL_ON("call_on", ".cfi_def_cfa_register " FP);

namespace {

int failures;
bool found;

struct guard {
	~guard() { std::fflush(stdout); }
};

// Stands where a panic would be raised; `limit` where the try would be.
__attribute__((noinline)) void look(const void *limit)
{
	uintptr_t pc = 0;

	found = cleanups_find_foreign(limit, &pc);
	if (found != (pc != 0))
		failures++;
}

__attribute__((noinline)) void plain(const void *limit)
{
	look(limit);
	std::fflush(stdout);
}
__attribute__((noinline)) void under_destructor(const void *limit)
{
	guard g;
	look(limit);
}
__attribute__((noinline)) void before_destructor(const void *limit)
{
	look(limit);
	guard g;
	std::fflush(stdout);
}
__attribute__((noinline)) void behind_destructor(const void *limit)
{
	{
		guard g;
		std::fflush(stdout);
	}
	look(limit);
	std::fflush(stdout);
}
__attribute__((noinline)) void under_catch_all(const void *limit)
{
	try {
		look(limit);
	} catch (...) {
		failures++;
	}
}
__attribute__((noinline)) void destructor_below(const void *limit)
{
	guard g;
	plain(limit);
}

__attribute__((noinline)) void check(const char *sentence, void (*fn)(const void *), bool foreign)
{
	volatile char here = 0;

	fn((const void *)&here);
	if (found != foreign)
		failures++;
	std::printf("%s %s\n", found == foreign ? "ok  " : "FAIL", sentence);
}

// The panic is on a stack above that of the try.
alignas(16) char two_stacks[128 << 10];
const void *limit_below;

void look_above() { plain(limit_below); }
__attribute__((noinline)) void under_destructor_below(const void *limit)
{
	guard g;
	limit_below = limit;
	call_on(two_stacks + sizeof(two_stacks), look_above);
}
void check_below()
{
	check("destructor_below_another_stack_is_found", under_destructor_below, true);
}

// The frame with the destructor is beyond the limit.
__attribute__((noinline)) void check_beyond_limit()
{
	guard g;
	check("destructor_beyond_the_try_does_not_count", plain, false);
}

} // namespace

int main()
{
	if (__tsan_acquire) {
		std::puts("skip: under ThreadSanitizer nothing is found");
		return 77;
	}
	check("frame_without_cleanup_is_given_up", plain, false);
	check("destructor_that_is_due_is_found", under_destructor, true);
	check("destructor_in_a_caller_is_found", destructor_below, true);
	check("destructor_that_is_not_due_yet_does_not_count", before_destructor, false);
	check("destructor_that_has_run_does_not_count", behind_destructor, false);
	check("handler_is_found", under_catch_all, true);
	check_beyond_limit();
	call_on(two_stacks + sizeof(two_stacks) / 2, check_below);
	return failures != 0;
}
