// SPDX-License-Identifier: MIT
/*
 * The go statement: every kind of function and argument, converted as in a call, evaluated now and
 * once. L1–L4.
 */
#include "../test.h"

#include <tuza/go.h>

static atomic_int calls;
static tuza_chan *done; // each callee sends here when it has looked at its arguments

static void begin(void)
{
	done = tuza_chan_new(0, 0);
	atomic_store(&calls, 0);
}

static void returned(void)
{
	atomic_fetch_add(&calls, 1);
	tuza_chan_send(done, NULL);
}

static void await(int n)
{
	for (int i = 0; i < n; i++)
		tuza_chan_recv(done, NULL);
	CHECK_EQ(calls, n);
	tuza_chan_release(done);
}

static void no_argument(void) { returned(); }

static void integers(char a, short b, int c, long d, unsigned char e, unsigned long long f)
{
	CHECK_EQ(a, 'a');
	CHECK_EQ(b, -2);
	CHECK_EQ(c, INT32_MIN);
	CHECK_EQ(d, INT64_MIN);
	CHECK_EQ(e, 255);
	CHECK(f == UINT64_MAX);
	returned();
}

static void booleans(bool a, bool b, bool c)
{
	CHECK(a && !b && c);
	CHECK_EQ(a + b + c, 2);
	returned();
}

static void floats(float a, double b, long double c)
{
	CHECK(a == 1.5f && b == -2.25 && c == 3.125L);
	returned();
}

static void pointers(const char *text, int *array, void (*fn)(void), void *null)
{
	CHECK_STR(text, "literal");
	CHECK_EQ(array[2], 33);
	CHECK(fn == no_argument && null == NULL);
	returned();
}

enum colour { RED = 3 };

static void enumerator(enum colour c)
{
	CHECK_EQ(c, RED);
	returned();
}

TEST(go_takes_every_scalar_and_pointer)
{
	static int array[] = {11, 22, 33};

	begin();
	go(no_argument);
	go(integers, 'a', -2, INT32_MIN, INT64_MIN, 255, UINT64_MAX);
	go(booleans, true, false, true);
	go(floats, 1.5f, -2.25, 3.125L);
	go(pointers, "literal", array, no_argument, NULL);
	go(enumerator, RED);
	TUZA_GO(no_argument);
	await(7);
}

// As in a call: an int for a double, a double for an int, anything for a bool.
TEST(go_converts_arguments_as_a_call_does)
{
	int five = 5;
	double minus = -2.25, letter = 97.9;
	const char *text = "";

	begin();
	go(floats, 1.5, (float)minus, 3.125L);
	go(booleans, five, 0, text);
	go(integers, letter, (int64_t)-2, (int64_t)INT32_MIN, INT64_MIN, -1 & 0xff, -1);
	await(3);
}

static void eight_integers(int a, int b, int c, int d, int e, int f, int g, int h)
{
	CHECK(a == 1 && b == 2 && c == 3 && d == 4);
	CHECK(e == 5 && f == 6 && g == 7 && h == 8);
	returned();
}

static void eight_doubles(
	double a, double b, double c, double d, double e, double f, double g, double h)
{
	CHECK(a == 1 && b == 2 && c == 3 && d == 4);
	CHECK(e == 5 && f == 6 && g == 7 && h == 8);
	returned();
}

static void mixed(
	int a, double b, const char *c, float d, int64_t e, long double f, char g, double h)
{
	CHECK(a == 1 && b == 2.5 && d == 4.5f && e == 5 && f == 6.5L && g == 'g' && h == 8.5);
	CHECK_STR(c, "three");
	returned();
}

TEST(go_takes_up_to_eight_arguments)
{
	begin();
	go(eight_integers, 1, 2, 3, 4, 5, 6, 7, 8);
	go(eight_doubles, 1, 2, 3, 4, 5, 6, 7, 8);
	go(mixed, 1, 2.5, "three", 4.5f, 5, 6.5L, 'g', 8.5);
	await(3);
}

struct pair {
	int64_t first;
	double second;
};
struct triple {
	int a, b, c;
};
#if defined(__aarch64__) // larger ones are a compile error there
struct wide {
	int64_t words[2];
};
#define WIDE(first) ((struct wide){{first, (first) + 1}})
#else
struct wide {
	int64_t words[5];
};
#define WIDE(first) ((struct wide){{first, 0, 0, 0, (first) + 1}})
#endif
enum { LAST_WORD = sizeof(struct wide) / sizeof(int64_t) - 1 };
struct tiny {
	char c;
};
union either {
	int i;
	void *p;
};

