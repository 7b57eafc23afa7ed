#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_vet.sh BUILD: tuza-vet finds nothing in the library, the programs and the examples; in
# examples/pitfalls it is to find something (tests/meta/vet_test.sh).
set -u

build=${1:-build/release}
found=$(mktemp) || exit 1
trap 'rm -f "$found"' EXIT
tools/vet/tuza-vet -p "$build" src apps examples >"$found"
[ $? -lt 2 ] || exit 1
if grep -v '^examples/pitfalls/' "$found"; then
	exit 1
fi
exit 0
