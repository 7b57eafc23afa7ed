// SPDX-License-Identifier: MIT
/*
 * The go and defer statements: every kind of argument arrives as in a plain call. Each function
 * checks what it got and counts itself, so that a lost call is seen too. go_captured runs the new
 * context at once, on a stack of its own and after the capture was copied, as the scheduler does
 * later.
 */
#include "registers.h"
#include "trace.h"

#include <tuza/goroutine.h>
#include <tuza/panic.h>

#include <stdarg.h>

_Static_assert(offsetof(tuza_defer_record, arg) == ARCH_DEFER_ARG, "defer_capture in switch.S");

static int calls;
static uintptr_t last_pc;
static uint32_t last_stack_bytes;
static struct context started;
static struct trace trace; // of go_captured

// Nothing that arch_start should set is right by chance.
static void *begin_with_registers(void *context, void *unused)
{
	struct context *c = context;
	(void)unused;
	call_arch(call_here, ADDRESS(arch_start), stack_begin(c->stack), &c->capture,
		ADDRESS(context_ended), NULL);
	abort();
}

void go_captured(const struct arch_registers *r, const void *stack_args,
	const struct tuza_go_site *site, uintptr_t pc)
{
	struct arch_capture *c = &started.capture;

	trace_here(&trace);
	last_pc = pc;
	last_stack_bytes = site->stack_bytes;
	CHECK(site->stack_bytes % 16 == 0);
	memset(c, 0xee, sizeof(*c));
	c->fn = site->fn;
	c->flags = 0;
	c->stack_args = NULL;
	c->stack_args_bytes = site->stack_bytes;
	memcpy(c->gpr, r->gpr, sizeof(c->gpr));
	memcpy(c->fpr, r->fpr, sizeof(c->fpr));
	if (site->stack_bytes) {
		c->stack_args = malloc(site->stack_bytes);
		CHECK(c->stack_args);
		arch_copy_stack_args(c->stack_args, stack_args, site->stack_bytes);
	}
	context_start_by(begin_with_registers, &started);
	free(c->stack_args);
}

// Runs the go statement and checks that it made one call.
#define GO(...)                                                                                    \
	do {                                                                                       \
		int calls_before = calls;                                                          \
		TUZA_GO(__VA_ARGS__);                                                              \
		CHECK(calls == calls_before + 1);                                                  \
	} while (0)

static void nothing(void) { calls++; }

static void a_function_without_arguments_is_called(void)
{
	GO(nothing);
	GO(&nothing);
	GO(*nothing);
}

static void integers(signed char c, short s, int i, long l, unsigned u, bool b)
{
	CHECK(c == -1 && s == -2 && i == -3 && l == -4000000000 && u == 4000000000 && b == true);
	calls++;
}

static void integers_of_all_widths_arrive(void)
{
	signed char c = -1;
	short s = -2;
	GO(integers, c, s, -3, -4000000000, 4000000000, true);
	GO(integers, (signed char)-1, (short)-2, -3L, -4000000000, 4000000000U, 1);
}

static void narrow(char c, bool b, unsigned char u, short s)
{
	CHECK(c == 44 && b == true && u == 255 && s == -1);
	calls++;
}

static void arguments_are_converted_to_the_parameters(void)
{
	int too_wide = 300, five = 5, minus_one = -1;
	GO(narrow, (char)too_wide, five, (unsigned char)minus_one, (short)0xffff);
	void (*volatile pointer)(char, bool, unsigned char, short) = narrow;
	long c = 256 + 44, u = -1, s = 65535;
	GO(pointer, (char)c, 0x100, (unsigned char)u, (short)s);
}

static void converted(double d, float f, long l, bool from_pointer)
{
	CHECK(d == 3 && f == 4 && l == -5 && from_pointer);
	calls++;
}

static void integers_become_floating_point_and_back(void)
{
	int *volatile pointer = &calls;
	GO(converted, 3, 4, -5, pointer);
	GO(converted, 3.0f, 4.0, (long)-5.75, 'x');
}

static void pointers(const char *text, int *array, void (*fn)(void), void *null)
{
	CHECK(strcmp(text, "a literal longer than two registers, passed by its pointer") == 0);
	CHECK(array[99] == 7 && fn == nothing && null == NULL);
	calls++;
}

static void arrays_and_literals_pass_their_pointer(void)
{
	static int array[100];
	array[99] = 7;
	GO(pointers, "a literal longer than two registers, passed by its pointer", array, nothing,
		NULL);
	CHECK(last_stack_bytes == 0);
}

static void mixed(double a, int i, float b, char *p, double c, long l)
{
	CHECK(a == 1.5 && i == 2 && b == 2.5f && p == (char *)16 && c == -1e300 && l == 1L << 40);
	calls++;
}

