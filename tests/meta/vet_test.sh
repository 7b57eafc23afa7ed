#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tuza-vet reports each line of tests/vet that says "// want CHECK" for that check, and no other; the
# wrong versions of examples/pitfalls that a reader could see, and none of the right ones. What it is
# told of compilers' flags, and what it ends with. (tools/check_vet.sh: nothing in the whole tree.)
set -u

for tool in clang python3; do
	command -v $tool >/dev/null || {
		echo "skipped: no $tool"
		exit 77
	}
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
	echo "failed: $1"
	[ ! -s "$dir/log" ] || sed 's/^/	/' "$dir/log"
	failed=1
}
vet=$TUZA_SOURCE_DIR/tools/vet/tuza-vet
include=-I$TUZA_SOURCE_DIR/include

# "FILE:LINE CHECK" of what was reported; exit status STATUS is wanted.
run() {
	wanted_status=$1
	shift
	"$vet" "$@" >"$dir/log" 2>&1
	status=$?
	[ $status = "$wanted_status" ] || fail "tuza-vet $*: exit status $status, not $wanted_status"
	sed -n 's/^\(.*\):\([0-9]*\):[0-9]*: .* (\([a-z]*\))$/\1:\2 \3/p' "$dir/log" |
		sed 's|^.*/||' | sort -u >"$dir/found"
}

# ---- each check, on what is wrong and what is right
cd "$TUZA_SOURCE_DIR/tests/vet" || exit 1
grep -n '// want [a-z]*$' ./*.c |
	sed 's|^\./\([^:]*\):\([0-9]*\):.*// want \(.*\)$|\1:\2 \3|' | sort -u >"$dir/wanted"
run 1 ./*.c -- "$include"
diff "$dir/wanted" "$dir/found" >"$dir/log" || fail "other lines than those that say \"want\""
echo "$(grep -c . "$dir/found") lines are reported, as they are to be"
run 1 -c defersend others.c -- "$include"
[ "$(cat "$dir/found")" = "$(grep -n 'on-demand' others.c | sed 's/^\([0-9]*\):.*/others.c:\1 defersend/')" ] ||
	fail "defersend"
run 1 -c copylocks,donecond ./*.c -- "$include"
if grep -qv -e copylocks -e donecond "$dir/found"; then fail "others than those that were chosen"; fi
run 1 -x lostcancel ./*.c -- "$include"
if grep -q lostcancel "$dir/found"; then fail "one that was left out"; fi

# ---- the pitfalls
cd "$TUZA_SOURCE_DIR/examples/pitfalls" || exit 1
run 1 ./*.c -- "$include"
cut -d: -f1 "$dir/found" | sort -u >"$dir/files"
for file in 06_loop_variable 07_waitgroup_add 09_after_in_loop 10_swallowed_panic \
	11_forgotten_cancel 13_mutex_copied 17_done_is_a_channel 18_sleep_to_wait; do
	grep -qxF $file.c "$dir/files" || fail "$file is not found"
	echo "found: $file"
done
[ "$(grep -c . "$dir/files")" = 8 ] || fail "another one is reported, too"

# ---- databases of compile commands, flags, failures
cat >"$dir/lib.h" <<'END'
int twice(int n);
END
cat >"$dir/prog.c" <<'END'
#include "lib.h"
#include <tuza/tuza.h>
int look(tuza_context *ctx) { return tuza_context_done(ctx) ? twice(WIDTH) : 0; }
int twice(int n) { return 2 * n; }
END
cat >"$dir/compile_commands.json" <<END
[{"directory": "$dir", "file": "prog.c",
  "command": "gcc '$include' -DWIDTH='(3 + 4)' -O2 -fno-such-flag -Wall -MD -MF x.d -o prog.o -c prog.c"}]
END
run 1 -p "$dir"
[ "$(cat "$dir/found")" = "prog.c:3 donecond" ] || fail "a database"
run 1 -p "$dir/compile_commands.json" "$dir"
run 0 -p "$dir" "$dir/elsewhere"
run 0 -c lostcancel "$dir/prog.c" -- "$include" -DWIDTH=1
run 2 "$dir/prog.c" -- "$include"
grep -q "prog.c:3:.*WIDTH" "$dir/log" || fail "what the compiler says is not shown"
run 2 -c nosuchcheck "$dir/prog.c"
run 2 -p "$dir/nowhere"
run 2 --clang /nonexistent "$dir/prog.c"
run 2

# ---- clang-tidy, as it is configured for programs
if command -v clang-tidy >/dev/null; then
	cat >"$dir/tidy.c" <<'END'
#include <tuza/tuza.h>
void start(void (*fn)(void *), tuza_goroutine *g);
void start(void (*fn)(void *), tuza_goroutine *g)
{
	tuza_go(fn, NULL);
	(void)tuza_go(fn, NULL);
	tuza_join(g);
	if (tuza_go(fn, NULL) != 0)
		tuza_panic("out of memory");
}
END
	clang-tidy --quiet --config-file="$TUZA_SOURCE_DIR/tools/vet/clang-tidy" "$dir/tidy.c" \
		-- "$include" >"$dir/log" 2>&1
	sed -n 's/.*tidy.c:\([0-9]*\):.*unused-return-value.*/\1/p' "$dir/log" >"$dir/lines"
	[ "$(paste -sd ' ' "$dir/lines")" = "5 7" ] || fail "clang-tidy"
fi

# ---- as it is installed
cmake --install "$TUZA_BUILD_DIR" --prefix "$dir/installed" >"$dir/log" || fail "cmake --install"
vet=$dir/installed/bin/tuza-vet
run 1 "$dir/prog.c" -- "-I$dir/installed/include" -DWIDTH=1
[ "$(cat "$dir/found")" = "prog.c:3 donecond" ] || fail "the installed one"
exit $failed
