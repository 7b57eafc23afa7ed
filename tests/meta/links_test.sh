#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every link between the documents leads somewhere: to a file that exists and, behind a #, to a
# heading of it.
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

# A broken link is found, or this test says nothing.
printf '# A heading, `code`\n[a](#a-heading-code) [b](#b) [c](c.md)\n' >"$dir/page.md"
[ "$(look "$dir/page.md" '#a-heading-code'; look "$dir/page.md" '#b'; look "$dir/page.md" c.md)" = \
	"$dir/page.md: #b has no such heading
$dir/page.md: c.md is not there" ] || { echo "broken links are not found" && failed=1; }

find . -name '*.md' -not -path './build/*' -not -path './.git/*' | sort >"$dir/pages"
while read -r page; do
	prose "$page" | grep -oE '\]\([^) ]+\)' | sed 's/^](//; s/)$//' | grep -v '^[a-z]*:' | sort -u |
		while read -r link; do look "$page" "$link"; done
done <"$dir/pages" >"$dir/broken"
if [ -s "$dir/broken" ]; then
	cat "$dir/broken"
	failed=1
fi
echo "$(wc -l <"$dir/pages") pages"
exit $failed