static void floating_point_and_integers_mix(void)
{
	GO(mixed, 1.5, 2, 2.5f, (char *)16, -1e300, 1L << 40);
}

static void eight_doubles(
	double a, double b, double c, double d, double e, double f, double g, double h)
{
	CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8);
	calls++;
}

static void eight_integers(long a, int b, short c, long d, int e, char f, long g, int h)
{
	CHECK(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8);
	calls++;
}

static void eight_arguments_arrive(void)
{
	GO(eight_doubles, 1, 2, 3, 4, 5, 6, 7, 8);
	GO(eight_integers, 1, 2, 3, 4, 5, 6, 7, 8);
}

static void long_doubles(long double a, int i, long double b)
{
	CHECK(a == 1.25L && i == 9 && b == 1.0L + 1e-18L);
	calls++;
}

static void long_doubles_arrive(void) { GO(long_doubles, 1.25L, 9, 1.0L + 1e-18L); }

struct point {
	double x, y;
};
struct tagged {
	double value;
	long tag;
};
struct pair {
	long first, second;
};
struct floats {
	float a, b, c, d;
};
struct two_floats {
	float a, b;
};
struct small {
	char a;
	short b;
};

static void structs(struct point p, int i, struct tagged t, struct floats f, struct small s)
{
	CHECK(p.x == 1 && p.y == 2 && i == 3 && t.value == 4 && t.tag == 5);
	CHECK(f.a == 6 && f.b == 7 && f.c == 8 && f.d == 9 && s.a == 10 && s.b == 11);
	calls++;
}

static void small_structs_arrive(void)
{
	struct floats f = {6, 7, 8, 9};
	GO(structs, ((struct point){1, 2}), 3, ((struct tagged){4, 5}), f,
		((struct small){10, 11}));
}

static void structs_and_more(struct pair a, struct pair b, long c, struct pair d, long e,
	struct point f, double g, long h)
{
	CHECK(a.first == 1 && a.second == 2 && b.first == 3 && b.second == 4 && c == 5);
	CHECK(d.first == 6 && d.second == 7 && e == 8 && f.x == 9 && f.y == 10 && g == 11 &&
		h == 12);
	calls++;
}

static void floats_in_pairs(struct two_floats a, struct floats b, struct two_floats c,
	struct two_floats d, double e, double f)
{
	CHECK(a.a == 1 && a.b == 2 && b.a == 3 && b.d == 4 && c.a == 5 && c.b == 6);
	CHECK(d.a == 7 && d.b == 8 && e == 9 && f == 10);
	calls++;
}

static void structs_that_find_no_register_arrive(void)
{
	struct pair a = {1, 2}, b = {3, 4}, d = {6, 7};
	GO(structs_and_more, a, b, 5, d, 8, ((struct point){9, 10}), 11, 12);

	struct two_floats p = {1, 2}, q = {5, 6}, r = {7, 8};
	struct floats f = {.a = 3, .d = 4};
	GO(floats_in_pairs, p, f, q, r, 9, 10);
}

// AArch64 passes larger structs by address, which a go statement cannot: a compile error there.
#if !defined(__aarch64__)
struct large {
	long v[9];
};

static void large_structs(int i, struct large a, double d, long double l, struct large b)
{
	CHECK(i == 1 && d == 2 && l == 3);
	for (int k = 0; k < 9; k++)
		CHECK(a.v[k] == 100 + k && b.v[k] == 200 + k);
	trace_here(&trace);
	CHECK(trace_ends_at(&trace, ADDRESS(arch_start), started.stack));
	calls++;
}

static void large_structs_arrive(void)
{
	struct large a, b;
	for (int k = 0; k < 9; k++) {
		a.v[k] = 100 + k;
		b.v[k] = 200 + k;
	}
	GO(large_structs, 1, a, 2, 3.0L, b);
	CHECK(last_stack_bytes >= 2 * sizeof(struct large) + sizeof(long double));
}
#endif

static void add_up(int n, ...)
{
	va_list list;
	double sum = 0;
	va_start(list, n);
	for (int i = 0; i < n; i++)
		sum += i % 2 ? va_arg(list, double) : va_arg(list, int);
	va_end(list);
	CHECK(sum == 28);
	calls++;
}

static void variadic_functions_get_their_arguments(void)
{
	char text[64] = "";
	GO(add_up, 7, 1, 2.0, 3, 4.0, 5, 6.0, 7);
	TUZA_GO(snprintf, text, sizeof(text), "%d %g %s %ld", 7, 2.25, "eight", 9L);
	CHECK(strcmp(text, "7 2.25 eight 9") == 0);
}

static int returns_int(int i) { return calls += i; }
static double returns_double(double d) { return calls += (int)d, d; }
static long double returns_long_double(void) { return ++calls; }
static struct point returns_point(struct point p) { return calls++, p; }

