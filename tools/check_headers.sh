#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_headers.sh: each public header compiles alone, without a warning, as C11 and as C++17,
# with gcc and with clang.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
# compile LANGUAGE COMPILER FLAG...
compile() {
	language=$1
	compiler=$2
	shift 2
	command -v "$compiler" >/dev/null || {
		echo "$compiler is missing"
		failed=1
		return
	}
	for header in include/tuza/*.h; do
		echo "#include <tuza/$(basename "$header")>" |
			"$compiler" -x "$language" "$@" -Wall -Wextra -Wpedantic -Wshadow -Werror \
				-Iinclude -fsyntax-only - || {
			echo "$header does not compile alone: $compiler $*"
			failed=1
		}
	done
}

for standard in c11 gnu11 gnu17; do
	compile c gcc -std=$standard -Wmissing-prototypes
	compile c clang -std=$standard -Wmissing-prototypes
done
for standard in c++17 gnu++17; do
	compile c++ g++ -std=$standard
	compile c++ clang++ -std=$standard
done
exit $failed
