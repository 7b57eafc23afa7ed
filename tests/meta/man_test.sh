#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The manual pages that are made of the headers: each exported function has one, its page declares
# it and says something of it, and groff finds nothing to complain of, where there is one.
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
	echo "failed: $1"
	failed=1
}

"$TUZA_SOURCE_DIR/tools/gen_man.sh" "$dir/man3" 0.0 || fail "gen_man.sh"

nm -g --defined-only "$TUZA_BUILD_DIR"/libtuza*.a 2>/dev/null |
	awk '$2 == "T" && $3 ~ /^tuza_/ && $3 !~ /_$/ { print $3 }' | sort -u >"$dir/functions"
[ "$(wc -l <"$dir/functions")" -gt 200 ] || fail "nm shows no functions"
while read -r name; do
	page=$dir/man3/$name.3
	[ -e "$page" ] || {
		fail "$name has no page"
		continue
	}
	there=$dir/$(sed -n 's/^\.so //p' "$page")
	sed 's/\\-/-/g' "$there" | awk -v name="$name" '
		/^\.ft B$/ { declares = 1; next }
		/^\.ft R$/ { declares = 0; next }
		declares && index($0, name "(") { found = 1 }
		END { exit !found }' || fail "$name is not declared in $there"
done <"$dir/functions"

# A macro, a type, a private name.
[ -e "$dir/man3/TUZA_SELECT.3" ] || fail "TUZA_SELECT has no page"
[ -e "$dir/man3/tuza_mutex.3" ] || fail "tuza_mutex has no page"
for page in "$dir"/man3/*_.3; do
	[ ! -e "$page" ] || fail "$(basename "$page") is private"
done

for header in "$TUZA_SOURCE_DIR"/include/tuza/*.h; do
	name=$(basename "$header" .h)
	case $name in macros | sync_inline | tuza) continue ;; esac
	for heading in NAME SYNOPSIS DESCRIPTION; do
		grep -q "^\.SH $heading$" "$dir/man3/tuza-$name.3" || fail "tuza-$name(3) has no $heading"
	done
done

if command -v groff >/dev/null; then
	for page in "$dir"/man3/tuza-*.3 "$dir/man3/tuza.3"; do
		groff -K utf8 -T utf8 -ww -man "$page" >"$dir/text" 2>"$dir/complaints"
		[ ! -s "$dir/complaints" ] || {
			fail "$(basename "$page"): $(head -n 1 "$dir/complaints")"
		}
	done
	groff -K utf8 -T utf8 -man -rHY=0 "$dir/man3/tuza-chan.3" 2>/dev/null | tr -s ' \n' ' ' |
		grep -q 'true with a value; false when' || fail "tuza_chan_recv: no Returns"
	groff -K utf8 -T utf8 -man "$dir/man3/tuza.3" 2>/dev/null | grep -q 'Blocks *does not wait' ||
		fail "tuza(3) does not tell what a page leaves out"
else
	echo "skipped: what groff thinks of them"
fi
exit $failed
