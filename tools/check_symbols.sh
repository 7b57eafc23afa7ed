#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_symbols.sh BUILD: what the built libraries show to the world.
#
#   - libtuza.so exports tuza_* alone, libtuza.a defines tuza_* alone and is one object; so are
#     libtuza-http.* with tuza_http_*, libtuza-tls.* with tuza_tls_*
#   - what is exported is declared in a public header, and what is declared is exported
#   - no executable stack, no text relocations; full RELRO, nodelete; libc (and libtuza, libcurl,
#     OpenSSL) is all they need
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/release}

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export LC_ALL=C
failed=0
fail() {
	echo "$1"
	failed=1
}
# fail_each TEXT FILE: one failure per line of FILE.
fail_each() {
	while IFS= read -r name; do
		fail "$name: $1"
	done <"$2"
}

# ---- what the headers declare: functions as the compiler sees them, data as it is written
for header in include/tuza/*.h; do
	echo "#include <tuza/$(basename "$header")>"
done >"$dir/all.c"
gcc -std=gnu11 -Iinclude -fsyntax-only -aux-info "$dir/prototypes" "$dir/all.c" || exit 1
{
	grep 'include/tuza/' "$dir/prototypes" | grep -v '\*/ static' |
		sed -n 's/.*[ *]\(tuza_[a-z0-9_]*\) (.*/\1/p'
	sed -n 's/^extern "C" .*[ *]\(tuza_[a-z0-9_]*\)(.*/\1/p' include/tuza/*.h # for C++ alone
	sed -n 's/^extern .*[ *]\(tuza_[a-z0-9_]*\)\(\[.*\)\{0,1\};.*/\1/p' include/tuza/*.h
} | sort -u >"$dir/declared"
sed -n 's/^TUZA_PART_INLINE_ .*[ *]\(tuza_[a-z0-9_]*\)(.*/\1/p' include/tuza/*.h | sort -u >"$dir/inline"
comm -23 "$dir/declared" "$dir/inline" >"$dir/all_declared"

# library NAME PREFIX NEEDED: libNAME.so and libNAME.a; NEEDED, a pattern, is what the first may need.
library() {
	name=lib$1
	shared=$build/$name.so
	static=$build/$name.a
	for file in "$shared" "$static"; do
		[ -e "$file" ] || {
			echo "$file is not built"
			exit 1
		}
	done

	nm -D --defined-only "$shared" | awk '{ print $NF }' | sed 's/@.*//' | sort -u >"$dir/exported"
	nm -g --defined-only "$static" | awk 'NF >= 3 { print $3 }' | sort -u >"$dir/archived"
	grep -v "^$2" "$dir/exported" >"$dir/foreign"
	fail_each "$name.so exports it" "$dir/foreign"
	grep -v "^$2" "$dir/archived" >"$dir/foreign"
	fail_each "$name.a defines it globally" "$dir/foreign"
	comm -3 "$dir/exported" "$dir/archived" | tr -d '\t' >"$dir/different"
	fail_each "is in one of $name.so and $name.a" "$dir/different"

	if [ "$1" = tuza ]; then
		grep -v '^tuza_\(http\|tls\)_' "$dir/all_declared" >"$dir/declared"
	else
		grep "^$2" "$dir/all_declared" >"$dir/declared"
	fi
	comm -23 "$dir/exported" "$dir/declared" >"$dir/undeclared"
	fail_each "exported and declared in no public header" "$dir/undeclared"
	comm -13 "$dir/exported" "$dir/declared" >"$dir/undefined"
	fail_each "declared in a public header and not exported" "$dir/undefined"

	[ "$(ar t "$static" | wc -l)" -le "$4" ] || fail "$static holds more objects than $4"
	readelf -WS "$static" | grep -q '\.note\.GNU-stack .* X' && fail "$static asks for an executable stack"
	readelf -WS "$static" | grep -q '\.note\.GNU-stack' || fail "$static has no .note.GNU-stack"

	readelf -Wl "$shared" >"$dir/segments"
	readelf -Wd "$shared" >"$dir/dynamic"
	grep -q 'GNU_STACK.* RW  ' "$dir/segments" || fail "$shared: GNU_STACK is not RW"
	grep -q 'GNU_RELRO' "$dir/segments" || fail "$shared: no RELRO"
	grep -q 'LOAD.* RWE ' "$dir/segments" && fail "$shared: a segment is writable and executable"
	grep -q 'TEXTREL' "$dir/dynamic" && fail "$shared: text relocations"
	grep -q 'FLAGS_1.*NOW' "$dir/dynamic" || fail "$shared: not bound at load"
	grep -q 'FLAGS_1.*NODELETE' "$dir/dynamic" || fail "$shared: dlclose may unload it"
	grep -q 'SONAME.*'"$name"'\.so\.[0-9]' "$dir/dynamic" || fail "$shared: no soname"
	sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' "$dir/dynamic" |
		grep -Ev "^(libc\.so\.6|ld-linux-.*)\$|$3" >"$dir/needed"
	fail_each "$shared needs this library" "$dir/needed"
}

library tuza tuza_ '^$' 1
library tuza-http tuza_http_ '^lib(tuza|curl)\.so\.[0-9]*$' 2
library tuza-tls tuza_tls_ '^lib(tuza|ssl|crypto)\.so\.[0-9]*$' 1

exit $failed
