#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gdb with tools/gdb/tuza-gdb.py: goroutines of a live process and of a core file, with the static
# library and with a shared one that was stripped; what it prints of channels, locks and contexts.
set -u

command -v gdb >/dev/null || {
	echo "skipped: no gdb"
	exit 77
}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

cp "$TUZA_SOURCE_DIR/tests/meta/parked.c" "$dir"

failed=0
fail() {
	echo "failed: $1"
	failed=1
}
# Fixed settings, so that no user's own are read, nothing is fetched and nothing asked.
debug() {
	TUZA_MAXPROCS=1 timeout 100 gdb -q -batch -nx -iex "set debuginfod enabled off" \
		-iex "set auto-load off" -ex "source $TUZA_SOURCE_DIR/tools/gdb/tuza-gdb.py" \
		"$@" </dev/null >"$dir/out" 2>&1
}
# shows WHAT PATTERN: a line of gdb's output matches.
shows() {
	grep -Eq "$2" "$dir/out" || {
		fail "$what: no line matches \"$2\" ($1)"
	}
}
# The number of the goroutine that stands in FUNCTION.
number_of() {
	sed -n "s/^[* ] *\([0-9]*\)  .*  $1 at .*parked\.c:.*/\1/p" "$dir/list" | head -n 1
}
# goroutine N's own part of `goroutine all bt`, the frames' functions alone.
frames_of() {
	awk -v "n=$1" '/^goroutine / { inside = $2 == n } inside && /^#/' "$dir/out" |
		sed -e 's/^#[0-9]* *\(0x[0-9a-f]* in \)\{0,1\}//' -e 's/ (.*//'
}

# What is to be seen, live and in a core: in `info goroutines`, `goroutine all bt` and prints.
check_output() {
	what=$1
	failed_before=$failed
	failed=0
	place='at .*parked\.c:[0-9]+'
	shows "its own goroutine" "^\* +1  running +(stop_here|program|__pthread_kill_implementation|[a-z_]*abort[a-z_]*|raise) at .*$"
	shows "a receiver" "^  +[0-9]+  chan receive on 0x[0-9a-f]+ +receive $place$"
	shows "a locker" "^  +[0-9]+  sync.Mutex.Lock on 0x[0-9a-f]+ +lock $place$"
	shows "a waiter" "^  +[0-9]+  sync.WaitGroup.Wait on 0x[0-9a-f]+ +wait_for_group $place$"
	shows "a sleeper with a name" "^  +[0-9]+  sleep, name \"the sleeper\" +sleep_long $place$"
	shows "a select" "^  +[0-9]+  select +choose $place$"
	shows "one on another thread" "^  +[0-9]+  syscall +hold_on $place$"
	shows "a new one" "^  +[0-9]+  runnable +start_later $place \(not started\)$"
	shows "where a new one will begin" "^not started: start_later $place$"
	shows "its creator" "^created by program $place in goroutine 1$"

	grep -E '^[* ] +[0-9]+  ' "$dir/out" >"$dir/list"
	receiver=$(number_of receive)
	frames_of "${receiver:-none}" >"$dir/frames"
	[ "$(grep -c '^receive$' "$dir/frames")" = 3 ] || fail "$what: not three frames of receive"
	# Behind the goroutine's function there is its root, of which a stripped library has no name.
	tail -n 2 "$dir/frames" >"$dir/last"
	grep -q '^arch_start$' "$dir/last" || [ "$named" = no ] || fail "$what: no root"
	grep -Eq '^(stop_here|main)$' "$dir/frames" && fail "$what: the thread's frames are shown"
	[ "$(head -n 1 "$dir/last")" = receive ] || fail "$what: it does not stop at the root"
	grep -q '^Backtrace stopped' "$dir/out" && fail "$what: unwinding was cut short"

	shows "a channel" "^\\$.* = 0x[0-9a-f]+: chan of 4 bytes, 0 of 0, 1 references, receivers: goroutine $receiver$"
	shows "a buffered channel" "^\\$.* = 0x[0-9a-f]+: chan of 8 bytes, 0 of 3,.* receivers: goroutine $(number_of choose)$"
	shows "a nil channel" "^\\$.* = nil$"
	shows "a mutex" "^\\$.* = locked, waited for by goroutine $(number_of lock)$"
	shows "a rwmutex" "^\\$.* = read-locked by 1$"
	shows "a waitgroup" "^\\$.* = waits for 2, waited for by goroutine $(number_of wait_for_group)$"
	shows "a semaphore" "^\\$.* = 7 of 7 free$"
	shows "a context" "^\\$.* = 0x[0-9a-f]+: cancel context, ended with -[0-9]+, .*made by program $place$"
	shows "a local variable" "^\\$.* = 42$"
	shows "the argument of a selected goroutine" "^\\$.* = 41$"
	shows "frames are the thread's again" "^back: .*(stop_here|abort|raise|kill)"
	[ $failed = 0 ] || cat "$dir/out"
	[ $failed_before = 0 ] || failed=1
}

