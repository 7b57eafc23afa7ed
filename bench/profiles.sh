#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/profiles.sh [BUILD]: what profiles and traces cost, measured with the library in BUILD
# (build/release); and what Go's traces cost, where Go 1.25 is.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${CC:-cc}" -O2 -g -Iinclude bench/profiles.c "$build/libtuza.a" -lpthread -ldl -o "$dir/profiles"
if go version >/dev/null 2>&1 && (cd bench/gotrace && GOTOOLCHAIN=local go build -o "$dir/gotrace"); then
	"$dir/gotrace" "${TUZA_MAXPROCS:-0}"
fi
"$dir/profiles"
