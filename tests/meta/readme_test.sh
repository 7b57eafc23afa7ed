#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The first program in README.md is an example, letter for letter: what readers try first is built
# and run by the tests. Which one, the README does not say, so any will do.
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

awk '/^```c$/ { inside = 1; next } /^```$/ && inside { exit } inside' \
	"$TUZA_SOURCE_DIR/README.md" >"$dir/readme.c"
if [ "$(wc -l <"$dir/readme.c")" -lt 20 ]; then
	echo "README.md has no program at its beginning"
	exit 1
fi

# An example without the comments around the program.
program() {
	awk '/^\/\* Output:$/ { exit } /^#include/ { inside = 1 } inside' "$1" | sed -e '$ { /^$/d }'
}

found=
for example in "$TUZA_SOURCE_DIR"/examples/*.c; do
	program "$example" >"$dir/example.c"
	if cmp -s "$dir/readme.c" "$dir/example.c"; then
		found=$example
		break
	fi
	lines=$(diff "$dir/readme.c" "$dir/example.c" | grep -c '^[<>]')
	echo "$lines $example"
done >"$dir/differences"
if [ -n "$found" ]; then
	echo "README.md shows $(basename "$found")"
	exit 0
fi

nearest=$(sort -n "$dir/differences" | head -n 1 | cut -d' ' -f2-)
echo "the first program of README.md is no example; the nearest is $nearest:"
program "$nearest" | diff "$dir/readme.c" -
exit 1