static void results_are_discarded(void)
{
	for (int i = 0; i < 100; i++) { // no result may be left on a register stack
		GO(returns_int, 1);
		GO(returns_double, 1);
		GO(returns_long_double);
		GO(returns_point, ((struct point){1, 2}));
	}
}

static void takes_int(int i)
{
	CHECK(i == 5);
	calls++;
}

static void (*pick_function(int *times))(int)
{
	++*times;
	return takes_int;
}

static void each_operand_is_evaluated_once(void)
{
	int functions = 0, arguments = 4;
	GO(pick_function(&functions), ++arguments);
	CHECK(functions == 1 && arguments == 5);
}

static NOINLINE void goes_here(void)
{
	GO(nothing);
	__asm__ volatile("" ::: "memory");
}

static void the_place_of_the_statement_is_known(void)
{
	goes_here();
	CHECK(_Unwind_FindEnclosingFunction((void *)last_pc) == ADDRESS(goes_here));
	CHECK(trace_has(&trace, ADDRESS(goes_here)));
}

static void goes_from_the_top(void *unused)
{
	// The copy of these may reach beyond the first frame of the stack.
	struct point p = {9, 10};
	struct pair q = {1, 2}, r = {3, 4}, s = {6, 7};
	char *stack = started.stack;
	started.stack = NULL;
	(void)unused;
	struct context outer = main_context;
	GO(structs_and_more, q, r, 5, s, 8, p, 11, 12);
	main_context = outer;
	context_free(&started);
	started.stack = stack;
}

static void a_go_statement_in_a_contexts_first_function_stays_on_its_stack(void)
{
	struct context c = {0};
	context_start_simple(&c, goes_from_the_top, NULL);
	context_free(&c);
}

// ---- defer ---------------------------------------------------------------------------------

static tuza_defer_record *innermost;
static char order[16];

void tuza_defer_push_(tuza_defer_record *record)
{
	record->outer = innermost;
	innermost = record;
}

void tuza_defer_run_(tuza_defer_record *record)
{
	CHECK(record == innermost);
	innermost = record->outer;
	((void (*)(uintptr_t))record->fn)(record->arg);
}

static void note_char(char c) { order[strlen(order)] = c; }
static int note_int(int i) { return note_char((char)('0' + i)), i; }
static void note_pointer(const char *s) { strcat(order, s); }
static void note_bool(bool b) { note_char(b ? 't' : 'f'); }
static void note_long(long l) { note_char(l == -1000000000000 ? 'l' : '?'); }
static void note_unsigned_char(unsigned char u) { note_char(u == 200 ? 'u' : '?'); }

static void deferred_calls_get_their_converted_argument(void)
{
	memset(order, 0, sizeof(order));
	{
		int two = 2, five = 5, c = 'c';
		TUZA_DEFER(note_int, two);
		TUZA_DEFER(note_pointer, "p");
		TUZA_DEFER(note_bool, five);
		TUZA_DEFER(note_char, (char)(c + 256));
		TUZA_DEFER(note_long, -1000000000000);
		TUZA_DEFER(note_unsigned_char, 200);
		two = 9; // evaluated above
		CHECK(two == 9 && order[0] == 0);
	}
	CHECK(strcmp(order, "ulctp2") == 0);
	CHECK(innermost == NULL);
}

static int leaves_early(int n)
{
	for (int i = 0; i < 3; i++) {
		TUZA_DEFER(note_int, i);
		if (i == n)
			return 1;
	}
	return 0;
}

static void deferred_calls_run_however_the_block_is_left(void)
{
	memset(order, 0, sizeof(order));
	CHECK(leaves_early(1) == 1);
	CHECK(strcmp(order, "01") == 0);
	CHECK(leaves_early(5) == 0);
	CHECK(strcmp(order, "01012") == 0);
}

int main(void)
{
	RUN(a_function_without_arguments_is_called);
	RUN(integers_of_all_widths_arrive);
	RUN(arguments_are_converted_to_the_parameters);
	RUN(integers_become_floating_point_and_back);
	RUN(arrays_and_literals_pass_their_pointer);
	RUN(floating_point_and_integers_mix);
	RUN(eight_arguments_arrive);
	RUN(long_doubles_arrive);
	RUN(small_structs_arrive);
	RUN(structs_that_find_no_register_arrive);
#if !defined(__aarch64__)
	RUN(large_structs_arrive);
#endif
	RUN(variadic_functions_get_their_arguments);
	RUN(results_are_discarded);
	RUN(each_operand_is_evaluated_once);
	RUN(the_place_of_the_statement_is_known);
	RUN(a_go_statement_in_a_contexts_first_function_stays_on_its_stack);
	RUN(deferred_calls_get_their_converted_argument);
	RUN(deferred_calls_run_however_the_block_is_left);
	context_free(&started);
	free(machine_stack);
	return 0;
}
