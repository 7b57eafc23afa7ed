#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The drivers of die/ and examples/ fail when they should: a driver that always passes would make
# those tests worthless.
set -u
tools=$TUZA_SOURCE_DIR/tools
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

failed=0
# ends STATUS WHAT DRIVER SCRIPT: with standard input as the source and SCRIPT as the program.
ends() {
	cat >"$dir/source.c"
	"$tools/$3" "$dir/source.c" sh -c "$4" >"$dir/log" 2>&1
	status=$?
	if [ $status != "$1" ]; then
		echo "failed: $2: status $status, wanted $1"
		cat "$dir/log"
		failed=1
	fi
}

ends 0 "the right end" run_die.sh 'echo "panic: [x] *" >&2; echo out; exit 2' <<'END'
// expect-status: 2
// expect-stderr: panic: [x] *
// expect-stdout: out
// expect-not-stderr: goroutine 2
END
ends 1 "another status" run_die.sh 'echo panic >&2; exit 1' <<'END'
// expect-status: 2
// expect-stderr: panic
END
ends 1 "a text that is missing" run_die.sh 'echo one >&2; exit 2' <<'END'
// expect-status: 2
// expect-stderr: one
// expect-stderr: two
END
ends 1 "a text on the wrong stream" run_die.sh 'echo one; exit 2' <<'END'
// expect-status: 2
// expect-stderr: one
END
ends 1 "a text that must not be there" run_die.sh 'echo one >&2; exit 2' <<'END'
// expect-status: 2
// expect-not-stderr: one
END
ends 1 "two blank lines" run_die.sh 'printf "a\n\n\nb\n" >&2; exit 2' <<'END'
// expect-status: 2
// expect-stderr: a
END
ends 1 "no expectation" run_die.sh 'exit 2' </dev/null
ends 0 "death by a signal" run_die.sh 'kill -ABRT $$' <<'END'
// expect-status: 134
END
ends 0 "an environment" run_die.sh '[ "$TUZA_X" = "a b" ] && exit 2' <<'END'
// expect-status: 2
// env: TUZA_X=a b
END
ends 77 "a skipped program" run_die.sh 'exit 77' <<'END'
// expect-status: 2
END

ends 0 "the right output" run_example.sh 'echo b; echo a' <<'END'
/* Output:
b
a
 */
END
ends 1 "another order" run_example.sh 'echo a; echo b' <<'END'
/* Output:
b
a
 */
END
ends 0 "any order" run_example.sh 'echo a; echo b' <<'END'
/* Output (any order):
b
a
 */
END
ends 1 "one line too many" run_example.sh 'echo a; echo b; echo b' <<'END'
/* Output (any order):
b
a
 */
END
ends 1 "output where none is wanted" run_example.sh 'echo a' <<'END'
/* Output:
 */
END
ends 1 "a bad status" run_example.sh 'exit 3' </dev/null

exit $failed
