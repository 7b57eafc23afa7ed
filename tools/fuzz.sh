#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/fuzz.sh [SECONDS [TARGETS]]: has libFuzzer (clang) make up input for what reads HTTP, with
# AddressSanitizer and UBSan; 60 seconds of each target if not told:
#
#	request  heads, and what is behind them
#	chunk    bodies in chunks, cut into pieces
#	url      targets, percent-encoding, clean paths
#	mux      patterns and paths
#
# What it learns stays in build/fuzz/TARGET; what fails is written to build/fuzz, to be run again by
# build/fuzz/TARGET_fuzz FILE.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
targets=${2:-request chunk url mux}
out=build/fuzz
llhttp=/usr/share/llhttp
mkdir -p "$out"

sanitize=-fsanitize=fuzzer,address,undefined
[ -e "$out/llhttp.o" ] ||
	clang -O1 -g -w -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp \
		-fsanitize=fuzzer-no-link,address,undefined -c "$llhttp/llhttp.c" -o "$out/llhttp.o"

# make NAME SOURCE...: with what all of them need.
make() {
	name=$1
	shift
	# shellcheck disable=SC2086 # several options
	clang -std=gnu11 -O1 -g -Wall -Wextra -DLLHTTP_STRICT_MODE=1 -DTUZA_LIBRARY_ \
		-fno-sanitize-recover=all $sanitize -Iinclude -Isrc -isystem /usr/share/include/llhttp \
		-o "$out/${name}_fuzz" "tests/fuzz/${name}_fuzz.c" "$@" \
		"$llhttp/api.c" "$llhttp/http.c" "$out/llhttp.o" -Wno-unused-parameter -pthread -ldl
}
# run NAME OPTION...
run() {
	name=$1
	shift
	"$out/${name}_fuzz" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$out/" "$@" \
		"$out/$name"
}

for target in $targets; do
	mkdir -p "$out/$target"
	case $target in
	request)
		make request src/http/head_scan.c src/http/head_parse.c src/http/chunked.c src/http/trailer.c \
			src/http/text.c
		printf 'POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: x\r\n\r\n' \
			>"$out/request/chunked"
		printf 'GET http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello' \
			>"$out/request/length"
		run request -max_len=2000 -dict=tests/fuzz/request.dict
		;;
	chunk)
		make chunk src/http/body.c src/http/chunked.c src/http/trailer.c src/http/text.c
		printf '\003\001\002\0055;x\r\nhello\r\n0\r\nT: x\r\n\r\nGET' >"$out/chunk/pieces"
		printf '\0000a\r\n0123456789\r\n0\r\nA: b \r\nHost:c\r\n\r\n' >"$out/chunk/whole"
		run chunk -max_len=4000 -dict=tests/fuzz/request.dict
		;;
	url)
		make url src/http/head_scan.c src/http/head_parse.c src/http/path.c src/http/text.c \
			src/http/trailer.c
		printf '/a/%%2fb/../c//d/.?q=1&r=%%20' >"$out/url/unclean"
		printf '//x/.\\y?a"b#c' >"$out/url/strange"
		printf '?q' >"$out/url/query"
		run url -max_len=300 -dict=tests/fuzz/request.dict
		;;
	mux)
		# The library itself is the release build's: what is looked at is http/.
		[ -f build/release/CMakeCache.txt ] || cmake --preset release >"$out/build.log"
		cmake --build build/release --target tuza_static >"$out/build.log"
		# shellcheck disable=SC2046 # one word for each
		make mux $(find src/http -name '*.c' ! -name 'client*') build/release/libtuza.a
		printf '/a/b%%2Fc\nh\n/a/{x}\nGET h/a/\n/{y...}\n/a/b/{$}\nPOST /a' >"$out/mux/wild"
		printf '/a//b/../c\n\n/\n/a/c/\n/{x}/c' >"$out/mux/unclean"
		run mux -max_len=400
		;;
	esac
done
