#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ThreadSanitizer finds the data races of examples/pitfalls, in the wrong versions and nowhere else;
# with clang and with gcc, whichever there are and can link for it.
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
pitfalls=$TUZA_SOURCE_DIR/examples/pitfalls
failed=0

# race SOURCE WRONG RIGHT [SED]: a race is reported in the function WRONG, none in RIGHT. SED changes
# the source before.
race() {
	sed "${4:-}" "$pitfalls/$1.c" >"$dir/$1.c"
	"$compiler" -g -O1 -fsanitize=thread -I"$TUZA_SOURCE_DIR/include" "$dir/$1.c" \
		-o "$dir/program" "$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl 2>"$dir/log" || {
		echo "failed: $compiler does not build $1"
		cat "$dir/log"
		failed=1
		return
	}
	# Accesses at the very same time are missed now and then.
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		"$dir/program" >"$dir/output" 2>&1
		status=$?
		[ $status = 0 ] || break
	done
	if [ "$status" = 66 ] && grep -q "data race .* in $2\$" "$dir/output" &&
		! grep -q " in $3\$" "$dir/output"; then
		echo "$compiler: $1: found"
	else
		echo "failed: $compiler: $1: status $status, wanted a race in $2 and none in $3"
		cat "$dir/output"
		failed=1
	fi
}

export TSAN_OPTIONS=exitcode=66
found=0
echo 'int main(void) { return 0; }' >"$dir/probe.c"
for compiler in clang gcc; do
	if ! "$compiler" -fsanitize=thread "$dir/probe.c" -o "$dir/probe" 2>/dev/null ||
		! "$dir/probe" >/dev/null 2>&1; then
		echo "$compiler: no ThreadSanitizer here"
		continue
	fi
	found=1
	# Without the wait that makes its luck certain; the loop is program's.
	race 06_loop_variable '\(print_there\|program\)' print '/tuza_recv(start/d'
	race 12_data_race visit_wrong visit_right
	race 13_mutex_copied deposit_wrong deposit_right
done
[ $found = 1 ] || exit 77
exit $failed
