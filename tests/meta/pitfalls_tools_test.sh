#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The tools that examples/pitfalls names find the wrong versions: compilers when they are compiled,
# the runtime's reports when they run. (ThreadSanitizer: pitfalls_race_test.sh. tuza-vet:
# vet_test.sh. The leak check, metrics and panics that are joined are part of the examples themselves.)
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
pitfalls=$TUZA_SOURCE_DIR/examples/pitfalls
built=$TUZA_BUILD_DIR/examples/pitfalls
failed=0
fail() {
	echo "failed: $1"
	[ ! -s "$dir/log" ] || sed 's/^/	/' "$dir/log"
	failed=1
}

# warns SOURCE FUNCTION PATTERN COMMAND...: COMMAND says a line with FILE:LINE inside FUNCTION and
# then PATTERN, and none in the right version.
warns() {
	source=$1 function=$2 pattern=$3
	shift 3
	"$@" -I"$TUZA_SOURCE_DIR/include" "$source" >"$dir/log" 2>&1
	for in_function in "$function" "$(echo "$function" | sed s/wrong/right/)"; do
		awk -v name="$in_function(" '
			index($0, name) && /^static/ { inside = 1 }
			inside { print FNR }
			/^}/ { inside = 0 }' "$source" >"$dir/lines"
		sed -n "s/^[^:]*:\([0-9]*\):.*$pattern.*/\1/p" "$dir/log" | sort -u >"$dir/warned"
		grep -qxFf "$dir/lines" "$dir/warned"
		case $?,$in_function in
		0,*wrong* | 1,*right*) ;;
		*) fail "$1 about $in_function of $(basename "$source")" ;;
		esac
	done
}

# reports SOURCE TEXT...: its wrong version, alone, ends with status 2 and says each TEXT.
reports() {
	program=$built/$1
	shift
	[ -x "$program" ] || return 0 # not built here
	"$program" wrong >"$dir/log" 2>&1
	status=$?
	[ $status = 2 ] || fail "$(basename "$program"): status $status"
	for text; do
		grep -qF -e "$text" "$dir/log" || fail "$(basename "$program") does not say \"$text\""
	done
}

# A context that is not freed on one way out. gcc knows who frees what since version 11.
if gcc -fanalyzer -c -x c /dev/null -o "$dir/object" 2>/dev/null &&
	[ "$(gcc -dumpversion | cut -d. -f1)" -ge 11 ]; then
	warns "$pitfalls/11_forgotten_cancel.c" wrong Wanalyzer-malloc-leak \
		gcc -O1 -fanalyzer -c -o "$dir/object"
	echo "gcc -fanalyzer finds the forgotten context"
	line=0
	# It knows everything that has one owner who must free it.
	while IFS='|' read -r type new free; do
		line=$((line + 1))
		cat <<END
int forgets$line(tuza_context *p, int early);
int forgets$line(tuza_context *p, int early)
{
	static char key;
	$type *made = $new;

	(void)p, (void)key;
	if (early)
		return 0;
	$free(made);
	return 1;
}
END
	done >"$dir/forgets" <<'END'
tuza_context|tuza_context_with_cancel(p)|tuza_context_free
tuza_context|tuza_context_with_deadline(p, 1)|tuza_context_free
tuza_context|tuza_context_with_timeout(p, 1)|tuza_context_free
tuza_context|tuza_context_with_deadline_cause(p, 1, 1)|tuza_context_free
tuza_context|tuza_context_with_timeout_cause(p, 1, 1)|tuza_context_free
tuza_context|tuza_context_with_value(p, &key, NULL)|tuza_context_free
tuza_context|tuza_context_with_value_free(p, &key, NULL, NULL)|tuza_context_free
tuza_context|tuza_context_without_cancel(p)|tuza_context_free
tuza_context|tuza_context_notify_signal(p, 2)|tuza_context_free
tuza_context_after|tuza_context_after_func(p, NULL, NULL)|tuza_context_after_stop
tuza_errgroup|tuza_errgroup_new(p)|tuza_errgroup_free
tuza_scope|tuza_scope_open(p)|tuza_scope_close
tuza_broadcast|tuza_broadcast_new(4)|tuza_broadcast_free
tuza_timer|tuza_timer_new(1)|tuza_timer_free
tuza_ticker|tuza_ticker_new(1)|tuza_ticker_free
END
	{
		echo '#include <tuza/tuza.h>'
		cat "$dir/forgets"
	} >"$dir/forgets.c"
	gcc -I"$TUZA_SOURCE_DIR/include" -O1 -fanalyzer -c -o "$dir/object" "$dir/forgets.c" >"$dir/log" 2>&1
	for number in $(seq "$(grep -c "made = " "$dir/forgets")"); do
		sed -n "/function .forgets$number.:/,/In function/p" "$dir/log" |
			grep -q 'Wanalyzer-malloc-leak' || fail "it does not find what forgets$number has made"
	done
	find "$TUZA_SOURCE_DIR/examples" -name '*.c' ! -name '11_forgotten_cancel.c' | sort |
		xargs -P 2 -n 8 sh -c 'for source; do
				gcc -I"$TUZA_SOURCE_DIR/include" -O1 -fanalyzer -c -o /dev/null "$source"
			done' sh >"$dir/log" 2>&1
	! grep -q 'Wanalyzer-malloc-leak' "$dir/log" || fail "it finds one in other examples, too"
