#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Traces are what `go tool trace` reads: it replays each of them, which it refuses to do for the least
# contradiction, finds the goroutines, waits and processors that the program has, makes profiles, and
# shows its pages. Without Go it is skipped.
set -eu

GO=$(command -v go || echo /usr/local/go/bin/go)
[ -x "$GO" ] || {
	echo "skipped: no go"
	exit 77
}
command -v curl >/dev/null || {
	echo "skipped: no curl"
	exit 77
}
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill $server; rm -rf "$dir"' EXIT
# The tools are built once, where the user's cache is, if there is one.
[ -n "${HOME-}" ] || export HOME="$dir"
export PPROF_TMPDIR="$dir" GOFLAGS=-mod=mod GOTOOLCHAIN=local BROWSER=true
root=$TUZA_SOURCE_DIR
build=$TUZA_BUILD_DIR
fail() {
	echo "failed: $1"
	[ ! -f "$dir/log" ] || tail -20 "$dir/log"
	exit 1
}
parse() { "$GO" tool trace -d=parsed "$1" >"$dir/parsed" 2>"$dir/log" || fail "go tool trace $1"; [ ! -s "$dir/log" ] || fail "$1"; }
# How often the text stands in the trace that was parsed last.
count() { grep -c -- "$1" "$dir/parsed" || true; }
is() { test "$(count "$1")" "$2" "$3" || fail "$1: $(count "$1"), wanted $2 $3"; }

cat >"$dir/prog.c" <<'END_OF_PROGRAM'
#include <tuza/go.h>
#include <tuza/tuza.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static tuza_chan *jobs, *results;
static tuza_mutex mutex;

static void works(void)
{
	int v;

	while (tuza_recv(jobs, &v)) {
		tuza_mutex_lock(&mutex);
		tuza_yield();
		tuza_mutex_unlock(&mutex);
		tuza_send(results, v);
	}
}

static void sits_in_calls(void)
{
	for (int i = 0; i < 20; i++) {
		tuza_blocking_begin();
		usleep(100);
		tuza_blocking_end();
	}
}

static void sends_jobs(void)
{
	for (int i = 0; i < 500; i++)
		tuza_send(jobs, i);
	tuza_chan_close(jobs);
}

// Luck alone does not make anybody wait, where one goroutine comes after the other.
static void await_waiters(unsigned n)
{
	tuza_statistics s = {0};

	while (s.waiting < n) {
		tuza_yield();
		tuza_stats(&s);
	}
}

// On a slow machine a sleep may be over before it has begun.
static void sleep_once(void)
{
	tuza_statistics before, now;

	tuza_stats(&before);
	do {
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&now);
	} while (now.woken_by_timers == before.woken_by_timers);
}

static void does_nothing(void) {}

// All that there is, by dice, and few events to write it in.
static void does_anything(unsigned dice, int turns)
{
	int v = 0;

	for (; turns > 0; turns--) {
		dice = dice * 1103515245 + 12345;
		switch (dice >> 16 & 7) {
		case 0:
			tuza_yield();
			break;
		case 1:
			tuza_sleep(1000);
			break;
		case 2:
			tuza_blocking_begin();
			usleep(10);
			tuza_blocking_end();
			break;
		case 3:
			tuza_mutex_lock(&mutex);
			tuza_yield();
			tuza_mutex_unlock(&mutex);
			break;
		case 4:
			go(does_nothing);
			break;
		case 5:
			TUZA_SELECT(TUZA_RECV(results, &v), TUZA_AFTER(10000));
			break;
		case 6:
			TUZA_SELECT(TUZA_SEND(results, &v), TUZA_AFTER(10000));
			break;
		default:
			tuza_blocking_begin();
			go(does_nothing);
			tuza_blocking_end();
			tuza_gomaxprocs(1 + (int)(dice >> 20 & 3));
			break;
		}
	}
}

static int anything(void *arg)
{
	(void)arg;
	results = tuza_chan_new(sizeof(int), 0);
	for (unsigned i = 0; i < 40; i++)
		go(does_anything, i, 200);
	while (tuza_num_goroutine() > 1)
		tuza_sleep(TUZA_MILLISECOND);
	tuza_chan_release(results);
	return 0;
}

static int program(void *path)
{
	int v, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	jobs = tuza_chan_new(sizeof(int), 0);
	results = tuza_chan_new(sizeof(int), 10);
	tuza_gomaxprocs(2);
	if (tuza_trace_start(fd) != 0)
		return 1;
	tuza_mutex_lock(&mutex);
	for (int i = 0; i < 4; i++)
		go(works);
	await_waiters(4); // each for a job
	go(sends_jobs);
	await_waiters(5); // they for the mutex, and the fifth job for one of them
	tuza_mutex_unlock(&mutex);
	go(sits_in_calls);
	sleep_once();
	uint64_t task = tuza_trace_task_begin(0, "drain");
	for (int i = 0; i < 500; i++) {
		tuza_trace_region_begin(task, "one result");
		tuza_recv(results, &v);
		tuza_trace_region_end(task, "one result");
	}
	tuza_trace_log(task, "note", "%s", "all are there");
	tuza_trace_task_end(task);
	while (tuza_num_goroutine() > 1)
		tuza_sleep(TUZA_MILLISECOND);
	int error = tuza_trace_stop();
	close(fd);
	tuza_chan_release(jobs);
	tuza_chan_release(results);
	return error != 0;
}

