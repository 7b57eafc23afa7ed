#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tuza-check on its own site: what it writes in each format, how it ends, what it goes on with.
set -u

app=$TUZA_BUILD_DIR/apps/tuza-check
export no_proxy='*'
[ -x "$app" ] || {
	echo "tuza-check is not built here"
	exit 77
}
dir=$(mktemp -d) || exit 1
server=
# shellcheck disable=SC2317 # called by the trap
finish() {
	[ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server"
	rm -rf "$dir"
}
trap finish EXIT
failed=0
fail() {
	echo "failed: $1"
	for file in out err; do
		[ -s "$dir/$file" ] && sed "s/^/    $file: /" "$dir/$file" | head -n 20
	done
	failed=1
}
# check STATUS WHAT ARGUMENT...: runs it; its outputs are in $dir/out and $dir/err.
check() {
	want=$1
	what=$2
	shift 2
	timeout 60 "$app" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	[ "$got" = "$want" ] || fail "$what: status $got instead of $want"
}
# wait_for FILE PATTERN: until a line is there, for at most 20 s.
wait_for() {
	for _ in $(seq 200); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.1
	done
	fail "no line \"$2\" in $1"
}
lines() { wc -l <"$1" | tr -d ' '; }

# ---- usage
check 0 "--help" --help
grep -q '^Usage: tuza-check' "$dir/out" || fail "--help has no usage"
check 0 "--version" --version
for wrong in "--concurrency 0" "--timeout soon" "--timeout 1e-10" "--format xml" "--nonsense" "-H none" \
	"-H :none" "--rate -1"; do
	# shellcheck disable=SC2086 # an option and its argument
	check 2 "$wrong" $wrong
	[ -s "$dir/err" ] || fail "$wrong: no complaint"
done
check 2 "two headers in one" -H "$(printf 'A: b\r\nC: d')" http://127.0.0.1:1/
check 2 "two user agents in one" --user-agent "$(printf 'a\r\nC: d')" http://127.0.0.1:1/
if [ -e /dev/full ]; then
	"$app" --help >/dev/full 2>&1
	[ $? = 1 ] || fail "--help that was not written: status"
fi
echo http://127.0.0.1:1/ >"$dir/one"
check 2 "resuming by the input" -f "$dir/one" --resume "$dir/one"
check 2 "writing to the input" -f "$dir/one" -o "$dir/one"
check 2 "resuming by the results" --resume "$dir/two" -o "$dir/two" http://127.0.0.1:1/
[ "$(cat "$dir/one")" = http://127.0.0.1:1/ ] || fail "the input was written to"
for option in $("$app" --help | grep -o -- "--[a-z1-9-]*" | sort -u); do
	sed 's/\\-/-/g' "$TUZA_SOURCE_DIR/docs/man/tuza-check.1" | grep -q -- "$option" ||
		fail "$option is not in the man page"
done

# ---- the site, as it is meant
check 0 "no URLs"
grep -q '45 as they are meant, 0 not' "$dir/err" || fail "the site is not as it is meant"
[ "$(lines "$dir/out")" = 46 ] || fail "the table has $(lines "$dir/out") lines"
grep -q '^p50\|^latency: p50 .*p90 .*p99 .*max' "$dir/err" || fail "no percentiles"

# ---- a server to check
# In the foreground for those that get signals: else timeout sends each twice, to the group as well,
# and the second one ends a program that has heard the first.
timeout --foreground 1000 "$app" --serve >"$dir/urls" 2>"$dir/served" &
server=$!
wait_for "$dir/urls" '/hang/0'
base=$(sed -n '1s|/fast.*||p' "$dir/urls")

check 0 "one that is fine" "$base/fast/1"
check 1 "one that is missing" "$base/fast/1" "$base/missing/0"
grep -q '^HTTP 404 ' "$dir/out" || fail "the table has no 404"
grep -q '1  HTTP 404' "$dir/err" || fail "the summary has no 404"
check 1 "nobody there" --retries 0 http://127.0.0.1:1/
grep -q '1  connection refused' "$dir/err" || fail "the summary does not say refused"
check 1 "no URL" --format csv 127.0.0.1:1
grep -q '^127.0.0.1:1,false,0,GET 127.0.0.1:1: not an http: or https: URL,1,' "$dir/out" ||
	fail "what is no URL is not told so"
{
	echo "$base/fast/1"
	printf 'http://127.0.0.1:1/'
	head -c 200000 /dev/zero | tr '\0' x
	printf '\n%s/fast/2\n' "$base"
	head -c 70000 /dev/zero | tr '\0' y
} >"$dir/long"
check 1 "long lines" --format csv -f "$dir/long"
grep -q '^http://127.0.0.1:1/x*\.\.\.,false,0,a line of more than 64 KiB is no URL,1,' "$dir/out" ||
	fail "a long line is not told"
[ "$(grep -c '/fast/[12],true' "$dir/out")" = 2 ] || fail "a long line: not those around it"
grep -q '^4 checked, 2 failed' "$dir/err" || fail "a long line: not one result"
check 1 "no file" -f "$dir/none"
grep -q 'none: No such file' "$dir/err" || fail "a missing file is not named"

# ---- formats
check 1 "JSON lines" --format jsonl --retries 0 -q "$base/fast/1" "$base/cut/0" "$base/\"q"
[ "$(lines "$dir/out")" = 3 ] || fail "JSON: not three lines"
[ -s "$dir/err" ] && fail "--quiet is not"
if command -v python3 >/dev/null; then
	python3 - "$dir/out" <<'END' || fail "JSON: wrong"
import json, sys
by_url = {r["url"].split("/", 3)[3]: r for r in map(json.loads, open(sys.argv[1]))}
assert by_url["fast/1"]["ok"] and by_url["fast/1"]["bytes"] == 101, by_url
assert by_url["cut/0"]["error"].endswith("unexpected EOF"), by_url
assert by_url['"q']["status"] == 404 and not by_url['"q']["ok"], by_url
END
	check 0 "percentiles" --format jsonl "$base/slow/0" "$base/slow/9"
	python3 - "$dir/out" "$dir/err" <<'END' || fail "percentiles: wrong"
import json, re, sys
least, most = sorted(json.loads(line)["ms"] for line in open(sys.argv[1]))
p50, p90 = map(float, re.search("p50 (.*) ms, p90 (.*) ms, p99", open(sys.argv[2]).read()).groups())
assert abs(p50 - least) < least / 16 + 0.1 and abs(p90 - most) < most / 16 + 0.1, (p50, p90, least, most)
END
fi
check 1 "CSV" --format csv --retries 0 -q "$base/fast/1" "$base/a,b" "$base/\"q"
head -n 1 "$dir/out" | grep -qx 'url,ok,status,error,attempts,ms,bytes' || fail "CSV: no heading"
grep -q "^\"$base/a,b\",false,404,,1," "$dir/out" || fail "CSV: no quotes for a comma"
grep -q "^\"$base/\"\"q\",false,404" "$dir/out" || fail "CSV: no quotes for a quote"

check 1 "a table" -q "$(printf '%s/\033[31mr\302\233d\377/\303\244' "$base")"
grep -q "/?\[31mr?d?/ä\$" "$dir/out" || fail "a table: what commands terminals is in it"

# ---- retries, rate, input
check 0 "one that fails once" --format csv "$base/flaky/1"
grep -q '/flaky/1,true,200,,2,' "$dir/out" || fail "not two attempts"
check 0 "one that rests" --format csv -c 1 "$base/flaky/0" "$base/fast/1"
sed -n 3p "$dir/out" | grep -q '/flaky/0,true,200,,2,' || fail "one that rests holds up the next"
printf '# comment\n\n%s/fast/1\r\n  %s/fast/2\n%s/fast/3' "$base" "$base" "$base" >"$dir/in"
check 0 "a file" -q -f "$dir/in"
[ "$(lines "$dir/out")" = 4 ] || fail "a file: not three URLs"
"$app" -q -f - <"$dir/in" >"$dir/out" 2>"$dir/err" || fail "standard input"
[ "$(lines "$dir/out")" = 4 ] || fail "standard input: not three URLs"
mkfifo "$dir/pipe"
printf '%s/fast/1\n%s/fast/2\n' "$base" "$base" >"$dir/pipe" &
writer=$!
check 0 "a FIFO" -q -f "$dir/pipe"
wait "$writer"
[ "$(lines "$dir/out")" = 3 ] || fail "a FIFO: not two URLs"
check 0 "a compressed one" --format csv "$base/packed/1"
grep -q '/packed/1,true,200,,1,.*,25$' "$dir/out" || fail "a compressed one is unpacked"
check 1 "one that asks for an hour" --format csv "$base/busy/1"
grep -q '/busy/1,false,503,,1,' "$dir/out" || fail "one that asks for an hour is asked again"
printf '\357\273\277%s/fast/1\n\t%s/fast/2\t\n%s/fast/3\0x\n' "$base" "$base" "$base" >"$dir/odd"
check 1 "a byte order mark, tabs, a NUL" -q --format csv -f "$dir/odd"
[ "$(grep -c '/fast/[12],true,200' "$dir/out")" = 2 ] || fail "a byte order mark or tabs: no URL"
grep -q '/fast/3.x,false,0,' "$dir/out" || fail "a URL with a NUL is taken for another"
mkfifo "$dir/silent"
"$app" -f "$dir/silent" >"$dir/out" 2>"$dir/err" </dev/null &
run=$!
for _ in $(seq 200); do
	# shellcheck disable=SC2010 # what the links say
	ls -l "/proc/$run/fd" 2>/dev/null | grep -q silent && break
	sleep 0.1
done
kill -INT "$run"
(sleep 20 && kill -KILL "$run") >/dev/null 2>&1 &
watchdog=$!
wait "$run"
[ $? = 130 ] || fail "Ctrl-C while nobody writes: status"
kill "$watchdog" 2>/dev/null
grep -q interrupted "$dir/err" || fail "Ctrl-C while nobody writes: not told"
(
	# shellcheck disable=SC3045 # every sh has it
	ulimit -n 34
	exec timeout 60 "$app" -f "$dir/in" >"$dir/out" 2>"$dir/err"
) || fail "few files: status"
grep -q 'concurrency 1 instead of 64' "$dir/err" || fail "few files: not told"
start=$(date +%s%N)
check 0 "a rate" -q --rate 10 -f "$dir/in" -f "$dir/in"
[ $(($(date +%s%N) - start)) -ge 490000000 ] || fail "6 requests at 10 a second: too fast"

# ---- the ends: deadline, Ctrl-C, a reader that goes away
check 1 "a deadline" --deadline 2s --timeout 60s "$base/hang/0" "$base/fast/1"
grep -q '/fast/1$' "$dir/out" || fail "a deadline: what was done is not kept"
grep -q 'the deadline has passed, 1 or more' "$dir/err" || fail "a deadline: not told"

mkfifo "$dir/fifo"
timeout --foreground 60 "$app" --timeout 60s --resume "$dir/done" -f "$dir/fifo" >"$dir/out" 2>"$dir/err" &
run=$!
exec 4>"$dir/fifo" # stays open: more might come
printf '%s/fast/1\n%s/hang/0\n%s/fast/2\n' "$base" "$base" "$base" >&4
wait_for "$dir/out" '/fast/1$'
wait_for "$dir/out" '/fast/2$'
kill -INT "$run"
wait "$run"
status=$?
exec 4>&-
[ "$status" = 130 ] || fail "Ctrl-C: status $status"
grep -q '^2 checked, 0 failed' "$dir/err" || fail "Ctrl-C: no summary"
grep -q hang "$dir/out" && fail "Ctrl-C: a result that is none"
[ "$(sort "$dir/done")" = "$(printf '%s/fast/1\n%s/fast/2' "$base" "$base")" ] ||
	fail "Ctrl-C: what was done is not noted"

# ---- Ctrl-C while nobody reads: for two seconds at most
mkfifo "$dir/unread"
exec 5<>"$dir/unread" # both ends: it fills, and nobody reads
yes "$base/fast/1" | head -n 3000 >"$dir/in"
timeout --foreground 60 "$app" -q -f "$dir/in" >"$dir/unread" 2>"$dir/err" &
run=$!
read -r _ <&5 # it has begun
kill -INT "$run"
wait "$run"
status=$?
exec 5>&-
[ "$status" = 130 ] || fail "Ctrl-C while nobody reads: status $status"

# ---- going on where the disk was full: half a result is taken back
printf 'url,ok,status,error,attempts,ms,bytes\n%s/fast/1,true,200,,1,1.000,101\n%s/fas' \
	"$base" "$base" >"$dir/full"
printf '%s/fast/1\n' "$base" >"$dir/noted"
check 0 "a full disk" --format csv --resume "$dir/noted" -o "$dir/full" "$base/fast/1" "$base/fast/2"
[ "$(cut -d, -f1,2 "$dir/full" | sort)" = "$(printf '%s/fast/1,true\n%s/fast/2,true\nurl,ok' \
	"$base" "$base")" ] || fail "a full disk: the file is $(cat "$dir/full")"
head -c 9999 /dev/zero | tr '\0' x >"$dir/full" # nothing but half a line
check 0 "half a line" --format csv --resume "$dir/noted" -o "$dir/full" "$base/fast/3"
[ "$(cut -d, -f1,2 "$dir/full" | sort)" = "$(printf '%s/fast/3,true\nurl,ok' "$base")" ] ||
	fail "half a line: the file is $(head -c 300 "$dir/full")"

# ---- no standard output: no socket takes its number
timeout 60 "$app" -q "$base/fast/1" >&- 2>"$dir/err" </dev/null
status=$?
[ "$status" = 1 ] || fail "no standard output: status $status"
grep -q 'writing: Bad file descriptor' "$dir/err" || fail "no standard output: not told"

# ---- going on: the last line was cut off
printf '%s/fast' "$base" >>"$dir/done"
printf "$base/fast/%d\n" 1 2 3 4 >"$dir/in"
check 0 "going on" --format csv --resume "$dir/done" -o "$dir/more" -f "$dir/in"
[ "$(cut -d, -f1 "$dir/more" | sort)" = "$(printf '%s/fast/3\n%s/fast/4\nurl' "$base" "$base")" ] ||
	fail "going on: not the two that were left"
check 0 "nothing left" --format csv --resume "$dir/done" -o "$dir/more" -f "$dir/in"
[ "$(lines "$dir/more")" = 3 ] || fail "nothing left: it added something"
[ "$(sort -u "$dir/done" | wc -l)" = 4 ] || fail "the file of what is done: $(cat "$dir/done")"

# ---- the progress, on a terminal alone, where there is one to be had
if ! script -qec true "$dir/typescript" >/dev/null 2>&1 </dev/null; then
	echo "without the progress: there are no pseudo-terminals here"
else
	script -qec "'$app' --timeout 3s --retries 0 '$base/hang/0'" "$dir/typescript" \
		>/dev/null 2>&1 </dev/null
	grep -q 'done, 0 failed' "$dir/typescript" || fail "no progress on a terminal"
	script -qec "stty cols 12; '$app' --timeout 3s --retries 0 '$base/hang/0'" \
		"$dir/typescript" >/dev/null 2>&1 </dev/null
	grep -q '0 done, 0 f' "$dir/typescript" || fail "no progress on a narrow terminal"
	# Half is done; of the other half, 100,000, ten a second: 167 minutes, or some more or less.
	seq 200000 | sed "s|^|$base/fast/|" >"$dir/in"
	head -n 100000 "$dir/in" >"$dir/half"
	script -qec "'$app' -o '$dir/more' --rate 10 -d 1500ms --resume '$dir/half' -f '$dir/in'" \
		"$dir/typescript.left" >/dev/null 2>&1 </dev/null
	left=$(grep -o '[0-9]*:[0-9][0-9] left' "$dir/typescript.left" | head -n 1)
	[ "${left%%:*}" -ge 100 ] 2>/dev/null || fail "the time left of half the work: $left"
	grep -q '0 done, 0 fa' "$dir/typescript" && fail "the progress is wider than the terminal"
fi

kill -INT "$server"
wait "$server" || fail "the server's status"
server=
exit $failed
