#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Profiles are what `go tool pprof` reads: it opens each kind, from files and from the debug server,
# and finds the functions, counts and labels that the program has. Without Go it is skipped.
set -eu

GO=$(command -v go || echo /usr/local/go/bin/go)
[ -x "$GO" ] || {
	echo "skipped: no go"
	exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# The tool is built once, where the user's cache is, if there is one.
[ -n "${HOME-}" ] || export HOME="$dir"
export PPROF_TMPDIR="$dir" GOFLAGS=-mod=mod GOTOOLCHAIN=local
cd "$dir"
fail() {
	echo "failed: $1"
	[ ! -f "$dir/log" ] || cat "$dir/log"
	exit 1
}
pprof() { "$GO" tool pprof "$@" >"$dir/log" 2>&1 || fail "go tool pprof $*"; }
# A line with all of these in this order.
finds() {
	grep -Eq "$1" "$dir/log" || fail "no $1"
}

cat >"$dir/prog.c" <<'END_OF_PROGRAM'
#include <tuza/go.h>
#include <tuza/tuza.h>

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define KEEP __attribute__((noinline))

static volatile unsigned sink;

KEEP static void burns_three(void)
{
	for (unsigned i = 0; i < 60000; i++)
		sink = sink + i;
}

KEEP static void burns_one(void)
{
	for (unsigned i = 0; i < 20000; i++)
		sink = sink + i;
}

static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

KEEP static void waits_for_work(tuza_chan *c)
{
	tuza_recv(c, NULL);
	sink++;
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	char address[TUZA_ADDRESS_TEXT];
	tuza_statistics s = {0};
	tuza_listener *l;

	(void)arg;
	int fd = open("cpu", O_WRONLY | O_CREAT, 0666);
	if (tuza_pprof_cpu_start(fd) != 0)
		return 1;
	tuza_set_label("work", "burning");
	for (double end = cpu_seconds() + 2; cpu_seconds() < end;) {
		burns_three();
		burns_one();
	}
	if (tuza_pprof_cpu_stop() != 0)
		return 1;
	for (int i = 0; i < 42; i++)
		go(waits_for_work, c);
	while (s.waiting < 42) {
		tuza_yield();
		tuza_stats(&s);
	}
	fd = open("goroutine", O_WRONLY | O_CREAT, 0666);
	if (tuza_pprof_write(fd, "goroutine", 0) != 0)
		return 1;
	fd = open("threadcreate", O_WRONLY | O_CREAT, 0666);
	if (tuza_pprof_write(fd, "threadcreate", 0) != 0)
		return 1;
	if (tuza_debug_serve_with("127.0.0.1:0", NULL, &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	puts(address);
	fflush(stdout);
	for (char byte;;) { // burns until its input ends
		burns_one();
		tuza_yield();
		if (read(0, &byte, 1) == 0)
			return 0;
	}
}

int main(void)
{
	fcntl(0, F_SETFL, O_NONBLOCK);
	return tuza_run(program, NULL);
}
END_OF_PROGRAM
"$CC" -O2 -g -I"$TUZA_SOURCE_DIR/include" prog.c "$TUZA_BUILD_DIR/libtuza.a" -lpthread -ldl -o prog

mkfifo stdin
./prog <stdin >address &
exec 3>stdin
tries=600
until [ -s address ] || [ $tries = 0 ]; do
	sleep 0.1
	tries=$((tries - 1))
done
address=$(cat address)
[ -n "$address" ] || fail "the program has not come so far"

pprof -top goroutine
finds '42 .* waits_for_work'
pprof -traces goroutine
finds '42 +.*(tuza_recv|waits_for_work)'
finds 'work:  *burning'
pprof -raw goroutine
finds 'goroutine/count'
finds "M=1 waits_for_work .*/prog.c:[0-9]+"
pprof -top threadcreate
finds '\[thread tuza\]'

pprof -top cpu
finds 'Type: cpu'
finds ' burns_three$'
# Flat seconds: three to one, more or less.
pprof -top -unit=ms -nodecount=1000 cpu
awk '$NF == "burns_three" { three = $1 + 0 } $NF == "burns_one" { one = $1 + 0 }
	END { print three, one; exit !(one > 100 && three > 1.2 * one && three < 10 * one) }' log >shares ||
	fail "shares: $(cat shares)"
pprof -tags cpu
finds 'burning'
pprof -list burns_three cpu
finds 'sink = sink'

pprof -top "http://$address/debug/pprof/goroutine"
finds '42 .* waits_for_work'
pprof -top "http://$address/debug/pprof/profile?seconds=1"
finds ' burns_one$'
exec 3>&-
wait
