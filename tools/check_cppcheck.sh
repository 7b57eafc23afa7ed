#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_cppcheck.sh: cppcheck over the library's sources, as they are compiled on this CPU.
#
# Suppressed: offsetof in CONTAINER_OF, which it takes for arithmetic on a null pointer; a va_end that
# nobody reaches; frames and waiters, which are linked into lists from the stack and out again.
set -u
cd "$(dirname "$0")/.." || exit 1
cpu=$(uname -m)

others=
for folder in src/arch/*/; do
	[ "$folder" = "src/arch/$cpu/" ] || others="$others -i$folder"
done
# shellcheck disable=SC2086 # several options
cppcheck --enable=warning,performance,portability --inline-suppr --quiet --error-exitcode=1 \
	-j "$(nproc)" --std=c11 --language=c --platform=unix64 \
	-Iinclude -Isrc "-Isrc/arch/$cpu" "-D__${cpu}__=1" -D__linux__=1 -D__GNUC__=12 \
	'-D__builtin_expect(x, y)=(x)' -D_GNU_SOURCE=1 \
	-DTUZA_DEBUG_CHECKS=1 -DTUZA_HAVE_LIBBACKTRACE=1 \
	--suppress=missingIncludeSystem --suppress=nullPointerArithmetic \
	--suppress=va_end_missing --suppress=autoVariables $others src
