#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the compiler has to say about programs: each header brings what belongs to it, arguments that
# a go statement cannot pass are errors, and C++ may use the macros without a warning.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
include=$TUZA_SOURCE_DIR/include
compiler=${CC:-cc}
fail() {
	echo "failed: $1"
	exit 1
}

# brings HEADER EXPRESSION: the header alone is enough for it.
brings() {
	printf '#include <tuza/%s>\nvoid f(void);\nvoid f(void) { (void)(%s); }\n' "$1" "$2" >"$dir/brings.c"
	"$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$include" -fsyntax-only "$dir/brings.c" ||
		fail "$1 alone: $2"
}
brings select.h 'TUZA_SELECT(TUZA_AFTER(5 * TUZA_SECOND))'
brings panic.h 'TUZA_EPANIC'
brings goroutine.h 'TUZA_EPANIC'
brings io.h 'tuza_wait_fd(0, 1, TUZA_MINUTE) == TUZA_EIOTIMEOUT'
brings net.h 'TUZA_ECONNTIMEOUT'
brings time.h 'sizeof(tuza_limiter)'
brings context.h 'TUZA_ESIGNAL(2)'
brings context.h '(tuza_context_free(tuza_context_notify_signal(tuza_context_background(), 2)), 0)'
brings process.h '(tuza_signal_notify((tuza_chan *)0, 2), 0)'
echo "headers bring what belongs to them"

# refused WHAT TYPE: a go statement with an argument of that type does not compile, and says why.
refused() {
	cat >"$dir/refused.c" <<END
#include <tuza/goroutine.h>
typedef $2;
void f(type x);
void start(void);
void start(void) { type x = {0}; TUZA_GO(f, x); }
END
	if "$compiler" -std=gnu11 -I"$include" -fsyntax-only "$dir/refused.c" 2>"$dir/log"; then
		fail "a go statement took $1"
	fi
	grep -q "go: an argument of a vector type or __int128" "$dir/log" || {
		cat "$dir/log"
		fail "it does not say why $1 is refused"
	}
}
refused "a vector" 'int type __attribute__((vector_size(16)))'
refused "a small vector" 'int type __attribute__((vector_size(8)))'
refused "a large vector" 'float type __attribute__((vector_size(32)))'
refused "__int128" '__int128 type'
refused "unsigned __int128" 'unsigned __int128 type'
cat >"$dir/nine.c" <<'END'
#include <tuza/tuza.h>
void f(int a, int b, int c, int d, int e, int g, int h, int i, int j);
void start(void);
void start(void) { TUZA_GO(f, 1, 2, 3, 4, 5, 6, 7, 8, 9); }
END
if "$compiler" -std=gnu11 -I"$include" -fsyntax-only "$dir/nine.c" 2>"$dir/log"; then
	fail "a go statement took nine arguments"
fi
grep -q TUZA_GO_TAKES_8_ARGUMENTS_AT_MOST "$dir/log" || fail "it does not say how many it takes"
echo "go refuses what it cannot pass"

cat >"$dir/uses.cpp" <<'END'
#include <tuza/go.h>
#include <tuza/tuza.h>

#include <cstdio>
#include <string>

struct job {
	int a, b;
};
TUZA_CHAN_TYPE(jobs, job);

static void feed(std::string text, int n, jobs c)
{
	TUZA_DEFER(jobs_close, c);
	for (int i = 0; i < n; i++)
		jobs_send(c, job{i, static_cast<int>(text.size())});
}

static int program(void *)
{
	jobs c = jobs_new(1);
	tuza_chan *numbers = tuza_chan_new(sizeof(int), 1);
	int sum = 0, v, cap = 3;
	bool ok;
	job j;

	go(feed, "abc", 3, c);
	while (jobs_recv(c, &j))
		sum += j.a * j.b;
	TUZA_GO([cap](tuza_chan *to) { tuza_send(to, cap); }, numbers);
	switch (TUZA_SELECT(TUZA_RECV_OK(numbers, &v, &ok), TUZA_AFTER(TUZA_MINUTE))) {
	case 0:
		sum += v;
	}
	{
		std::FILE *null = std::fopen("/dev/null", "w");
		tuza_mutex m = {};
		TUZA_DEFER(fclose, null);
		TUZA_DEFER(puts, "deferred");
		TUZA_LOCK(&m);
	}
	std::printf("sum %d\n", sum);
	jobs_release(c);
	tuza_chan_release(numbers);
	return 0;
}

int main() { return tuza_run(program, nullptr); }
END
for cxx in g++ clang++; do
	command -v $cxx >/dev/null || continue
	for optimization in -O0 -O2; do
		$cxx -std=c++17 $optimization -Wall -Wextra -Wpedantic -Werror -I"$include" "$dir/uses.cpp" \
			-o "$dir/uses" "$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl || fail "$cxx $optimization"
		[ "$("$dir/uses")" = "deferred
sum 12" ] || fail "what $cxx $optimization made says: $("$dir/uses")"
	done
	echo "$cxx"
done

# One object that does not say so would make every stack of the program executable; and shadow stacks
# must not be promised, since each goroutine would need one. The linker's promise is what all objects
# promise: that none comes about is the assembler's doing.
# Only there: elsewhere in the build other tests make and remove files meanwhile.
find "$TUZA_BUILD_DIR/CMakeFiles/tuza_objects.dir" -name '*.S.o' >"$dir/assembled"
[ -s "$dir/assembled" ] || fail "no objects of the assembler are found"
while read -r object; do
	! readelf -nW "$object" | grep -q SHSTK || fail "$object promises shadow stacks"
done <"$dir/assembled"
for object in "$TUZA_BUILD_DIR/libtuza.so" "$dir/uses"; do
	[ -e "$object" ] || continue
	readelf -lW "$object" | grep -q 'GNU_STACK .* RW ' || fail "$object: an executable stack"
	! readelf -nW "$object" | grep -q SHSTK || fail "$object promises shadow stacks"
done
echo "stacks hold no code"

# The C library's longjmp may be checked for going down the stack only (fortify).
cat >"$dir/jumps.c" <<'END'
#include <setjmp.h>
#include <stdio.h>
#include <tuza/tuza.h>

static void jump_often(tuza_waitgroup *wg, int *jumps)
{
	jmp_buf home;
	volatile int n = 0;

	if (setjmp(home) < 0)
		return;
	tuza_yield();
	if (n++ < 100)
		longjmp(home, 1);
	*jumps = n;
	tuza_waitgroup_done(wg);
}

static void fail_inside(void *unused)
{
	(void)unused;
	tuza_panic("inside");
}

static int program(void *unused)
{
	static int jumps[50];
	tuza_waitgroup wg = {0};
	int sum = 0;

	(void)unused;
	tuza_waitgroup_add(&wg, 50);
	for (int i = 0; i < 50; i++)
		TUZA_GO(jump_often, &wg, &jumps[i]);
	tuza_waitgroup_wait(&wg);
	for (int i = 0; i < 50; i++)
		sum += jumps[i];
	printf("%d %d\n", sum, tuza_try(fail_inside, NULL, NULL) == TUZA_EPANIC);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
END
"$compiler" -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -I"$include" "$dir/jumps.c" -o "$dir/jumps" \
	"$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl || fail "fortified"
[ "$("$dir/jumps")" = "5050 1" ] || fail "fortified: $("$dir/jumps" 2>&1)"
echo "fortified programs jump"
