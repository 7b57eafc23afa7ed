#!/bin/sh
# SPDX-License-Identifier: MIT
#
# LLDB with tools/lldb/tuza_lldb.py: goroutines of a live process and of a core file, as threads and by
# its commands, with the static library and with a shared one that was stripped; what it prints of
# channels, locks and contexts. Skips without an LLDB that has its Python.
set -u

command -v lldb >/dev/null || {
	echo "skipped: no lldb"
	exit 77
}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0
fail() {
	echo "failed: $1"
	failed=1
}
# Another python3 before the system's hides LLDB's module from it.
for python in /usr/lib/llvm-*/lib/python3.[0-9]*/dist-packages; do
	[ ! -d "$python" ] || PYTHONPATH=$python
done
PATH=/usr/bin:/bin:$PATH
export PATH ${PYTHONPATH+PYTHONPATH}
lldb -b -x -o "script print(lldb.SBDebugger.Create().IsValid())" </dev/null >"$dir/out" 2>&1
grep -q '^True' "$dir/out" || {
	echo "skipped: this lldb has no Python"
	exit 77
}
debug() {
	TUZA_MAXPROCS=1 timeout 100 lldb -b -x -o "command script import $extension/tuza_lldb.py" \
		"$@" </dev/null >"$dir/out" 2>"$dir/errors"
}
shows() {
	grep -Eq "$2" "$dir/out" || fail "$what: no line matches \"$2\" ($1)"
}
# The number of the goroutine that waits for this reason.
number_of() {
	sed -n "s/^[* ] *\([0-9]*\)  $1 .*/\1/p" "$dir/list" | head -n 1
}

check_output() {
	what=$1
	failed_before=$failed
	failed=0
	place='at parked\.c:[0-9]+'
	shows "its own goroutine" "^\* +1  running +(stop_here|program|__pthread_kill_implementation|[a-z_]*abort[a-z_]*|raise)"
	shows "a receiver" "^  +[0-9]+  chan receive on 0x[0-9a-f]+ +receive $place$"
	# LLDB 14 takes some functions' frames for larger than they are, and so loses those outside.
	somewhere='([a-z_]+ at [a-zA-Z_.]+:[0-9]+|0x[0-9a-f]+)$'
	shows "a locker" "^  +[0-9]+  sync.Mutex.Lock on 0x[0-9a-f]+ +$somewhere"
	shows "a waiter" "^  +[0-9]+  sync.WaitGroup.Wait on 0x[0-9a-f]+ +$somewhere"
	shows "a sleeper with a name" "^  +[0-9]+  sleep, name \"the sleeper\" +sleep_long $place$"
	shows "a select" "^  +[0-9]+  select +$somewhere"
	shows "one on another thread" "^  +[0-9]+  syscall +hold_on $place$"
	shows "a new one" "^  +[0-9]+  runnable +start_later $place \(not started\)$"
	shows "where a new one will begin" "^not started: start_later $place$"
	shows "its creator" "^created by program $place in goroutine 1$"
	shows "a goroutine among the threads" "thread #[0-9]+: tid = [0-9]+, .*name = 'goroutine [0-9]+ \[sleep, name \"the sleeper\"\]'"

	grep -E '^[* ] +[0-9]+  ' "$dir/out" >"$dir/list"
	receiver=$(number_of "chan receive")
	awk -v "n=${receiver:-none}" '/^goroutine / { inside = $2 == n } inside && /frame #/' "$dir/out" >"$dir/frames"
	[ "$(grep -c 'receive(depth=[012])' "$dir/frames")" = 3 ] || fail "$what: not three frames of receive"
	grep -Eq 'stop_here|main' "$dir/frames" && fail "$what: the thread's frames are shown"
	shows "a channel" "requests = 0x[0-9a-f]+ chan of 4 bytes, 0 of 0, 1 references, receivers: goroutine $receiver$"
	shows "a buffered channel" "replies = 0x[0-9a-f]+ chan of 8 bytes, 0 of 3,.* receivers: goroutine [0-9]+$"
	shows "a mutex" "mutex = locked, waited for by goroutine $(number_of sync.Mutex.Lock)$"
	shows "a rwmutex" "rwmutex = read-locked by 1$"
	shows "a waitgroup" "group = waits for 2, waited for by goroutine $(number_of sync.WaitGroup.Wait)$"
	shows "a semaphore" "semaphore = 7 of 7 free$"
	shows "a context" "context = 0x[0-9a-f]+ cancel context, ended with -[0-9]+, .*made by program $place$"
	shows "a local variable" "\(int\) (value|depth) = 0$"
	[ $failed = 0 ] || cat "$dir/out" "$dir/errors"
	[ $failed_before = 0 ] || failed=1
}
# $receiver's number is known after the first look only: 4 is the first that the program starts.
cat >"$dir/look.lldb" <<'END'
goroutines
goroutine all bt
target variable requests replies mutex rwmutex group semaphore context
goroutine 4 frame variable
thread list
END

