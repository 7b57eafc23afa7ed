#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is installed is enough to build and run a program: with pkg-config and find_package, against
# the shared and the static library, as C and C++, wherever the tree was put. The program has
# functions of its own under names that the library uses inside.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
	echo "failed: $1"
	exit 1
}

cmake --install "$TUZA_BUILD_DIR" --prefix "$dir/installed" >"$dir/log" || {
	cat "$dir/log"
	fail "cmake --install"
}
mv "$dir/installed" "$dir/moved"
prefix=$dir/moved
[ -e "$prefix/share/tuza/tuza-gdb.py" ] || fail "gdb's extension is not installed"
[ -e "$prefix/share/man/man3/tuza_chan_send.3" ] || fail "the headers' manual pages are not installed"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name tuza.pc)")
export PKG_CONFIG_PATH
LD_LIBRARY_PATH=$(pkg-config --variable=libdir tuza)

cat >"$dir/hello.c" <<'END'
#include <tuza/tuza.h>

#include <stdio.h>

int park(int n);
int lock_acquire_slow(int n);
int backtrace_full(int n);

int park(int n) { return n + 1; }
int lock_acquire_slow(int n) { return n + 1; }
int backtrace_full(int n) { return n + 1; }

static void add(int a, int b, tuza_chan *sum)
{
	int c = a + b;

	tuza_chan_send(sum, &c);
}

static int hello(void *arg)
{
	tuza_chan *sum = tuza_chan_new(sizeof(int), 0);
	int c = 0;

	(void)arg;
	TUZA_GO(add, 1, 2, sum);
	if (!tuza_chan_recv(sum, &c))
		return 1;
	tuza_chan_release(sum);
	printf("hello %d\n", backtrace_full(lock_acquire_slow(park(c))));
	return 0;
}

int main(void) { return tuza_run(hello, NULL); }
END
cp "$dir/hello.c" "$dir/hello.cpp"

# run WHAT PROGRAM
run() {
	output=$(LD_LIBRARY_PATH=$LD_LIBRARY_PATH "$2") || fail "$1: status $?"
	[ "$output" = "hello 6" ] || fail "$1: it printed \"$output\""
	echo "$1"
}

compiler=${CC:-cc}
# shellcheck disable=SC2046 # flags are meant to be split
{
	"$compiler" -Wall -Wextra -Werror "$dir/hello.c" -o "$dir/shared" $(pkg-config --cflags --libs tuza)
	run "pkg-config, shared" "$dir/shared"
	readelf -d "$dir/shared" | grep -q 'NEEDED.*libtuza' || fail "libtuza.so is not used"
	! readelf -d "$dir/shared" | grep -q 'NEEDED.*libtuza-' || fail "linked to what it does not use"

	"$compiler" "$dir/hello.c" -o "$dir/static" $(pkg-config --cflags tuza) \
		-Wl,-Bstatic $(pkg-config --libs tuza) -Wl,-Bdynamic -pthread -ldl
	run "pkg-config, static library" "$dir/static"
	! readelf -d "$dir/static" | grep -q 'NEEDED.*libtuza' || fail "libtuza.so is used"

	"$compiler" -static "$dir/hello.c" -o "$dir/all_static" $(pkg-config --static --cflags --libs tuza)
	run "pkg-config, static program" "$dir/all_static"
	# It has no index of its unwind tables.
	cat >"$dir/stack.c" <<'END'
#include <tuza/tuza.h>
static void inner(void) { tuza_dump(1); }
static int outer(void *arg) { (void)arg; inner(); return 0; }
int main(void) { return tuza_run(outer, 0); }
END
	"$compiler" -O0 -static "$dir/stack.c" -o "$dir/stack" $(pkg-config --static --cflags --libs tuza)
	"$dir/stack" | tr -d '\n' | grep -q 'inner(.*outer(' || fail "no stack in a static program"

	# What profilers of calls want: the address of every function, inlined ones as well.
	cat >"$dir/calls.c" <<'END'
#include <tuza/tuza.h>
static tuza_mutex lock;
static tuza_rwmutex rwlock;
static tuza_once once;
static void nothing(void *arg) { (void)arg; }
int main(void)
{
	TUZA_LOCK(&lock);
	tuza_rwmutex_rlock(&rwlock);
	tuza_rwmutex_runlock(&rwlock);
	tuza_once_do(&once, nothing, NULL);
	return 0;
}
END
	for each in "$compiler" clang; do
		command -v "$each" >/dev/null || continue
		"$each" -Wall -Wextra -Werror -O2 -finstrument-functions "$dir/calls.c" -o "$dir/calls" \
			$(pkg-config --cflags --libs tuza)
		LD_LIBRARY_PATH=$LD_LIBRARY_PATH "$dir/calls" || fail "$each, -finstrument-functions"
		echo "${each##*/}, -finstrument-functions"
	done

	if command -v c++ >/dev/null; then
		c++ -std=c++17 -Wall -Wextra -Werror "$dir/hello.cpp" -o "$dir/cpp" \
			$(pkg-config --cflags --libs tuza)
		run "pkg-config, C++17" "$dir/cpp"
	fi
}

