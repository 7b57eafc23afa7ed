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

static volatile unsigned long sink;

// Each multiplication waits for the one before: the same time wherever the loop lies.
static inline __attribute__((always_inline)) void burn(unsigned n)
{
	unsigned long x = sink;

	for (unsigned i = 0; i < n; i++)
		x = x * 6364136223846793005UL + i;
	sink = x;
}

KEEP static void burns_three(void) { burn(60000); }

KEEP static void burns_one(void) { burn(20000); }

static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

KEEP static void waits_for_work(tuza_chan *c)
{
	tuza_recv(c, NULL);
	sink++;
}

KEEP static void waits_for_lock(tuza_mutex *m, tuza_waitgroup *wg)
{
	tuza_mutex_lock(m);
	sink++;
	tuza_mutex_unlock(m);
	tuza_waitgroup_done(wg);
}

enum { WORKERS = 42 };

static void await_waiters(unsigned n)
{
	tuza_statistics s = {0};

	while (s.waiting < n) {
		tuza_yield();
		tuza_stats(&s);
	}
}

KEEP static void keeps_lock(void)
{
	static tuza_mutex m;
	static tuza_waitgroup wg;

	tuza_waitgroup_add(&wg, 3);
	tuza_mutex_lock(&m);
	for (int i = 0; i < 3; i++)
		go(waits_for_lock, &m, &wg);
	await_waiters(WORKERS + 3); // and only then
	tuza_sleep(20 * TUZA_MILLISECOND);
	tuza_mutex_unlock(&m);
	tuza_waitgroup_wait(&wg);
}

static char *kept[100];

KEEP static void keeps_memory(void)
{
	for (int i = 0; i < 100; i++)
		kept[i] = tuza_malloc(1 << 20);
}

KEEP static void drops_memory(void)
{
	for (int i = 0; i < 100; i++)
		tuza_free(tuza_malloc(1 << 20));
}

static int write_profiles(const char *const *names, int debug)
{
	for (; *names; names++) {
		char file[40];

		snprintf(file, sizeof file, "%s%s", *names, debug ? ".txt" : "");
		int fd = open(file, O_WRONLY | O_CREAT, 0666);
		if (tuza_pprof_write(fd, *names, debug) != 0)
			return 1;
		close(fd);
	}
	return 0;
}

static int program(void *arg)
{
	static const char *const names[] = {
		"goroutine", "threadcreate", "heap", "allocs", "block", "mutex", NULL};
	tuza_chan *c = tuza_chan_new(0, 0);
	char address[TUZA_ADDRESS_TEXT];
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
	for (int i = 0; i < WORKERS; i++)
		go(waits_for_work, c);
	await_waiters(WORKERS);
	tuza_set_block_profile_rate(1);
	tuza_set_mutex_profile_fraction(1);
	keeps_lock();
	keeps_memory();
	drops_memory();
	if (write_profiles(names, 0) != 0 || write_profiles(names, 1) != 0)
		return 1;
	if (tuza_debug_serve_with("127.0.0.1:0", NULL, &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	puts(address);
	fflush(stdout);
	ssize_t got;
	for (char byte; (got = read(0, &byte, 1)) < 0;) // waits for a byte
		tuza_sleep(10 * TUZA_MILLISECOND);
	for (char byte; got != 0; got = read(0, &byte, 1)) { // burns until its input ends
		burns_one();
		tuza_yield();
	}
	return 0;
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
tries=1500
until [ -s address ] || [ $tries = 0 ]; do
	sleep 0.1
	tries=$((tries - 1))
done
address=$(cat address)
[ -n "$address" ] || fail "the program has not come so far"

pprof -top goroutine
finds '42 .* waits_for_work'
pprof -traces goroutine
finds '42 +.*(tuza_recv|tuza_chan_recv_sized|waits_for_work)'
finds 'work:  *burning'
pprof -raw goroutine
finds 'goroutine/count'
finds "M=1 waits_for_work .*/prog.c:[0-9]+"
pprof -top threadcreate
finds '\[thread tuza\]'

pprof -tags goroutine
finds 'burning'

# Contention: 20 ms of three who waited, for the one who unlocked.
pprof -top -unit=ms block
finds ' waits_for_lock'
pprof -traces block
finds ' waits_for_lock'
pprof -raw block
finds 'contentions/count delay/nanoseconds'
pprof -top -cum -unit=ms mutex
awk '$NF == "keeps_lock" { ms = $4 + 0 } END { print ms; exit !(ms >= 55) }' log >shares ||
	fail "mutex: $(cat shares) ms"
# The texts have no symbols for pprof, but the numbers.
for name in block mutex; do
	pprof -top -unit=ms "$name.txt"
	awk '/ total$/ { ms = $(NF - 1) + 0 } END { print ms; exit !(ms >= 55) }' log >shares ||
		fail "$name.txt: $(cat shares) ms"
done

# Memory: 100 MiB in use, as much gone; what is sampled is about right.
pprof -top -unit=mb heap
finds 'Type: inuse_space'
finds ' keeps_memory'
awk '$NF == "keeps_memory" { mb = $1 + 0 } END { print mb; exit !(mb > 60 && mb < 150) }' log >shares ||
	fail "heap: $(cat shares) MiB"
grep -q drops_memory log && fail 'memory in use that was freed'
pprof -top -unit=mb allocs
finds 'Type: alloc_space'
finds ' drops_memory'
pprof -sample_index=inuse_objects -top heap.txt
finds ' total$'
pprof -tags heap
finds 'bytes: '

pprof -top cpu
finds 'Type: cpu'
finds ' burns_three$'
# Seconds: three to one, more or less.
pprof -top -unit=ms -nodecount=1000 cpu
awk '$NF == "burns_three" { three = $4 + 0 } $NF == "burns_one" { one = $4 + 0 }
	END { print three, one; exit !(one > 100 && three > 1.2 * one && three < 10 * one) }' log >shares ||
	fail "shares: $(cat shares)"
pprof -tags cpu
finds 'burning'
pprof -list burns_three cpu
finds 'burn\(60000\)'

pprof -top "http://$address/debug/pprof/goroutine"
finds '42 .* waits_for_work'
for name in block mutex heap allocs threadcreate; do
	pprof -top "http://$address/debug/pprof/$name?seconds=1"
done
finds 'Duration: '
echo >&3
for seconds in 1 4 16; do # the machine may have much else to do
	pprof -top "http://$address/debug/pprof/profile?seconds=$seconds"
	! grep -q ' burns_one$' log || break
done
finds ' burns_one$'
exec 3>&-
wait
