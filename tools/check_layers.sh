#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_layers.sh: every #include "folder/file.h" in src/ goes where src/LAYERS lets it, and
# outside arch/, sys/ and base/compiler.h nothing is compiled by CPU, compiler or system.
set -u
cd "$(dirname "$0")/.." || exit 1

find src -name '*.[chS]' | LC_ALL=C sort | xargs awk '
	function fail(text) {
		printf "%s:%d: %s\n", FILENAME, FNR, text
		failed = 1
	}

	# ---- src/LAYERS, which is read first
	FILENAME == "src/LAYERS" {
		sub(/#.*/, "")
		if (!NF)
			next
		split($0, side, ":")
		count = split(side[1], left, " ")
		folder = left[count]
		words = split(side[2], right, " ")
		if (left[1] == "door")
			has_door[folder] = 1
		if (count == 1)
			layer[folder] = 1
		for (i = 1; i <= words; i++) {
			if (count == 1)
				may[folder, right[i]] = 1
			else
				rule[left[1], folder, right[i]] = 1
		}
		if (left[1] == "only")
			has_only[folder] = 1
		next
	}

	FNR == 1 {
		split(FILENAME, part, "/")
		here = part[2]
		if (!(here in layer))
			fail("the folder \"" here "\" is not in src/LAYERS")
		may_choose = here == "arch" || here == "sys" || FILENAME == "src/base/compiler.h"
	}

	/^[ \t]*#[ \t]*include[ \t]*"/ {
		split($0, quoted, "\"")
		header = quoted[2]
		if (split(header, part, "/") < 2) {
			# A bare name: a header of arch/<cpu>, found by the include path, or libbacktrace.
			if (header ~ /^arch_/)
				there = "arch"
			else if (header == "backtrace.h")
				next
			else {
				fail("write \"folder/" header "\"")
				next
			}
		} else
			there = part[1]
		module = header
		sub(/\.h$/, "", module)
		if (there == here)
			next
		else if (!((here SUBSEP there) in may))
			fail(here " may not include " header)
		else if (module in has_only) {
			if (!(("only" SUBSEP module SUBSEP here) in rule))
				fail(header " is not for " here)
		} else if (there in has_door && !(("key" SUBSEP there SUBSEP here) in rule)) {
			sub(/^[^\/]*\//, "", module)
			if (!(("door" SUBSEP there SUBSEP module) in rule))
				fail(header " is not a door of " there)
		}
	}

	# ---- #if by platform
	!may_choose && /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)([ \t]|$)/ {
		condition = $0
		sub(/^[ \t]*#[ \t]*(ifndef|ifdef|elif|if)/, "", condition)
		sub(/\/[\/*].*/, "", condition)
		words = split(condition, word, /[^A-Za-z0-9_]+/)
		for (i = 1; i <= words; i++)
			if ((word[i] ~ /^_/ || word[i] ~ /^(linux|unix|[A-Z]*_?(CLANG|GCC|GNUC))$/) &&
			    word[i] !~ /^(__cplusplus|__has_include|_GNU_SOURCE)$/)
				fail("#if by " word[i] " belongs in arch/, sys/ or base/compiler.h")
	}

	END { exit failed }
' src/LAYERS
