#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/profiles.sh [BUILD]: what profiles cost, measured with the library in BUILD (build/release).
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${CC:-cc}" -O2 -g -Iinclude bench/profiles.c "$build/libtuza.a" -lpthread -ldl -o "$dir/profiles"
"$dir/profiles"
