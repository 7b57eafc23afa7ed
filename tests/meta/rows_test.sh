#!/bin/sh
# SPDX-License-Identifier: MIT
#
# docs/GO-SEMANTICS.md tells what the names of Go's rows mean, X7 for one: each that a comment of the
# headers, the source or the tests uses is there, and the tests that a row names are, and name it.
# docs/RELIABILITY.md names tests as well, which are there; each of its lines has one, or says why not.
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# "FILE ROW" for each row that a comment names. C99 is the language; -O2 is none, being one word.
named() {
	find include src tests -name '*.[ch]' -exec awk '
		{
			text = $0
			if (!sub(/^[ \t]*\*/, "", text)) {
				if (!match(text, /\/\/|\/\*/))
					next
				text = substr(text, RSTART)
			}
			n = split(text, words, /[^A-Za-z0-9_.-]+/)
			for (i = 1; i <= n; i++) {
				sub(/\.+$/, "", words[i])
				if (words[i] ~ /^(TB[0-9]|[CDEKLMNOPRSVXZ][0-9][0-9]?|T[0-9][0-9]?\.[0-9][0-9]?)$/ &&
				    words[i] != "C99")
					print FILENAME, words[i]
			}
		}' {} + | sort -u
}

# Prints what is wrong with the tree at ROOT; nothing if it is right.
look() ( # ROOT
	cd "$1" || exit 1
	doc=docs/GO-SEMANTICS.md
	named >"$dir/named"
	sed -n 's/^| \([A-Z]*[0-9.]*\) | .* | \(.*\) |$/\1 \2/p' "$doc" >"$dir/rows"
	sed 's/ .*//' "$dir/rows" | sort >"$dir/ids"
	uniq -d "$dir/ids" | sed "s|.*|$doc: & is there twice|"
	while read -r file id; do
		grep -qxF "$id" "$dir/ids" || echo "$file: $id is not in $doc"
	done <"$dir/named"
	while read -r id tests; do
		for test in $(echo "$tests" | grep -oE '[a-z]+/[a-z0-9_/]+'); do
			if [ ! -e "tests/$test.c" ] && [ ! -e "tests/$test.sh" ]; then
				echo "$doc: $id: there is no test $test"
			elif [ "${tests#-}" = "$tests" ] && ! grep -qxF "tests/$test.c $id" "$dir/named"; then
				echo "$doc: $id: $test does not name it"
			fi
		done
	done <"$dir/rows"
)

# The same of docs/RELIABILITY.md, whose tests do not name its lines.
look_at_reliability() ( # ROOT
	cd "$1" || exit 1
	doc=docs/RELIABILITY.md
	sed -n 's/^| \([A-Z][0-9]*\) | .* |\([^|]*\)|$/\1\2/p' "$doc" >"$dir/bugs"
	sed 's/ .*//' "$dir/bugs" | sort | uniq -d | sed "s|.*|$doc: & is there twice|"
	while read -r id tests; do
		[ "${tests#- }" = "$tests" ] || continue
		found=$(echo "$tests" | sed 's/:.*//' | grep -oE '[a-z]+/[a-z0-9_/]+') ||
			echo "$doc: $id: no test"
		for test in $found; do
			[ -e "tests/$test.c" ] || [ -e "tests/$test.sh" ] ||
				echo "$doc: $id: there is no test $test"
		done
	done <"$dir/bugs"
)

# What is wrong is found, or this test says nothing.
mkdir -p "$dir/tree/docs" "$dir/tree/include" "$dir/tree/src" "$dir/tree/tests/api"
cat >"$dir/tree/docs/GO-SEMANTICS.md" <<'END'
| id | what Go does | tests |
|---|---|---|
| X1 | it waits | api/one_test |
| X2 | it ends | api/one_test, api/two_test |
| X3 | it sleeps | - see api/one_test |
| X3 | it sleeps | - see api/three_test |
END
cat >"$dir/tree/tests/api/one_test.c" <<'END'
// X1, T2.18: built with -O2 as C99, on X509.
int X9;
END
[ "$(look "$dir/tree")" = "docs/GO-SEMANTICS.md: X3 is there twice
tests/api/one_test.c: T2.18 is not in docs/GO-SEMANTICS.md
docs/GO-SEMANTICS.md: X2: api/one_test does not name it
docs/GO-SEMANTICS.md: X2: there is no test api/two_test
docs/GO-SEMANTICS.md: X3: there is no test api/three_test" ] || {
	echo "what is wrong is not found:"
	look "$dir/tree"
	exit 1
}

cat >"$dir/tree/docs/RELIABILITY.md" <<'END'
| | what happens | tests |
|---|---|---|
| R1 | it is lost | api/one_test: once, and/or twice |
| R2 | it hangs | api/one_test, stress/two_stress |
| R2 | it spins | |
| R3 | it breaks | - not ours |
END
[ "$(look_at_reliability "$dir/tree")" = "docs/RELIABILITY.md: R2 is there twice
docs/RELIABILITY.md: R2: there is no test stress/two_stress
docs/RELIABILITY.md: R2: no test" ] || {
	echo "what is wrong with tests of bugs is not found:"
	look_at_reliability "$dir/tree"
	exit 1
}

{
	look "$TUZA_SOURCE_DIR"
	look_at_reliability "$TUZA_SOURCE_DIR"
} >"$dir/wrong"
echo "$(wc -l <"$dir/bugs") kinds of bugs"
[ -s "$dir/bugs" ] || exit 1
echo "$(wc -l <"$dir/rows") rows, named $(wc -l <"$dir/named") times"
if [ -s "$dir/wrong" ] || [ ! -s "$dir/rows" ]; then
	cat "$dir/wrong"
	exit 1
fi