# The leak check in somebody else's test framework, cmocka: one line after each test. Where some
# of what is there is to stay, or a test that failed is not to count against the next, two more.
if pkg-config --exists cmocka; then
	cat >"$dir/leaks.c" <<'END'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <tuza/tuza.h>

// For those who are to end, whenever the machine lets them; for those who are not, a moment.
static tuza_duration patience = 20 * TUZA_SECOND;

static int nothing_left(void **state)
{
	(void)state;
	return tuza_leak_check(&(tuza_leak_options){.wait = patience}) != 0;
}

static int remember(void **state)
{
	*state = tuza_leak_snapshot_new();
	return 0;
}

static int nothing_new_left(void **state)
{
	size_t left = tuza_leak_check(
		&(tuza_leak_options){.ignore_current = *state, .wait = patience});

	tuza_leak_snapshot_free(*state);
	patience = 20 * TUZA_SECOND;
	return left != 0;
}

static void answer(tuza_chan *answers) { tuza_send(answers, 42); }

// Asks, and takes the answer or not.
static void ask(int wanted)
{
	static tuza_chan *answers[2]; // of those who are left behind

	answers[wanted] = tuza_chan_new(sizeof(int), 0);
	TUZA_GO(answer, answers[wanted]);
	if (wanted) {
		int n = 0;

		assert_true(tuza_recv(answers[1], &n));
		assert_int_equal(n, 42);
		tuza_chan_release(answers[1]);
	}
}

