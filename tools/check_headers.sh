#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_headers.sh: each public header compiles alone, without a warning, as C11 and as C++17,
# with gcc and with clang.
set -u
cd "$(dirname "$0")/.." || exit 1

# compile LANGUAGE COMPILER FLAG...
compile() {
	language=$1
	compiler=$2
	shift 2
	command -v "$compiler" >/dev/null || {
		echo "$compiler is missing"
		return 1
	}
	failed=0
	for header in include/tuza/*.h; do
		echo "#include <tuza/$(basename "$header")>" |
			"$compiler" -x "$language" "$@" -Wall -Wextra -Wpedantic -Wshadow -Werror \
				-Iinclude -fsyntax-only - || {
			echo "$header does not compile alone: $compiler $*"
			failed=1
		}
	done
	return $failed
}

compilers=
for standard in c11 gnu11 gnu17; do
	for compiler in gcc clang; do
		compile c $compiler -std=$standard -Wmissing-prototypes &
		compilers="$compilers $!"
	done
done
for standard in c++17 gnu++17; do
	for compiler in g++ clang++; do
		compile c++ $compiler -std=$standard &
		compilers="$compilers $!"
	done
done
failed=0
for one in $compilers; do
	wait "$one" || failed=1
done
exit $failed
