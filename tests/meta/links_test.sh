#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every link between the documents leads somewhere: to a file that exists and, behind a #, to a
# heading of it. What they name in passing is there, too: files of the tree, and functions, types,
# macros and variables by their full names.
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$TUZA_SOURCE_DIR" || exit 1
failed=0

# Without what is shown as code.
prose() { awk '/^```/ { code = !code; next } !code' "$1"; }

# The anchors of a page, as those who show it make them: lower case, blanks as hyphens, no
# punctuation.
anchors() {
	prose "$1" | sed -n 's/^##* *//p' | sed 's/\[\([^]]*\)\]([^)]*)/\1/g' | tr '[:upper:]' '[:lower:]' |
		sed 's/[^[:alnum:] _-]//g; s/ /-/g'
}

# Prints what is wrong with a link of a page; nothing if it is right.
look() { # PAGE LINK
	file=${2%%#*}
	target=$1
	[ -z "$file" ] || target=$(dirname "$1")/$file
	if [ ! -e "$target" ]; then
		echo "$1: $2 is not there"
	elif [ "$file" != "$2" ] && ! anchors "$target" | grep -qxF -- "${2#*#}"; then
		echo "$1: $2 has no such heading"
	fi
}

# The files that a page names by a path from the root or from src/, as code. X stands for any name;
# Go's own sources are not here.
named_files() {
	prose "$1" | grep -oE '`[a-z]+/[A-Za-z0-9_./-]+\.(c|h|S|sh|py|awk|md|txt)`' | tr -d '\`' |
		grep -vE '(^|/)X[._]|^sys/sdt\.h$' | sort -u
}
look_file() { # PAGE PATH
	[ -e "$2" ] || [ -e "src/$2" ] || [ -e "include/$2" ] || [ -e "$(dirname "$1")/$2" ] ||
		[ -e "tests/$2" ] || echo "$1: $2 is not there"
}

names() { grep -rohwE '(tuza|TUZA)_[A-Za-z0-9_]*[A-Za-z0-9]' "$@" | sort -u; }
names include src tools tests/meta tests/*.[ch] cmake CMakeLists.txt >"$dir/known"
look_names() { names "$1" | comm -23 - "$dir/known" | sed "s|^|$1: nothing is called |"; }

# A broken link is found, or this test says nothing.
printf '# A heading, `code`\n[a](#a-heading-code) [b](#b) [c](c.md)\n' >"$dir/page.md"
[ "$(look "$dir/page.md" '#a-heading-code'; look "$dir/page.md" '#b'; look "$dir/page.md" c.md)" = \
	"$dir/page.md: #b has no such heading
$dir/page.md: c.md is not there" ] || { echo "broken links are not found" && failed=1; }
printf 'See `src/sched/park.c`, `sched/park.h`, `sched/gone.c`.\n' >"$dir/page.md"
[ "$(for file in $(named_files "$dir/page.md"); do look_file page "$file"; done)" = \
	"page: sched/gone.c is not there" ] || { echo "files that are gone are not found" && failed=1; }
echo "tuza_run, tuza""_gone" >"$dir/page.md"
[ "$(look_names "$dir/page.md")" = "$dir/page.md: nothing is called tuza""_gone" ] ||
	{ echo "names that are gone are not found" && failed=1; }

find . -name '*.md' -not -path './build/*' -not -path './.git/*' | sort >"$dir/pages"
while read -r page; do
	prose "$page" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//' | grep -v '^[a-z]*:' | sort -u |
		while read -r link; do look "$page" "$link"; done
	for file in $(named_files "$page"); do look_file "$page" "$file"; done
done <"$dir/pages" >"$dir/broken"
while read -r page; do
	look_names "$page"
done <"$dir/pages" >>"$dir/broken"
if [ -s "$dir/broken" ]; then
	cat "$dir/broken"
	failed=1
fi
echo "$(wc -l <"$dir/pages") pages"
exit $failed
