#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_format.sh: clang-format agrees, lines end at column 100 (a tab is 8) without trailing
# space, the licence is the first line, and nobody left a note to himself.
# `make format` does what clang-format can do.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
fail_if_any() {
	[ -s "$dir/found" ] || return 0
	sed "s|\$|: $1|" "$dir/found"
	failed=1
}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

list() {
	for folder in include src apps tests examples bench tools cmake; do
		[ -d "$folder" ] && find "$folder" -type f
	done | LC_ALL=C sort
}
list | grep -E '\.(c|h|cpp)$' >"$dir/c"
{
	list | grep -E '\.(c|h|cpp|S|sh|cmake|py|map|in)$'
	echo CMakeLists.txt
	echo Makefile
	echo .ci/run
} >"$dir/all"

# Many files a process: clang-format starts up in the time that it takes for a file.
xargs -P "$(nproc)" -n 50 clang-format --dry-run -Werror <"$dir/c" 2>"$dir/errors" || echo failed >"$dir/status"
sed -nE 's/^([^:]+):[0-9]+:[0-9]+: error: .*/\1/p' "$dir/errors" | LC_ALL=C sort -u >"$dir/found"
fail_if_any "clang-format would change it (make format)"
if [ -f "$dir/status" ] && [ ! -s "$dir/found" ]; then
	cat "$dir/errors"
	failed=1
fi

xargs awk '
	FNR == 1 {
		if (NR > 1 && !has)
			print file
		file = FILENAME
		has = 0
	}
	FNR <= 2 && /SPDX-License-Identifier: MIT/ { has = 1 }
	END {
		if (!has)
			print file
	}' <"$dir/all" >"$dir/found"
fail_if_any "the first line is not the licence"

xargs grep -nE '[ 	]+$' <"$dir/all" | cut -d: -f1,2 >"$dir/found"
fail_if_any "trailing space"

# Comments are where long lines hide; strings and tables that must be long are not C sources' business.
LC_ALL=C xargs awk '
	{
		column = 0
		text = $0
		gsub(/[\200-\277]/, "", text) # bytes of UTF-8: only first ones count
		for (i = 1; i <= length(text); i++)
			column = substr(text, i, 1) == "\t" ? column + 8 - column % 8 : column + 1
		if (column > 100)
			printf "%s:%d\n", FILENAME, FNR
	}' <"$dir/c" >"$dir/found"
fail_if_any "longer than 100 columns"

# In brackets, so that this file does not accuse itself. A name of Go's is none.
{
	xargs grep -nwE '[T]ODO|[F]IXME|[X]XX|[H]ACK' <"$dir/all" | grep -v 'context[.][T]ODO'
	# TLS has some.
	grep -v tls <"$dir/all" | xargs grep -nwE '[S]ession|[s]ession'
} | cut -d: -f1,2 >"$dir/found"
fail_if_any "a note to oneself"

exit $failed
