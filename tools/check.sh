#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check.sh BUILD: everything that can be said about the code without running it. Each check is
# a script of its own, tools/check_*.sh, to be called alone while working.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/release}

failed=
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# check WHAT SCRIPT ARGUMENT...
check() {
	what=$1
	shift
	printf '%-22s' "$what"
	if "$@" >"$log" 2>&1; then
		echo ok
	else
		echo FAILED
		sed 's/^/    /' "$log"
		failed="$failed $what,"
	fi
}

check "format" tools/check_format.sh
check "layers" tools/check_layers.sh
check "barrier labels" tools/check_barriers.sh
check "headers" tools/check_headers.sh
check "exported symbols" tools/check_symbols.sh "$build"
check "scripts" tools/check_scripts.sh
check "cppcheck" tools/check_cppcheck.sh
check "tuza-vet" tools/check_vet.sh "$build"
check "clang-tidy" tools/check_tidy.sh "$build"

[ -z "$failed" ] || {
	echo "failed:${failed%,}"
	exit 1
}
