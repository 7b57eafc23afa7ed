#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/run_die.sh SOURCE [EMULATOR...] PROGRAM: runs a program that must end in a certain way, and
# holds its end against these lines of its source:
#
#   // expect-status: 2              exit status; 128 + n when killed by signal n. Required.
#   // expect-stderr: SUBSTRING      stands in what it wrote to standard error; any number of these,
#   // expect-stdout: SUBSTRING      and they may come in any order
#   // expect-not-stderr: SUBSTRING  does not stand there
#   // env: NAME=VALUE               set for the program
set -u

source=$1
shift

# The values of the lines `// KEY: value`, one a line.
values() {
	sed -n "s|^//[ 	]*$1:[ 	]\{0,1\}||p" "$source"
}

status_wanted=$(values expect-status)
if [ -z "$status_wanted" ]; then
	echo "$source has no line \"// expect-status: N\""
	exit 1
fi

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
ulimit -c 0

values env >"$dir/env"
while IFS= read -r assignment; do
	export "${assignment?}"
done <"$dir/env"

"$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null
status=$?
[ "$status" = 77 ] && [ "$status_wanted" != 77 ] && exit 77

failed=0
fail() {
	echo "failed: $1"
	failed=1
}

[ "$status" = "$status_wanted" ] || fail "status $status, wanted $status_wanted"
for stream in stdout stderr; do
	values "expect-$stream" >"$dir/wanted"
	while IFS= read -r text; do
		grep -qF -e "$text" "$dir/$stream" || fail "no \"$text\" in $stream"
	done <"$dir/wanted"
	values "expect-not-$stream" >"$dir/unwanted"
	while IFS= read -r text; do
		! grep -qF -e "$text" "$dir/$stream" || fail "\"$text\" in $stream"
	done <"$dir/unwanted"
done
# As in Go's reports, one blank line separates what belongs apart.
awk '!NF && blank { exit 1 } { blank = !NF }' "$dir/stderr" || fail "two blank lines in a row in stderr"

if [ $failed != 0 ]; then
	echo "---- stdout"
	cat "$dir/stdout"
	echo "---- stderr"
	cat "$dir/stderr"
fi
exit $failed
