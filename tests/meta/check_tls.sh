#!/bin/sh
# SPDX-License-Identifier: MIT
#
# TLS as tuza-check does it, against openssl's server: a certificate that nobody vouches for is
# refused, one that is trusted is taken, for the names that are in it alone.
set -u

app=$TUZA_BUILD_DIR/apps/tuza-check
skip() {
	echo "$1"
	exit 77
}
[ -x "$app" ] || skip "tuza-check is not built here"
command -v openssl >/dev/null || skip "no openssl to serve"
dir=$(mktemp -d) || exit 1
server=
# shellcheck disable=SC2317 # called by the trap
finish() {
	[ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
failed=0
fail() {
	echo "failed: $1"
	sed 's/^/    /' "$dir/out" "$dir/err" | head -n 20
	failed=1
}

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=IP:127.0.0.1 -keyout "$dir/key" -out "$dir/cert" 2>/dev/null ||
	skip "openssl makes no certificate"
timeout 1000 openssl s_server -accept 127.0.0.1:0 -www -key "$dir/key" -cert "$dir/cert" \
	>"$dir/served" 2>&1 </dev/null &
server=$!
for _ in $(seq 200); do
	port=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' "$dir/served")
	[ -n "$port" ] && break
	sleep 0.1
done
[ -n "$port" ] || skip "openssl does not say where it serves"

# check STATUS PATTERN WHAT ARGUMENT...: runs it; the pattern is in what it writes.
check() {
	want=$1
	pattern=$2
	what=$3
	shift 3
	no_proxy='*' timeout 60 "$app" --format jsonl --retries 0 --timeout 20s "$@" \
		>"$dir/out" 2>"$dir/err"
	got=$?
	[ "$got" = "$want" ] || fail "$what: status $got instead of $want"
	cat "$dir/out" "$dir/err" | grep -q "$pattern" || fail "$what: no \"$pattern\""
}
check 1 'certificate cannot be verified' "a stranger" "https://127.0.0.1:$port/"
check 0 '"status":200' "a stranger, taken" --insecure "https://127.0.0.1:$port/"
check 0 '"status":200' "one that is trusted" --ca-file "$dir/cert" "https://127.0.0.1:$port/"
check 1 'certificate cannot be verified' "by another name" --ca-file "$dir/cert" \
	"https://localhost:$port/"
exit $failed
