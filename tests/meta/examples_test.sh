#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every example builds without a warning against the installed library, as a reader would build it,
# with gcc and with clang, whichever there are. Each says what it prints, has at most 60 lines of
# code, and stands in examples/README.md, which in turn names only files that exist.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
	echo "failed: $1"
	failed=1
}
cd "$TUZA_SOURCE_DIR/examples"

# ---- what they look like
for source in *.c pitfalls/*.c; do
	grep -qE '^/\* Output( \(any order\))?:$' "$source" || fail "$source does not say what it prints"
	lines=$(awk '
		/^\/\* Output/ { exit }
		{ sub(/\/\/.*/, "") }
		/\/\*/ { inside = 1 }
		!inside && NF { n++ }
		/\*\// { inside = 0 }
		END { print n + 0 }' "$source")
	[ "$lines" -le 60 ] || fail "$source has $lines lines of code"
	grep -qF "]($source)" README.md || fail "$source is not in examples/README.md"
done
grep -oE '\]\([^)#]+' README.md | cut -c3- | sort -u >"$dir/linked"
while IFS= read -r file; do
	[ -e "$file" ] || fail "examples/README.md names $file, which is not there"
done <"$dir/linked"

# ---- how they build
cmake --install "$TUZA_BUILD_DIR" --prefix "$dir/installed" >"$dir/log" || {
	cat "$dir/log"
	fail "cmake --install"
	exit 1
}
PKG_CONFIG_PATH=$(dirname "$(find "$dir/installed" -name tuza.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs tuza)
http_flags=$(pkg-config --cflags --libs tuza-http 2>/dev/null) || http_flags=
tls_flags=$(pkg-config --cflags --libs tuza-tls 2>/dev/null) || tls_flags=
export flags http_flags tls_flags dir

built=0
for compiler in gcc clang; do
	command -v "$compiler" >/dev/null || continue
	# All of them in one command line would say less about which one failed.
	find . -name '*.c' | sort | xargs -P 2 -n 8 sh -c '
		compiler=$1
		shift
		for source; do
			program=$dir/$compiler$(echo "$source" | tr / _)
			libraries=$flags
			if grep -q "^#include <tuza/http" "$source"; then
				[ -n "$http_flags" ] || continue
				libraries="$http_flags $flags"
			fi
			if grep -q "^#include <tuza/tls" "$source"; then
				[ -n "$tls_flags" ] || continue
				libraries="$tls_flags $libraries"
			fi
			# shellcheck disable=SC2086 # flags are meant to be split
			"$compiler" -Wall -Wextra -Werror "$source" -o "$program" $libraries \
				2>"$program.log" || {
				echo "failed: $compiler $source"
				cat "$program.log"
				exit 1
			}
		done' sh "$compiler" || failed=1
	echo "built with $compiler"
	built=1
done
[ $built = 1 ] || exit 77

# The first one runs, too, with the installed shared library, and one that starts itself again.
LD_LIBRARY_PATH=$(pkg-config --variable=libdir tuza)
export LD_LIBRARY_PATH
for program in "$dir"/*._01_hello.c; do
	"$program" | grep -q '^Hello, Oslo' || fail "$(basename "$program") says no hello"
done
for program in "$dir"/*._pitfalls_01_deadlock.c; do
	"$program" 2>"$dir/log" | grep -q '^wrong: exit status 2' ||
		fail "$(basename "$program") finds no deadlock"
	grep -q 'all goroutines are asleep' "$dir/log" || fail "its report is not to be seen"
done
exit $failed
