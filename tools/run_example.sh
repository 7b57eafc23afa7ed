#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/run_example.sh SOURCE [EMULATOR...] PROGRAM: runs an example and compares what it prints with
# the comment at the end of its source, line by line:
#
#   /* Output:                  or   /* Output (any order):
#   hello
#    */                              compared sorted
#
# Without such a comment only the exit status counts, which must be 0.
set -u

source=$1
shift

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

export no_proxy='*' # one that asks its own server asks nobody else
"$@" >"$dir/got" 2>"$dir/stderr" </dev/null
status=$?
[ $status = 77 ] && exit 77

failed=0
if [ $status != 0 ]; then
	echo "failed: exit status $status"
	failed=1
fi

awk '
	inside && /^[ \t]*\*\// { exit }
	inside { print }
	/^\/\* Output( \(any order\))?:$/ { inside = 1 }
' "$source" >"$dir/wanted"
if grep -q '^/\* Output (any order):$' "$source"; then
	for file in got wanted; do
		LC_ALL=C sort -o "$dir/$file" "$dir/$file"
	done
fi
if grep -q '^/\* Output' "$source" && ! diff -u "$dir/wanted" "$dir/got" >"$dir/diff"; then
	echo "failed: the output (+) is not what the source says (-)"
	sed 1,2d "$dir/diff"
	failed=1
fi
if [ $failed != 0 ] && [ -s "$dir/stderr" ]; then
	echo "---- stderr"
	cat "$dir/stderr"
fi
exit $failed
