#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/fuzz.sh [SECONDS [TARGET]]: has libFuzzer (clang) make up requests for the parsing of HTTP, or,
# with the target mux, patterns and paths, with AddressSanitizer and UBSan; 60 seconds of each if not
# told. What it learns stays in build/fuzz/corpus and build/fuzz/mux; what fails is written to build/fuzz, to be
# run again by build/fuzz/request_fuzz FILE or mux_fuzz FILE.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
targets=${2:-request mux}
out=build/fuzz
llhttp=/usr/share/llhttp
mkdir -p "$out/corpus" "$out/mux"

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
# run NAME CORPUS OPTION...
run() {
	name=$1 corpus=$2
	shift 2
	"$out/${name}_fuzz" -max_total_time="$seconds" -print_final_stats=1 -artifact_prefix="$out/" "$@" \
		"$out/$corpus"
}

for target in $targets; do
	case $target in
	request)
		make request src/http/head_scan.c src/http/head_parse.c src/http/chunked.c src/http/trailer.c \
			src/http/text.c
		printf 'POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: x\r\n\r\n' \
			>"$out/corpus/chunked"
		printf 'GET http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello' \
			>"$out/corpus/length"
		run request corpus -max_len=2000 -dict=tests/fuzz/request.dict
		;;
	mux)
		# The library itself is the release build's: what is looked at is http/.
		[ -f build/release/CMakeCache.txt ] || cmake --preset release >"$out/build.log"
		cmake --build build/release --target tuza_static >"$out/build.log"
		# shellcheck disable=SC2046 # one word for each
		make mux $(find src/http -name '*.c' ! -name 'client*') build/release/libtuza.a
		printf '/a/b%%2Fc\nh\n/a/{x}\nGET h/a/\n/{y...}\n/a/b/{$}\nPOST /a' >"$out/mux/wild"
		printf '/a//b/../c\n\n/\n/a/c/\n/{x}/c' >"$out/mux/unclean"
		run mux mux -max_len=400
		;;
	esac
done
