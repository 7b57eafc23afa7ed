#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_tidy.sh BUILD [FILE...]: clang-tidy over the library's sources (.clang-tidy says what
# it looks for), with the flags they are built with.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/release}
[ $# -gt 0 ] && shift

# clang stops at the flags that only gcc knows.
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
sed 's/ -fno-tree-loop-distribute-patterns//g' "$build/compile_commands.json" \
	>"$database/compile_commands.json"

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	grep -o '"file": "[^"]*/src/[^"]*\.c"' "$build/compile_commands.json" | cut -d'"' -f4 | sort -u
fi | xargs -r -P "$(nproc)" -n 1 clang-tidy -p "$database" --quiet --warnings-as-errors='*' \
	--extra-arg=-Wno-unknown-warning-option 2>/dev/null
