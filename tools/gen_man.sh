#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/gen_man.sh OUT [VERSION]: writes the manual pages of the public headers to the folder OUT:
# tuza-chan.3 of tuza/chan.h and so on, a page for each function, type and macro that leads there,
# and tuza.3, the list of them all. The headers are the reference; the pages say what they say.
set -eu
out=${1:?where to}
version=${2:-}
cd "$(dirname "$0")/.."

mkdir -p "$out"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
: >"$dir/list"

for header in include/tuza/*.h; do
	name=$(basename "$header" .h)
	case $name in
	macros | sync_inline | tuza) continue ;; # nothing in them is for programs to name
	esac
	: >"$dir/names"
	awk -v page="tuza-$name" -v header="tuza/$name.h" -v version="$version" -v names="$dir/names" \
		-f tools/gen_man.awk "$header" >"$out/tuza-$name.3"
	sort -u "$dir/names" | while read -r alias; do
		echo ".so man3/tuza-$name.3" >"$out/$alias.3"
	done
	sed -n '/^\.SH NAME$/ { n; s/^tuza-[a-z_]* \\- //p; }' "$out/tuza-$name.3" >"$dir/title"
	printf '.TP\n.BR tuza\\-%s (3)\n%s\n' "$name" "$(cat "$dir/title")" >>"$dir/list"
done

{
	echo '.\" Made by tools/gen_man.sh.'
	printf '.TH TUZA 3 "" "tuza %s" "C library"\n' "$version"
	echo '.SH NAME'
	echo 'tuza \- goroutines, channels and select for C'
	echo '.SH SYNOPSIS'
	echo '.B #include <tuza/tuza.h>'
	echo '.PP'
	echo '.BI cc\  prog.c\  "$(pkg\-config \-\-cflags \-\-libs tuza)"'
	awk -v page=tuza -v header=tuza/tuza.h -v names=/dev/null -f tools/gen_man.awk \
		include/tuza/tuza.h | sed -n '/^\.SH DESCRIPTION$/,/^\.SH DECLARATIONS$/p' | sed '$d'
	echo '.SH PAGES'
	echo 'One for each header; each function, type and macro has a page that leads there.'
	cat "$dir/list"
} >"$out/tuza.3"
