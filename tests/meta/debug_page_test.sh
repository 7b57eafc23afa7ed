#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The live page in a browser: a headless Chromium shows groups of goroutines, the leak first, the
# stack of the place that was opened, and the flame graph of a CPU profile taken from the page; what
# the program calls itself does not become HTML. A look at 50,000 goroutines is cheap after the first
# one, which walks their stacks. Without Chromium only the latter is tested.
set -u

dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
command -v curl >/dev/null || {
	echo "skipped: no curl"
	exit 77
}
fail() {
	echo "failed: $1"
	[ ! -s "$dir/dom" ] || sed -n '/<body>/,/<script/p' "$dir/dom" | head -c 20000
	exit 1
}
get() { curl --silent --show-error --max-time 60 --noproxy '*' "$@"; }

cat >"$dir/prog.c" <<'END_OF_PROGRAM'
#include <tuza/go.h>
#include <tuza/tuza.h>

#include <stdio.h>
#include <stdlib.h>

#define KEEP __attribute__((noinline))

static volatile unsigned sink;

// Most of a processor's time, or a profile of one second on a busy machine may not catch it.
KEEP static void burns_time(void)
{
	for (unsigned i = 0; i < 5000000; i++)
		sink = sink + i;
}

KEEP static void waits_for_work(tuza_chan *c)
{
	tuza_recv(c, NULL);
	sink++;
}

KEEP static void sends_in_vain(tuza_chan *c)
{
	tuza_send(c, (int){7});
	sink++;
}

KEEP static void calls(int depth, tuza_chan *c)
{
	if (depth > 0)
		calls(depth - 1, c);
	else
		waits_for_work(c);
	sink++;
}

static void named(tuza_chan *c)
{
	tuza_set_name("<b id=evil>name</b>");
	tuza_set_label("label", "</script><img src=x onerror=document.title=666>");
	waits_for_work(c);
}

static void burner(void)
{
	for (;;) {
		burns_time();
		tuza_sleep(TUZA_MILLISECOND);
	}
}

static int program(void *parked)
{
	tuza_chan *never = tuza_chan_new(0, 0), *full = tuza_chan_new(sizeof(int), 0);
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;

	if (tuza_debug_serve_with("127.0.0.1:0", NULL, &l) != 0)
		return 1;
	for (int i = 0; i < atoi(parked); i++)
		go(calls, 10, never);
	go(named, never);
	go(burner);
	tuza_listener_address(l, address, sizeof address);
	puts(address);
	fflush(stdout);
	for (;;) {
		go(sends_in_vain, full);
		tuza_sleep(50 * TUZA_MILLISECOND);
	}
}

int main(int argc, char **argv) { return tuza_run(program, argv[argc - 1]); }
END_OF_PROGRAM
"$CC" -O2 -g -I"$TUZA_SOURCE_DIR/include" "$dir/prog.c" "$TUZA_BUILD_DIR/libtuza.a" -lpthread -ldl \
	-o "$dir/prog" || exit 1

# start PARKED: sets pid and address
start() {
	: >"$dir/address"
	"$dir/prog" "$1" >"$dir/address" &
	pid=$!
	tries=0
	until [ -s "$dir/address" ]; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || fail "the program does not start"
		sleep 0.1
	done
	address=$(cat "$dir/address")
}
end() {
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	pid=
}
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$dir/state"; }

# ---- what a look costs
start 50000
get "http://$address/debug/state.json" >"$dir/state"
first=$(number took_ns)
first_walked=$(number walked)
sleep 0.2
get "http://$address/debug/state.json" >"$dir/state"
echo "50,000 goroutines 13 calls deep: first look $((first / 1000)) us, then $(($(number took_ns) / 1000)) us"
[ "$(number goroutines_left_out)" = 0 ] || fail "goroutines are left out"
[ "$(wc -c <"$dir/state")" -lt 20000 ] || fail "much text for a few places"
# Of 50,000 only those that had no like before.
[ "$first_walked" -lt 1000 ] || fail "$first_walked stacks were walked at first"
[ "$(number walked)" -lt 100 ] || fail "$(number walked) stacks were walked again"
end

# ---- in a browser
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
	echo "skipped: no chromium"
	exit 77
}
# browse ARGUMENT...: the page as it is after one look and a CPU profile of a second
browse() {
	timeout 100 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$dir/profile" --virtual-time-budget=5000 --window-size=1280,1000 "$@" \
		"http://$address/debug/#paused&open&profile=1" 2>"$dir/browser.log"
}
# finds WHAT STRING: in the page
finds() { grep -qF "$2" "$dir/dom" || fail "no $1: $2"; }

start 20
: >"$dir/state" # the last program's may have been suspected, too
tries=0
until grep -q '"suspect":"grows"' "$dir/state"; do
	get "http://$address/debug/state.json?ms=500" >"$dir/state"
	tries=$((tries + 1))
	[ $tries -lt 120 ] || fail "the leak is not suspected"
done
# On a busy machine the profile of a second may have none of the program's: so some tries.
for _ in 1 2 3 4 5; do
	browse --dump-dom >"$dir/dom" || fail "the browser: $(tail -n 3 "$dir/browser.log")"
	! grep -qF 'title="burns_time' "$dir/dom" || break
done
# The script itself is not what was looked for.
sed -i '/<script nonce/,/<\/script>/d; /<style>/,/<\/style>/d' "$dir/dom"
finds "title" "<title>prog"
finds "row of a group" '<span class="mono">waits_for_work</span>'
finds "state" '<span class="state">chan receive</span>'
finds "suspicion" "none of them goes on</span>"
first=$(grep -o '<span class="mono">[^<]*' "$dir/dom" | head -n 1)
[ "$first" = '<span class="mono">sends_in_vain' ] || fail "the first place is $first"
finds "stack of the first place" '<ul class="frames"><li>sends_in_vain <span>'
finds "creator" '<ul class="frames"><li>program <span>'
finds "goroutine to click on" 'data-id="'
finds "name as text" "&lt;b id=evil&gt;name&lt;/b&gt;"
! grep -q "<b id=\"*evil\|<img\|<title>666" "$dir/dom" || fail "the program's text became HTML"
finds "flame graph" 'title="burns_time'
finds "table of functions" "<td>burns_time</td>"
browse --screenshot="$dir/page.png" || fail "the browser: $(tail -n 3 "$dir/browser.log")"
[ "$(wc -c <"$dir/page.png")" -gt 20000 ] || fail "the picture is empty"
[ "$(head -c 4 "$dir/page.png" | tail -c 3)" = PNG ] || fail "the picture is none"
end