compiler=${CC:-cc}
extension=$TUZA_SOURCE_DIR/tools/lldb
"$compiler" -std=gnu11 -g -O0 "$TUZA_SOURCE_DIR/tests/meta/parked.c" -o "$dir/static" \
	"-I$TUZA_SOURCE_DIR/include" "$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl || exit 1
echo "static library"
debug -o "breakpoint set -n stop_here" -o run -o "command source $dir/look.lldb" \
	-o "process save-core $dir/core" -o kill "$dir/static"
if grep -Eq 'Operation not permitted|personality set failed|could not launch|unable to' "$dir/out" "$dir/errors" &&
	! grep -q 'stop reason = breakpoint' "$dir/out"; then
	echo "skipped: lldb may not trace processes here"
	exit 77
fi
check_output "static library, live"

# The kernel's own core file, where it would lie in the current folder.
case $(cat /proc/sys/kernel/core_pattern) in
core | core.%p)
	echo "core file of an abort"
	mkdir "$dir/ended"
	(
		cd "$dir/ended" || exit
		# shellcheck disable=SC3045 # an extension that dash and bash have
		ulimit -c unlimited && TUZA_MAXPROCS=1 "$dir/static" >/dev/null 2>&1
	)
	core=$(find "$dir/ended" -name 'core*')
	if [ -n "$core" ]; then
		debug -o "target create --core $core $dir/static" -o "command source $dir/look.lldb"
		check_output "core file of an abort"
	else
		echo "skipped: it was not written"
	fi
	;;
esac

if [ -e "$TUZA_BUILD_DIR/libtuza.so" ]; then
	echo "stripped shared library, the extension as installed"
	cmake --install "$TUZA_BUILD_DIR" --prefix "$dir/usr" >/dev/null || fail "cmake --install"
	extension=$dir/usr/share/tuza
	library=$(dirname "$(find "$dir/usr" -name libtuza.so)")
	strip --strip-unneeded "$library/libtuza.so"
	"$compiler" -std=gnu11 -g -O0 "$TUZA_SOURCE_DIR/tests/meta/parked.c" -o "$dir/shared" \
		"-I$dir/usr/include" "-L$library" -ltuza "-Wl,-rpath,$library" -pthread || exit 1
	debug -o "breakpoint set -n stop_here" -o run -o "command source $dir/look.lldb" -o kill "$dir/shared"
	check_output "stripped shared library, live"
fi

# A program without tuza: said, not shown as an error of Python's.
echo 'int main(void) { return 0; }' >"$dir/plain.c"
"$compiler" -g "$dir/plain.c" -o "$dir/plain" || exit 1
debug -o "breakpoint set -n main" -o run -o goroutines -o "thread list" -o kill "$dir/plain"
what="no tuza"
cat "$dir/errors" >>"$dir/out"
shows "a reason" '^error: No goroutines: '
grep -q Traceback "$dir/out" && fail "an error of Python's"
exit $failed