static void takes_the_answer(void **state) { (void)state, ask(1); }
static void forgets_the_answer(void **state)
{
	(void)state;
	patience = TUZA_SECOND / 10;
	ask(0);
}
static void forgets_the_context(void **state)
{
	static tuza_context *ctx;

	(void)state;
	patience = TUZA_SECOND / 10;
	ctx = tuza_context_with_cancel(tuza_context_background());
	assert_int_equal(tuza_context_err(ctx), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(takes_the_answer, nothing_left),
		cmocka_unit_test_setup_teardown(forgets_the_answer, remember, nothing_new_left),
		cmocka_unit_test_setup_teardown(forgets_the_context, remember, nothing_new_left),
		cmocka_unit_test_setup_teardown(takes_the_answer, remember, nothing_new_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
END
	# shellcheck disable=SC2046 # flags are meant to be split
	"$compiler" -Wall -Wextra -Werror "$dir/leaks.c" -o "$dir/leaks" \
		$(pkg-config --cflags --libs tuza cmocka)
	status=0
	LD_LIBRARY_PATH=$LD_LIBRARY_PATH "$dir/leaks" >"$dir/log" 2>&1 || status=$?
	for text in 'PASSED  \] 2 test(s)' 'forgets_the_answer$' 'forgets_the_context$' \
		'^goroutine [0-9]* \[chan send\]:' '^created by ask in' '^context.WithCancel'; do
		grep -q "$text" "$dir/log" || status=0
	done
	[ $status = 2 ] || {
		cat "$dir/log"
		fail "the leak check in cmocka"
	}
	echo "the leak check in cmocka: two of four leave something"
else
	echo "skipped: no cmocka"
fi

# libtuza-http, where it was built
http=
if pkg-config --exists tuza-http; then http=yes; fi
if [ -n "$http" ]; then
	cat >"$dir/http.c" <<'END'
#include <tuza/http.h>
#include <tuza/tuza.h>

#include <stdio.h>

int head_scan(int n);
int head_scan(int n) { return n + 5; }

static int serve(void *arg)
{
	tuza_http_server *server = tuza_http_server_new(NULL);

	(void)arg;
	tuza_http_server_free(server);
	printf("hello %d\n", head_scan(tuza_http_status_text(404)[0] == 'N'));
	return 0;
}

int main(void) { return tuza_run(serve, NULL); }
END
	# shellcheck disable=SC2046 # flags are meant to be split
	{
		"$compiler" -Wall -Wextra -Werror "$dir/http.c" -o "$dir/http_shared" \
			$(pkg-config --cflags --libs tuza-http)
		run "pkg-config, HTTP, shared" "$dir/http_shared"
		"$compiler" -Wall -Wextra -Werror "$dir/http.c" -o "$dir/http_shared" \
			$(pkg-config --cflags --libs tuza)
		run "pkg-config, HTTP, by the name of tuza alone" "$dir/http_shared"
		readelf -d "$dir/http_shared" | grep -q 'NEEDED.*libtuza-http' || fail "libtuza-http.so is not used"
		"$compiler" -static "$dir/http.c" -o "$dir/http_static" \
			$(pkg-config --static --cflags --libs tuza-http)
		run "pkg-config, HTTP, static program" "$dir/http_static"
	}
	[ -x "$prefix/bin/tuza-serve" ] || fail "tuza-serve is not installed"
fi

# libtuza-tls, where it was built
tls=
if pkg-config --exists tuza-tls; then tls=yes; fi
if [ -n "$tls" ]; then
	cat >"$dir/tls.c" <<'END'
#include <tuza/tls.h>
#include <tuza/tuza.h>

#include <stdio.h>

int handshake_make(int n);
int handshake_make(int n) { return n + 5; }

static int configure(void *arg)
{
	tuza_tls_config *config;
	int error = tuza_tls_config_new(NULL, &config, NULL);

	(void)arg;
	tuza_tls_config_free(config);
	printf("hello %d\n", handshake_make(error == 0));
	return 0;
}

int main(void) { return tuza_run(configure, NULL); }
END
	# shellcheck disable=SC2046 # flags are meant to be split
	{
		"$compiler" -Wall -Wextra -Werror "$dir/tls.c" -o "$dir/tls_shared" \
			$(pkg-config --cflags --libs tuza-tls)
		run "pkg-config, TLS, shared" "$dir/tls_shared"
		readelf -d "$dir/tls_shared" | grep -q 'NEEDED.*libtuza-tls' || fail "libtuza-tls.so is not used"
		"$compiler" "$dir/tls.c" -o "$dir/tls_static" $(pkg-config --cflags tuza-tls) \
			-Wl,-Bstatic $(pkg-config --libs tuza-tls) -Wl,-Bdynamic -lssl -lcrypto -pthread -ldl
		run "pkg-config, TLS, static library" "$dir/tls_static"
	}
fi

mkdir "$dir/project"
cp "$dir/hello.c" "$dir/project"
cat >"$dir/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(hello C)
find_package(tuza 0.1 REQUIRED)
add_executable(shared hello.c)
target_link_libraries(shared PRIVATE tuza::tuza)
add_executable(static hello.c)
target_link_libraries(static PRIVATE tuza::static)
END
{
	if [ -n "$http" ]; then
		cp "$dir/http.c" "$dir/project"
		for kind in http http_static; do
			echo "add_executable(use_$kind http.c)"
			echo "target_link_libraries(use_$kind PRIVATE tuza::$kind)"
		done >>"$dir/project/CMakeLists.txt"
	fi
	if [ -n "$tls" ]; then
		cp "$dir/tls.c" "$dir/project"
		for kind in tls tls_static; do
			echo "add_executable(use_$kind tls.c)"
			echo "target_link_libraries(use_$kind PRIVATE tuza::$kind)"
		done >>"$dir/project/CMakeLists.txt"
	fi
	cmake -S "$dir/project" -B "$dir/project/build" -DCMAKE_PREFIX_PATH="$prefix" \
		-DCMAKE_C_COMPILER="$compiler" && cmake --build "$dir/project/build"
} >"$dir/log" 2>&1 || {
	cat "$dir/log"
	fail "find_package"
}
run "find_package, shared" "$dir/project/build/shared"
run "find_package, static" "$dir/project/build/static"
if [ -n "$http" ]; then
	run "find_package, HTTP, shared" "$dir/project/build/use_http"
	run "find_package, HTTP, static" "$dir/project/build/use_http_static"
fi
if [ -n "$tls" ]; then
	run "find_package, TLS, shared" "$dir/project/build/use_tls"
	run "find_package, TLS, static" "$dir/project/build/use_tls_static"
fi
