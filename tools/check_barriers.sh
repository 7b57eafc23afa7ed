#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_barriers.sh: every ordered atomic operation names its partner.
#
# An operation that ends in _acquire, _release, _acq_rel or _seq_cst needs a label in parentheses, as
# in "// (runq-tail) pairs with …", in a comment on its line or at most three lines above (a comment
# counts as one line), and the label must stand at both ends: on two lines of src/ and include/ at least. A run of
# operations, one close below the other, shares the label of the first. No fences, and in src/ no
# atomics but those of base/atomic.h.
set -u
cd "$(dirname "$0")/.." || exit 1

# The files are read twice: first for the labels, then for the operations.
files=$(find src include -name '*.[ch]' ! -path src/base/atomic.h | LC_ALL=C sort)
[ -n "$files" ] || exit 0
# shellcheck disable=SC2086
awk '
	function fail(text) {
		printf "%s:%d: %s\n", FILENAME, FNR, text
		failed = 1
	}

	# The comment and the code of this line, block comments over several lines included.
	function split_line(line,    at) {
		code = comment = ""
		while (line != "") {
			if (inside) {
				at = index(line, "*/")
				if (!at) {
					comment = comment line
					return
				}
				comment = comment substr(line, 1, at - 1)
				line = substr(line, at + 2)
				inside = 0
			} else {
				at = match(line, /\/[\/*]/)
				if (!at) {
					code = code line
					return
				}
				code = code substr(line, 1, at - 1)
				if (substr(line, at, 2) == "//") {
					comment = comment substr(line, at)
					return
				}
				line = substr(line, at + 2)
				comment = comment "//"
				inside = 1
			}
		}
	}

	FNR == 1 {
		inside = 0
		pass = (FILENAME in seen) ? 2 : 1
		seen[FILENAME] = 1
		for (i = 1; i <= 3; i++)
			above[i] = ""
	}

	{
		split_line($0)
		labels = ""
		rest = comment
		opens = comment ~ /^[ \t\/*]*\([a-z][a-z0-9-]*\)/
		while (match(rest, /\([a-z][a-z0-9-]*\)/)) {
			label = substr(rest, RSTART + 1, RLENGTH - 2)
			labels = labels " " label
			rest = substr(rest, RSTART + RLENGTH)
			if (pass == 1)
				lines_with[label]++
			else if (opens && lines_with[label] < 2)
				fail("the label (" label ") stands at one end only")
			opens = 0
		}
	}

	pass == 2 {
		ordered = 0
		if (code ~ /atomic_thread_fence|__sync_synchronize/)
			fail("no stand-alone fences: ThreadSanitizer cannot see them")
		else if (code ~ /atomic_signal_fence/)
			ordered = 1 # the compiler alone is held; the CPU by a membarrier at the other end
		else if (FILENAME !~ /^include/ && code ~ /(__atomic_|__sync_|stdatomic\.h|[^a-zA-Z0-9_]_Atomic[^a-zA-Z0-9_])/)
			fail("atomics only through base/atomic.h")
		if (code ~ /(load|store|exchange|cas|add|sub|or|and)_(acquire|release|acq_rel|seq_cst)[ \t]*\(/)
			ordered = 1
		if (ordered) {
			count = split(labels above[1] above[2] above[3], near, " ")
			paired = 0
			for (i = 1; i <= count; i++)
				if (lines_with[near[i]] >= 2) {
					paired = 1
					labels = labels " " near[i] # holds for the next operations too
				}
			if (!paired)
				fail("an ordered operation without the (label) of its partner")
		}
		if (code ~ /^[ \t]*$/ && comment != "")
			above[1] = above[1] labels # a comment is one line, however long it is
		else {
			above[3] = above[2]
			above[2] = above[1]
			above[1] = labels
		}
	}

	END { exit failed }
' $files $files
