#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tuza-serve, and through it the server, as curl sees it: files, keep-alive, uploads that are refused,
# a gentle end.
set -u
serve=$TUZA_BUILD_DIR/apps/tuza-serve
command -v curl >/dev/null || {
	echo "no curl"
	exit 77
}
[ -x "$serve" ] || {
	echo "$serve is not built"
	exit 77
}

dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
failed=0
# expect WHAT WANTED GOT
expect() {
	[ "$2" = "$3" ] || {
		echo "failed: $1: got \"$3\", want \"$2\""
		sed 's/^/	/' "$dir/log"
		failed=1
	}
}

mkdir "$dir/files" "$dir/files/sub"
echo index >"$dir/files/index.html"
echo below >"$dir/files/sub/index.html"
awk 'BEGIN { for (i = 0; i < 200000; i++) print i }' >"$dir/files/large.txt"

"$serve" 127.0.0.1:0 "$dir/files" 2>"$dir/log" &
pid=$!
tries=0
until grep -q '^serving' "$dir/log" 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || {
		echo "failed: it does not start"
		cat "$dir/log"
		exit 1
	}
	sleep 0.1
done
url=$(sed -n 's/^serving .* at \(.*\)\/$/\1/p' "$dir/log")
# get ARGUMENT...: never longer than 20 s
get() { curl --silent --show-error --max-time 20 --noproxy '*' "$@"; }

expect "the index" index "$(get "$url/")"
expect "a directory" below "$(get --location "$url/sub")"
get "$url/large.txt" >"$dir/got"
cmp -s "$dir/got" "$dir/files/large.txt" || expect "a large file" same different
expect "two on one connection" "200 1 200 0 " \
	"$(get -o /dev/null -o /dev/null -w '%{http_code} %{num_connects} ' "$url/" "$url/sub/")"
expect "HEAD" 1288890 "$(get --head "$url/large.txt" | tr -d '\r' | sed -n 's/^Content-Length: //p')"
expect "no such file" 404 "$(get -o /dev/null -w '%{http_code}' "$url/none")"
expect "nothing above" 404 "$(get --path-as-is -o /dev/null -w '%{http_code}' "$url/%2e%2e/log")"
expect "an upload" 405 "$(get -o /dev/null -w '%{http_code}' --data-binary "@$dir/files/large.txt" "$url/x")"
expect "a chunked upload" 405 "$(get -o /dev/null -w '%{http_code}' -H 'Transfer-Encoding: chunked' \
	--data-binary "@$dir/files/large.txt" "$url/x")"
expect "HTTP/1.0" 200 "$(get --http1.0 -o /dev/null -w '%{http_code}' "$url/")"
expect "the status" '"goroutines"' "$(get "$url/api/status" | grep -o '"goroutines"')"

kill -TERM "$pid"
wait "$pid"
expect "the end" 0 $?
pid=
expect "nobody serves" 000 "$(get -o /dev/null -w '%{http_code}' "$url/" 2>/dev/null)"
exit $failed