cat >"$dir/look.gdb" <<'END'
info goroutines
goroutine all bt
print requests
print replies
print nil
print mutex
print rwmutex
print group
print semaphore
print context
python
choosing = [g.id for g in goroutines() if g.reason == "select"][0]
gdb.execute("goroutine %d print v" % choosing)
gdb.execute("goroutine %d" % choosing)
gdb.execute("print marked_argument")
gdb.execute("goroutine off")
print("back: " + gdb.newest_frame().name())
end
END
cat >"$dir/live.gdb" <<END
set breakpoint pending on
break stop_here
run
source $dir/look.gdb
goroutine core $dir/core
kill
END

look_at() {
	echo "$1"
	rm -f "$dir/core"
	debug -x "$dir/live.gdb" "$2"
	if grep -Eq 'ptrace: Operation not permitted|Could not trace the inferior' "$dir/out"; then
		echo "skipped: gdb may not trace processes here"
		exit 77
	fi
	check_output "$1, live"
	if [ ! -s "$dir/core" ]; then
		fail "$1: no core file"
		cat "$dir/out"
		return
	fi
	debug -x "$dir/look.gdb" "$2" "$dir/core"
	check_output "$1, core"
}

compiler=${CC:-cc}
"$compiler" -std=gnu11 -g -O0 "$dir/parked.c" -o "$dir/static" "-I$TUZA_SOURCE_DIR/include" \
	"$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl || exit 1
named=yes
look_at "static library" "$dir/static"

shared=$TUZA_BUILD_DIR/libtuza.so
if [ -e "$shared" ]; then
	strip --strip-unneeded -o "$dir/libtuza.so" "$shared"
	"$compiler" -std=gnu11 -g -O0 "$dir/parked.c" -o "$dir/shared" "-I$TUZA_SOURCE_DIR/include" \
		"-L$dir" -ltuza "-Wl,-rpath,$dir" -pthread || exit 1
	"$compiler" -std=gnu11 -g -O0 "$dir/parked.c" -o "$dir/shared_plain" \
		"-I$TUZA_SOURCE_DIR/include" "-L$dir" -ltuza -pthread || exit 1
	ln -s libtuza.so "$dir/$(readelf -Wd "$shared" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')"
	named=no
	look_at "stripped shared library" "$dir/shared"

	echo "loaded with the library"
	# As it is installed: what gdb's own prefix is with PREFIX=/usr, this one is here.
	cmake --install "$TUZA_BUILD_DIR" --prefix "$dir/usr" >/dev/null || fail "cmake --install"
	TUZA_MAXPROCS=1 LD_LIBRARY_PATH=$(dirname "$(find "$dir/usr" -name libtuza.so)") timeout 100 \
		gdb -q -batch -nx -iex "set debuginfod enabled off" \
		-iex "set auto-load scripts-directory $dir/usr/share/gdb/auto-load" \
		-iex "set auto-load safe-path $dir/usr/share/gdb/auto-load" \
		-ex "break stop_here" -ex run -ex "info goroutines" -ex kill "$dir/shared_plain" \
		</dev/null >"$dir/out" 2>&1
	what="installed"
	shows "what was loaded by itself" "^  +[0-9]+  chan receive on 0x[0-9a-f]+ +receive at "
fi

# The kernel's own core file, where it would lie in the current folder.
case $(cat /proc/sys/kernel/core_pattern) in
core | core.%p)
	echo "core file of an abort"
	named=yes
	mkdir "$dir/ended"
	(
		cd "$dir/ended" || exit
		# shellcheck disable=SC3045 # an extension that dash and bash have
		ulimit -c unlimited && TUZA_MAXPROCS=1 "$dir/static" >/dev/null 2>&1
	)
	if [ -n "$(ls "$dir/ended")" ]; then
		debug -x "$dir/look.gdb" "$dir/static" "$dir"/ended/core*
		check_output "core file of an abort"
	else
		echo "skipped: it was not written"
	fi
	;;
esac

# A program without tuza: said, not shown as an error of Python's.
echo 'int main(void) { return 0; }' >"$dir/plain.c"
"$compiler" -g "$dir/plain.c" -o "$dir/plain" || exit 1
debug -ex "break main" -ex run -ex "info goroutines" -ex "print 1 + 1" "$dir/plain"
what="no tuza"
shows "a reason" '^No goroutines: '
grep -q Traceback "$dir/out" && fail "an error of Python's"
exit $failed
