#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The scan for goroutines that can never go on finds none in the examples, at their end, nor in a
# choice of tests: no false report. (68, 71 and 72 leak on purpose; so do pitfalls.)
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
count=0

# scan PROGRAM: what it prints is no matter here.
scan() {
	status=0
	TUZA_MAXPROCS=4 TUZA_DEBUG=leakscan timeout 60 "$1" </dev/null >"$dir/out" 2>"$dir/err" ||
		status=$?
	if grep -q "^found leaked goroutines:" "$dir/err"; then
		echo "failed: $1"
		cat "$dir/err"
		failed=1
	fi
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || {
		echo "failed: $1 ends with $status"
		failed=1
	}
	count=$((count + 1))
}

for program in "$TUZA_BUILD_DIR"/examples/[0-9]*; do
	if [ ! -f "$program" ] || [ ! -x "$program" ]; then
		continue
	fi
	case $program in
	*/68_* | */71_* | */72_*) ;;
	*) scan "$program" ;;
	esac
done
for name in chan errgroup net_conn pattern_pool semaphore timer; do
	scan "$TUZA_BUILD_DIR/tests/api/${name}_test"
done
[ "$count" -gt 60 ] || {
	echo "failed: only $count programs"
	failed=1
}
exit "$failed"