static void structs(struct pair p, struct triple t, struct wide w, struct tiny s, union either u)
{
	CHECK(p.first == 1 && p.second == 2.5);
	CHECK(t.a == 3 && t.b == 4 && t.c == 5);
	CHECK(w.words[0] == 6 && w.words[LAST_WORD] == 7);
	CHECK(s.c == 's' && u.i == 11);
	returned();
}

static void wide_among_integers(int a, struct wide w, int b, struct wide x, int c)
{
	CHECK(a == 1 && b == 2 && c == 3);
	CHECK(w.words[0] == 10 && w.words[LAST_WORD] == 11);
	CHECK(x.words[0] == 20 && x.words[LAST_WORD] == 21);
	returned();
}

// A compound literal with a comma needs parentheses, as in any macro.
TEST(go_takes_structs_by_value)
{
	struct wide w = WIDE(6);

	begin();
	go(structs, ((struct pair){1, 2.5}), ((struct triple){3, 4, 5}), w, (struct tiny){'s'},
		(union either){.i = 11});
	memset(&w, 0, sizeof(w));
	go(wide_among_integers, 1, WIDE(10), 2, WIDE(20), 3);
	await(2);
}

static int returns_int(int v)
{
	returned();
	return v;
}
static double returns_double(void)
{
	returned();
	return 1.0;
}
static struct pair returns_pair(void)
{
	returned();
	return (struct pair){1, 2.0};
}
TUZA_MUST_USE static int returns_what_must_be_used(int v)
{
	returned();
	return v;
}
static long double returns_long_double(long double v)
{
	CHECK(v == 2.5L);
	returned();
	return v;
}

// L2.
TEST(go_discards_results)
{
	begin();
	go(returns_int, 1);
	go(returns_double);
	go(returns_pair);
	go(returns_long_double, 2.5L);
	go(returns_what_must_be_used, 1); // without a warning: nobody could
	await(5);
}

struct holder {
	void (*method)(int);
};

static void takes_seven(int v)
{
	CHECK_EQ(v, 7);
	returned();
}

static void (*chosen(int *counter))(int)
{
	++*counter;
	return takes_seven;
}

// L1.
TEST(go_evaluates_function_and_arguments_once_and_now)
{
	struct holder holder = {takes_seven}, *to_holder = &holder;
	void (*local)(int) = takes_seven;
	int counter = 0, seven = 7, before;

	begin();
	go(local, seven);
	go(*local, seven);
	go(&takes_seven, seven);
	go(holder.method, seven);
	go(to_holder->method, seven);
	go(chosen(&counter), seven++);
	before = seven;
	local = NULL;
	holder.method = NULL;
	seven = 0;
	await(6);
	CHECK_EQ(counter, 1);
	CHECK_EQ(before, 8);
}

// Also those with a variable number of arguments.
TEST(go_calls_functions_of_the_c_library)
{
	char text[40] = "";
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	go(write, fds[1], "written", (size_t)7);
	CHECK_EQ(read(fds[0], text, sizeof(text)), 7);
	CHECK_STR(text, "written");
	go(dprintf, fds[1], "%s %d %.1f %ld %c", "variadic", 1, 2.5, 3L, '4');
	memset(text, 0, sizeof(text));
	CHECK_EQ(read(fds[0], text, sizeof(text)), 18);
	CHECK_STR(text, "variadic 1 2.5 3 4");
	close(fds[0]);
	close(fds[1]);
}

// The statement is one statement, wherever one may stand.
TEST(go_is_a_single_statement)
{
	begin();
	for (int i = 0; i < 2; i++)
		go(no_argument);
	if (calls > 100)
		go(no_argument);
	else
		go(no_argument);
	switch (1) {
	case 1:
		go(no_argument);
	}
	await(4);
}

static void adds(int *sum, int v, tuza_chan *c)
{
	*sum += v;
	tuza_chan_send(c, NULL);
}

// L10: what was written before the statement is seen by the goroutine; the sum is passed on from
// each to the next.
TEST(go_orders_what_was_written_before)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	int sum = 0;

	for (int i = 1; i <= 1000; i++) {
		go(adds, &sum, i, c);
		tuza_chan_recv(c, NULL);
	}
	CHECK_EQ(sum, 500500);
	tuza_chan_release(c);
}