int main(int argc, char **argv)
{
	return argc > 1 ? tuza_run(program, argv[1]) : tuza_run(anything, NULL);
}
END_OF_PROGRAM
# shellcheck disable=SC2086 # a list of options
${CC:-cc} ${CFLAGS-} -O1 -g -I"$root/include" -o "$dir/prog" "$dir/prog.c" "$build/libtuza.a" \
	-pthread -ldl || fail "no program"

"$dir/prog" "$dir/trace" || fail "the program"
parse "$dir/trace"
is 'NotExist->Runnable' = 6
is 'GoID=[0-9]* Running->NotExist' = 6
is 'Running->Syscall' -ge 20
is 'Reason="chan receive"' -ge 4
is 'Reason="chan send"' -ge 1
is 'Reason="sync.Mutex.Lock"' -ge 4
is 'Reason="sleep"' -ge 1
is 'RegionBegin' = 500
is 'RegionEnd' = 500
is 'TaskBegin' = 1
is 'Category="note" Message="all are there"' = 1
is 'ProcID=[0-9]* .*->Running' -ge 1
is '	works @' -ge 1

for kind in sync sched syscall; do
	"$GO" tool trace -pprof=$kind "$dir/trace" >"$dir/$kind" 2>"$dir/log" || fail "-pprof=$kind"
	"$GO" tool pprof -top -nodefraction=0 -nodecount=1000 "$dir/$kind" >"$dir/$kind.txt" 2>"$dir/log" || fail "pprof of $kind"
done
grep -q ' works$' "$dir/sync.txt" || fail "no works in the profile of synchronisation"
grep -q ' \(sends_jobs\|works\)$' "$dir/sched.txt" || fail "nobody in the profile of waits for processors"
grep -q ' sits_in_calls$' "$dir/syscall.txt" || fail "no sits_in_calls in that of blocking sections"

# Everything at once, and a record that was written over.
for i in 1 2; do
	TUZA_TRACE="$dir/trace$i" TUZA_MAXPROCS=4 "$dir/prog" || fail "the program"
	parse "$dir/trace$i"
	is 'NotExist->Runnable' -ge 1000
done

# The format of before Go 1.22, which has no words for our reasons.
TUZA_TRACE="$dir/trace.v1" "$dir/prog" "$dir/ignored" || fail "the program"
[ "$(head -c 13 "$dir/trace.v1")" = "go 1.11 trace" ] || fail "no header of Go 1.11"
parse "$dir/trace.v1"
is 'NotExist->Runnable' = 7
is 'GoID=[0-9]* Running->NotExist' = 7
is 'Running->Syscall' -ge 20
is 'Reason="chan receive"' -ge 4
is 'Reason="chan send"' -ge 1
is 'Reason="sync"' -ge 4
is 'Reason="sleep"' -ge 1
is 'RegionBegin' = 500
is 'RegionEnd' = 500
is 'TaskBegin' = 1
is 'Category="note" Message="all are there"' = 1
is '	works @' -ge 1
"$GO" tool trace -pprof=sync "$dir/trace.v1" >"$dir/sync" 2>"$dir/log" || fail "-pprof=sync of v1"
"$GO" tool pprof -top -nodefraction=0 -nodecount=1000 "$dir/sync" >"$dir/sync.txt" 2>"$dir/log" || fail "pprof of v1"
grep -q ' works$' "$dir/sync.txt" || fail "no works in the profile of v1"
for i in 3 4; do
	TUZA_TRACE="$dir/trace$i.v1" TUZA_MAXPROCS=4 "$dir/prog" || fail "the program"
	parse "$dir/trace$i.v1"
	is 'NotExist->Runnable' -ge 1000
done

"$GO" tool trace -http=127.0.0.1:0 "$dir/trace" >"$dir/log" 2>&1 &
server=$!
for _ in $(seq 1000); do
	url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$dir/log")
	[ -z "$url" ] || break
	sleep 0.1
done
[ -n "$url" ] || fail "no server"
curl -sf --noproxy '*' "$url/goroutines" >"$dir/page" || fail "$url/goroutines"
grep -q 'works' "$dir/page" || fail "no works among the goroutines"
curl -sf --noproxy '*' "$url/jsontrace?view=proc" >"$dir/page" || fail "$url/jsontrace"
grep -q '"Proc [0-9]' "$dir/page" || fail "no processor"
curl -sf --noproxy '*' "$url/usertasks" >"$dir/page" || fail "$url/usertasks"
grep -q 'drain' "$dir/page" || fail "no task"
