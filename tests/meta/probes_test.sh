#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The static probes: both libraries have each of docs/PROBES.md, with the semaphore that switches them
# on; gdb stops at them; and where bpftrace may run, the scripts of tools/bpftrace see what a program
# does, and no probe is on before and after.
set -u

dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$dir"' EXIT
failed=0
fail() {
	echo "failed: $1"
	[ ! -s "$dir/out" ] || sed 's/^/	/' "$dir/out" | head -n 60
	failed=1
}

cat >"$dir/prog.c" <<'END'
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_mutex the_lock;

static void hold(int i)
{
	(void)i;
	TUZA_LOCK(&the_lock);
	tuza_sleep(TUZA_MILLISECOND);
}
static void pass_on(tuza_chan *in, tuza_chan *out)
{
	while (tuza_recv(in, NULL))
		tuza_chan_send(out, NULL);
}
static void fails(void *text) { tuza_panic("%s", (char *)text); }

// For as long as it is let: until its input ends.
static int program(void *arg)
{
	tuza_chan *in = tuza_chan_new(0, 0), *out = tuza_chan_new(0, 0);

	(void)arg;
	go(pass_on, in, out);
	for (int i = 0;; i++) {
		go(hold, i);
		tuza_chan_send(in, NULL);
		tuza_chan_recv(out, NULL);
		if (tuza_try(fails, "this one", NULL) != TUZA_EPANIC)
			return 1;
		tuza_sleep(TUZA_MILLISECOND);
	}
}

int main(void) { return tuza_run(program, NULL); }
END
"${CC:-cc}" -g -I"$TUZA_SOURCE_DIR/include" "$dir/prog.c" -o "$dir/prog" \
	"$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl || exit 1

# ---- the notes
sed -n 's/^| \(`[a-z_`, ]*`\) | .*/\1/p' "$TUZA_SOURCE_DIR/docs/PROBES.md" | grep -o '[a-z_]*' |
	sort >"$dir/wanted"
for file in "$dir/prog" "$TUZA_BUILD_DIR/libtuza.so"; do
	[ -e "$file" ] || continue
	readelf -n "$file" >"$dir/out" 2>/dev/null
	grep -q 'Provider: tuza' "$dir/out" || {
		echo "skipped: the library was built without <sys/sdt.h>"
		exit 77
	}
	sed -n 's/.*Name: //p' "$dir/out" | sort >"$dir/names"
	diff "$dir/wanted" "$dir/names" >"$dir/diff" || {
		cp "$dir/diff" "$dir/out"
		fail "$file: other probes than those of docs/PROBES.md"
	}
	if grep 'Semaphore:' "$dir/out" | grep -q 'Semaphore: 0x0*$'; then
		fail "$file: a probe without a semaphore"
	fi
	echo "$(grep -c . "$dir/names") probes in $(basename "$file")"
done

# ---- gdb, which needs no rights beyond those to run the program
if command -v gdb >/dev/null; then
	timeout 100 gdb -q -batch -nx -iex "set debuginfod enabled off" -iex "set auto-load off" \
		-ex "set breakpoint pending on" -ex "break -probe-stap tuza:panic" -ex run \
		-ex 'printf "panic of %d: %s\n", $_probe_arg0, $_probe_arg1' -ex kill \
		"$dir/prog" </dev/null >"$dir/out" 2>&1
	if grep -Eq 'ptrace: Operation not permitted|Could not trace the inferior' "$dir/out"; then
		echo "gdb may not trace processes here"
	elif grep -q '^panic of 1: this one$' "$dir/out"; then
		echo "gdb stops at a probe and reads its arguments"
	else
		fail "gdb"
	fi
fi

# ---- bpftrace
if ! timeout 60 bpftrace -e 'BEGIN { printf("it works\n"); exit(); }' 2>/dev/null | grep -q "it works"; then
	echo "bpftrace: not here, or not for this user"
	exit $failed
fi
"$dir/prog" &
pid=$!
# look SCRIPT PATTERN...: within a few seconds, each of them is seen.
look() {
	script=$1
	shift
	for seconds in 2 5 20 60; do
		timeout -k 20 -s INT $seconds bpftrace -p $pid "$script" >"$dir/out" 2>"$dir/errors"
		missing=
		for pattern; do
			grep -Eq "$pattern" "$dir/out" || missing=$pattern
		done
		[ -n "$missing" ] || break
	done
	if [ -n "$missing" ]; then
		cat "$dir/errors" >>"$dir/out"
		fail "$(basename "$script"): no line matches \"$missing\""
	else
		echo "seen by ${script##*/}"
	fi
}
scripts=$TUZA_SOURCE_DIR/tools/bpftrace
look "$scripts/tuza-latency.bt" '^@waited_ns' '^@ran_ns' '\|@+'
look "$scripts/tuza-blocked.bt" '^@waited_us\[sleep\]' '^@waited_us\[chan (send|receive)\]' \
	'^@us_by_waiter_and_waker\[1, [1-9][0-9]*, chan' '^@us_by_waiter_and_waker\[1, 0, sleep\]'
look "$scripts/tuza-spawns.bt" '^@started\[program(\+[0-9]+)?, hold\]: [0-9]+' '^@ended: [0-9]+' '^@lived_us'
look "$scripts/tuza-panics.bt" 'goroutine 1: panic: this one$' '^@raised\[this one\]: [0-9]+'
kill -0 $pid 2>/dev/null || fail "the program did not survive it"
exit $failed