fi

# A panic that nobody hears of; the example switches the warning off.
sed 's/^#pragma GCC diagnostic ignored.*//' "$pitfalls/10_swallowed_panic.c" >"$dir/10_swallowed_panic.c"
for compiler in gcc clang; do
	if command -v $compiler >/dev/null; then
		warns "$dir/10_swallowed_panic.c" wrong Wunused-result $compiler -Wall -c -o "$dir/object"
		echo "$compiler finds the swallowed panic"
	fi
done

# A lock that is kept on one way out.
if command -v clang >/dev/null; then
	warns "$pitfalls/14_lock_kept.c" withdraw_wrong "mutex 'lock' is " \
		clang -Wthread-safety -fsyntax-only
	echo "clang -Wthread-safety finds the lock that is kept"
fi

# A receiver that closes: where channels have types and directions there is no such function.
cat >"$dir/close.c" <<'EOF'
#include <tuza/tuza.h>
TUZA_CHAN_TYPE(numbers, int);
void sender_closes(numbers_sink c);
void sender_closes(numbers_sink c) { numbers_sink_close(c); }
#ifdef WRONG
void receiver_closes(numbers_source c);
void receiver_closes(numbers_source c) { numbers_source_close(c); }
#endif
EOF
compile() {
	"${CC:-cc}" -Wall -Wextra -Werror -fsyntax-only -I"$TUZA_SOURCE_DIR/include" "$@" \
		"$dir/close.c" >"$dir/log" 2>&1
}
compile || fail "a sender cannot close"
if compile -DWRONG || ! grep -q numbers_source_close "$dir/log"; then
	fail "a receiver can close"
fi

reports 01_deadlock "fatal error: all goroutines are asleep - deadlock!" "[chan send]:" "wrong("
reports 02_nil_channel "all goroutines are asleep - deadlock!" "[chan send (nil chan)]:"
reports 20_panic_in_goroutine "panic: an order of nothing" "risky(" "created by start_it"

# A sleep instead of a wait: they are still there at the end.
if [ -x "$built/18_sleep_to_wait" ]; then
	TUZA_DEBUG=leakcheck "$built/18_sleep_to_wait" >"$dir/log" 2>&1
	[ "$(grep -c '^fetch(' "$dir/log")" = 5 ] || fail "the leak check does not find five that sleep"
	echo "the leak check finds who was not waited for"
fi

# build NAME SED: a copy of a pitfall, changed, against the library of this build.
build() {
	sed "$2" "$pitfalls/$1.c" >"$dir/$1.c"
	"${CC:-cc}" -g -I"$TUZA_SOURCE_DIR/include" "$dir/$1.c" -o "$dir/program" \
		"$TUZA_BUILD_DIR/libtuza.a" -pthread -ldl >"$dir/log" 2>&1
}

# A goroutine for each item: a dump shows a hundred of them at the same place.
if build 08_unbounded_spawn 's/10 \* TUZA_MILLISECOND/TUZA_HOUR/'; then
	for seconds in 0.1 1 5 20; do
		timeout -s QUIT $seconds "$dir/program" 2>"$dir/log" >/dev/null
		count=$(grep -c '^query(' "$dir/log")
		[ "$count" -lt 100 ] || break
	done
	if [ "$count" = 100 ]; then
		echo "a dump finds a hundred queries"
	else
		fail "a dump shows $count queries"
	fi
elif [ -e "$TUZA_BUILD_DIR/libtuza.a" ]; then
	fail "08_unbounded_spawn is not built"
fi

# The order of a select's cases, looked at once: some seeds find it, and each does so again.
if build 21_order_of_cases 's/JOBS = 1000/JOBS = 1/'; then
	found=0
	for seed in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		for turn in 1 2 3; do
			TUZA_MAXPROCS=1 TUZA_DEBUG=chaos=$seed "$dir/program" >"$dir/turn$turn" 2>"$dir/log"
		done
		if ! cmp -s "$dir/turn1" "$dir/turn2" || ! cmp -s "$dir/turn2" "$dir/turn3"; then
			fail "the seed $seed gives one schedule, then another"
		fi
		found=$((found + $(grep -c "wrong: some are done" "$dir/turn1")))
	done
	if [ $found = 0 ] || [ $found = 20 ]; then
		fail "$found of 20 seeds find it"
	fi
	echo "$found of 20 seeds find who relies on the order of cases, again and again"
elif [ -e "$TUZA_BUILD_DIR/libtuza.a" ]; then
	fail "21_order_of_cases is not built"
fi
exit $failed
