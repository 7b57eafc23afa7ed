#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The incident of docs/INCIDENT.md replayed over HTTP: a service leaks a goroutine per request. The
# metric rises, the live page's state has the leak first, `go tool pprof` groups it, the scan proves
# it; with the fix all of it is flat.
set -u
program=$TUZA_BUILD_DIR/examples/68_incident
command -v curl >/dev/null || {
	echo "skipped: no curl"
	exit 77
}
[ -x "$program" ] || {
	echo "skipped: $program is not built"
	exit 77
}

dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
fail() {
	echo "failed: $1"
	for file in log state text; do
		[ ! -s "$dir/$file" ] || head -c 3000 "$dir/$file"
	done
	exit 1
}
# get ARGUMENT...: never longer than 60 s
get() { curl --silent --show-error --max-time 60 --noproxy '*' "$@"; }

# start MODE: sets prices, debug and pid
start() {
	: >"$dir/log"
	"$program" "$1" 2>"$dir/log" &
	pid=$!
	tries=0
	until grep -q debug "$dir/log"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || fail "$1 does not start"
		sleep 0.1
	done
	prices=$(sed -n 1p "$dir/log")
	debug=$(sed -n 2p "$dir/log")
}
end() {
	kill "$pid"
	wait "$pid" 2>/dev/null
	pid=
}
goroutines() { get "${debug%/debug/}/metrics" | sed -n 's/^tuza_sched_goroutines_goroutines //p'; }
requests() {
	urls=
	for _ in 1 2 3 4 5 6 7 8 9 10; do urls="$urls -o /dev/null $prices"; done
	# shellcheck disable=SC2086 # the list is meant to be split
	get $urls
}
# The first of the groups: the suspects come first.
first_group() { grep -o '"groups":\[{[^}]*}' "$dir/state"; }

# ---- the leak
start leaking
before=$(goroutines)
# It must have grown for some seconds before it is called growing.
tries=0
until first_group 2>/dev/null | grep -q '"suspect":"grows"'; do
	requests
	sleep 0.5
	get "${debug}state.json" >"$dir/state"
	tries=$((tries + 1))
	[ $tries -lt 60 ] || fail "the leak is not suspected"
done
sent=$((tries * 10))
after=$(goroutines)
echo "$sent requests: $before goroutines became $after"
[ $((after - before)) -ge "$sent" ] || fail "the metric does not rise"
first_group | grep -q '\["look_up",' || fail "the leak is not the page's first place"
first_group | grep -q '"reason":"chan send"' || fail "the page does not say what it waits for"
first_group | grep -q '"creator":\["ask_price",' || fail "the page does not say who started it"

tries=0 # the latest may still look up
until get "${debug}pprof/goroutine?debug=1" >"$dir/text" && grep -q "^$sent @ " "$dir/text"; do
	tries=$((tries + 1))
	[ $tries -lt 300 ] || fail "the profile does not count $sent in one place"
	sleep 0.1
done
GO=$(command -v go || echo /usr/local/go/bin/go)
if [ -x "$GO" ]; then
	[ -n "${HOME-}" ] || export HOME="$dir"
	PPROF_TMPDIR=$dir GOFLAGS=-mod=mod GOTOOLCHAIN=local \
		"$GO" tool pprof -top "${debug}pprof/goroutine" >"$dir/text" 2>&1 || fail "go tool pprof"
	grep -Eq "^ +$sent .* look_up\$" "$dir/text" || fail "pprof does not group $sent in look_up"
fi

# A pointer that was left somewhere may hide a few from the scan, never the others.
get "${debug}leaks.json" >"$dir/text"
leaked=$(sed -n 's/.*"leaked":\([0-9]*\).*/\1/p' "$dir/text")
[ "${leaked:-0}" -gt $((sent / 2)) ] || fail "the scan finds ${leaked:-nothing}"
[ "$leaked" -le "$sent" ] || fail "the scan finds $leaked, more than there are"
sleep 0.2
get "${debug}state.json" >"$dir/state"
first_group | grep -q '"suspect":"leaked"' || fail "the page does not show what the scan found"
get "${debug}pprof/goroutineleak?debug=2" >"$dir/text"
grep -q '\[chan send (leaked)\]:$' "$dir/text" || fail "the report does not name the leaked"
grep -q '^look_up(' "$dir/text" || fail "the report does not show where they are"
echo "the scan finds $leaked of $sent"
end

# ---- the fix
start fixed
before=$(goroutines)
for _ in 1 2 3 4 5; do
	requests
	get "${debug}state.json" >"$dir/state"
	! grep -q '"suspect":"[a-z]' "$dir/state" || fail "the fixed service is suspected"
done
# Each lookup lives for 500 ms, and connections end when they are noticed to.
tries=0
until after=$(goroutines) && [ $((after - before)) -le 2 ]; do
	tries=$((tries + 1))
	[ $tries -lt 300 ] || fail "$((after - before)) goroutines stay"
	sleep 0.1
done
echo "with the fix: $before goroutines became $after"
end
