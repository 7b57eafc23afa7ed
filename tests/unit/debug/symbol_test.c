// SPDX-License-Identifier: MIT
// What a program counter is called.
#include "test.h"

#include "debug/symbol.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <setjmp.h>

enum { FOUND_MAX = 8 };

struct found {
	size_t count;
	struct symbol symbols[FOUND_MAX];
};

static void add_found(const struct symbol *s, void *arg)
{
	struct found *f = arg;

	if (f->count < FOUND_MAX)
		f->symbols[f->count++] = *s;
}

static struct found find(uintptr_t pc, bool is_return)
{
	struct found f = {0};

	symbol_each((struct backtrace_frame){pc, is_return}, add_found, &f);
	return f;
}

static bool has_lines(void)
{
	uintptr_t start;

	if (lines_function((uintptr_t)has_lines, &start))
		return true;
	SKIP("this build has no libbacktrace");
	return false;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = text ? strlen(text) : 0, m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static NOINLINE uintptr_t own_pc(void) { return (uintptr_t)__builtin_return_address(0); }

enum { STATIC_FUNCTION_LINE = __LINE__ + 1 }; // and the two that follow
static NOINLINE uintptr_t static_function(void)
{
	uintptr_t pc = own_pc();

	KEEP_FRAME();
	return pc;
}

TEST_PLAIN(static_function_has_name_file_and_line)
{
	if (!has_lines())
		return;
	struct found f = find((uintptr_t)static_function, false);

	CHECK_EQ(f.count, 1);
	CHECK_STR(f.symbols[0].function, "static_function");
	CHECK(ends_with(f.symbols[0].file, "tests/unit/debug/symbol_test.c"));
	CHECK(f.symbols[0].line >= STATIC_FUNCTION_LINE &&
		f.symbols[0].line <= STATIC_FUNCTION_LINE + 2);
	CHECK_EQ(f.symbols[0].offset, 0);
	CHECK(!f.symbols[0].is_runtime);
}

TEST_PLAIN(offset_counts_from_the_start_of_the_function)
{
	if (!has_lines())
		return;
	uintptr_t pc = static_function();
	struct found f = find(pc, true);

	CHECK_STR(f.symbols[0].function, "static_function");
	CHECK_EQ(f.symbols[0].offset, pc - (uintptr_t)static_function);
}

// They are read apart: neither hides the other.
TEST_PLAIN(functions_of_the_c_library_have_names_as_well)
{
	if (!has_lines())
		return;
	struct found f = find((uintptr_t)gnu_get_libc_version, false);

	CHECK_CONTAINS(f.symbols[0].function, "gnu_get_libc_version");
	CHECK_EQ(f.symbols[0].offset, 0);
	f = find((uintptr_t)static_function, false);
	CHECK_STR(f.symbols[0].function, "static_function");
}

static uintptr_t pc_after_last_call;
static NORETURN NOINLINE void never_returns(jmp_buf *back)
{
	pc_after_last_call = (uintptr_t)__builtin_return_address(0);
	longjmp(*back, 1);
}
static NOINLINE void calls_at_its_very_end(jmp_buf *back) { never_returns(back); }

TEST_PLAIN(return_address_behind_the_function_belongs_to_the_call)
{
	if (!has_lines())
		return;
	jmp_buf back;

	if (setjmp(back) == 0)
		calls_at_its_very_end(&back);
	struct found f = find(pc_after_last_call, true);
	CHECK_STR(f.symbols[f.count - 1].function, "calls_at_its_very_end");
}

static ALWAYS_INLINE uintptr_t inlined_function(void)
{
	uintptr_t pc = own_pc();

	KEEP_FRAME();
	return pc;
}
static NOINLINE uintptr_t function_around_it(void) { return inlined_function() + 1; }

TEST_PLAIN(inlined_functions_come_first_and_their_holder_last)
{
	if (!has_lines())
		return;
	struct found f = find(function_around_it() - 1, true);

	if (!CHECK_EQ(f.count, 2))
		return;
	CHECK_STR(f.symbols[0].function, "inlined_function");
	CHECK_STR(f.symbols[1].function, "function_around_it");
	CHECK_EQ(f.symbols[0].offset, f.symbols[1].offset);
}

TEST_PLAIN(function_of_a_library_has_its_name_and_a_place)
{
	struct found f = find((uintptr_t)dlsym(RTLD_DEFAULT, "qsort") + 1, false);

	CHECK(f.count >= 1);
	CHECK(f.symbols[f.count - 1].function && strstr(f.symbols[f.count - 1].function, "qsort"));
	CHECK(f.symbols[f.count - 1].file != NULL);
	CHECK(!f.symbols[f.count - 1].is_runtime);
}

TEST_PLAIN(address_without_code_is_visited_once_without_a_name)
{
	static int data;
	uintptr_t nowhere[] = {0, 1, (uintptr_t)&data, UINTPTR_MAX};

	for (size_t i = 0; i < COUNT_OF(nowhere); i++) {
		struct found f = find(nowhere[i], true);

		CHECK_EQ(f.count, 1);
		CHECK_EQ(f.symbols[0].line, 0);
		CHECK(!f.symbols[0].is_runtime);
	}
}

// The section that holds the library's functions in a libtuza.a: here it has this one alone.
__attribute__((section("tuza_text"))) static NOINLINE void function_of_the_runtime(void)
{
	usleep(0);
}

TEST_PLAIN(runtime_is_told_from_the_program)
{
	CHECK(find((uintptr_t)function_of_the_runtime, false).symbols[0].is_runtime);
	CHECK(!find((uintptr_t)find, false).symbols[0].is_runtime);
	CHECK(!find((uintptr_t)main, false).symbols[0].is_runtime);
	CHECK(!find((uintptr_t)dlsym(RTLD_DEFAULT, "qsort"), false).symbols[0].is_runtime);
}

TEST_PLAIN(public_names_begin_with_tuza_and_do_not_end_in_an_underscore)
{
	CHECK(symbol_is_public("tuza_chan_new"));
	CHECK(!symbol_is_public("tuza_go_capture_"));
	CHECK(!symbol_is_public("chan_new"));
	CHECK(!symbol_is_public(""));
	CHECK(!symbol_is_public(NULL));
}

TEST_PLAIN(errno_stays)
{
	errno = ENOTTY;
	find((uintptr_t)errno_stays, false);
	find(0, false);
	CHECK_EQ(errno, ENOTTY);
}
