#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tuza-serve, and through it the server, as curl sees it: files, keep-alive, uploads that are refused,
# a gentle end; the same over TLS.
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

# start ARGUMENT...: starts it; $url says where.
start() {
	: >"$dir/log"
	"$serve" "$@" 127.0.0.1:0 "$dir/files" 2>"$dir/log" &
	pid=$!
	tries=0
	until grep -q '^serving' "$dir/log"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || {
			echo "failed: it does not start"
			cat "$dir/log"
			exit 1
		}
		sleep 0.1
	done
	url=$(sed -n 's/^serving .* at \(.*\)\/$/\1/p' "$dir/log")
}
"$serve" --help >"$dir/log" 2>&1
expect "--help" "0 usage:" "$? $(cut -d ' ' -f 1 "$dir/log")"
"$serve" --cert 2>"$dir/log"
expect "an option without its file" 2 $?
timeout 20 "$serve" 127.0.0.1:0 "$dir/files/index.html" 2>"$dir/log"
expect "a file instead of a directory" "1 $dir/files/index.html: not a directory" "$? $(cat "$dir/log")"
start
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

# drive NAME: by those that make load, where they are installed: nothing fails, all is answered.
drive() {
	if command -v wrk >/dev/null; then
		for seconds in 1 5 20; do # the machine may have much else to do
			wrk -t1 -c50 "-d$seconds" "$url/" >"$dir/load" 2>&1
			! awk '/requests in/ && $1 > 100 { exit 1 }' "$dir/load" || continue
			grep -q 'Socket errors.* timeout [1-9]' "$dir/load" || break
		done
		expect "$1: wrk has failures" "" "$(grep 'Non-2xx\|Socket errors' "$dir/load")"
		expect "$1: wrk is answered" 1 "$(awk '/requests in/ { print ($1 > 100) }' "$dir/load")"
	fi
	if command -v h2load >/dev/null; then
		h2load --h1 -n 3000 -c 20 "$url/" >"$dir/load" 2>&1
		expect "$1: h2load" "3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout" \
			"$(sed -n 's/^requests: .* started, //p' "$dir/load")"
	fi
}
drive plain

kill -TERM "$pid"
wait "$pid"
expect "the end" 0 $?
pid=
expect "nobody serves" 000 "$(get -o /dev/null -w '%{http_code}' "$url/" 2>/dev/null)"

# ---- over TLS
if command -v openssl >/dev/null; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=here \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/cert.pem" \
		2>"$dir/openssl" || cat "$dir/openssl"
	start --cert "$dir/cert.pem" --key "$dir/key.pem"
	secure() { get --cacert "$dir/cert.pem" "$@"; }
	expect "TLS: the index" index "$(secure "$url/")"
	expect "TLS: nobody vouches for it" 60 "$(get "$url/" >/dev/null 2>&1 || echo $?)"
	secure "$url/large.txt" >"$dir/got"
	cmp -s "$dir/got" "$dir/files/large.txt" || expect "TLS: a large file" same different
	expect "TLS: two on one connection" "200 1 200 0 " \
		"$(secure -o /dev/null -o /dev/null -w '%{http_code} %{num_connects} ' "$url/" "$url/sub/")"
	expect "TLS: an upload" 405 "$(secure -o /dev/null -w '%{http_code}' \
		--data-binary "@$dir/files/large.txt" "$url/x")"
	for version in 1.2 1.3; do
		expect "TLS $version" 200 "$(secure -o /dev/null -w '%{http_code}' "--tlsv$version" \
			--tls-max $version "$url/")"
	done
	drive TLS
	expect "no TLS" 000 "$(get -o /dev/null -w '%{http_code}' "http${url#https}/" 2>/dev/null)"
	kill -TERM "$pid"
	wait "$pid"
	expect "TLS: the end" 0 $?
	pid=
	"$serve" --cert "$dir/cert.pem" --key "$dir/none.pem" 2>"$dir/log"
	expect "a key that is not there" 1 $?
	expect "what is said about it" 1 "$(grep -c 'none.pem: No such file or directory$' "$dir/log")"
fi
"$serve" 127.0.0.1:0 "$dir/nowhere" 2>"$dir/log"
expect "a directory that is not there" 1 $?
expect "what is said about it" 1 "$(grep -c 'nowhere: No such file or directory$' "$dir/log")"
exit $failed
