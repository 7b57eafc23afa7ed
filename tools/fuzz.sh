#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/fuzz.sh [SECONDS]: has libFuzzer (clang) make up requests for the parsing of HTTP, with
# AddressSanitizer and UBSan; 60 seconds if not told. What it learns stays in build/fuzz/corpus; what
# fails is written to build/fuzz, to be run again by build/fuzz/request_fuzz FILE.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
out=build/fuzz
llhttp=/usr/share/llhttp
mkdir -p "$out/corpus"

sanitize=-fsanitize=fuzzer,address,undefined
[ -e "$out/llhttp.o" ] ||
	clang -O1 -g -w -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp \
		-fsanitize=fuzzer-no-link,address,undefined -c "$llhttp/llhttp.c" -o "$out/llhttp.o"
clang -std=gnu11 -O1 -g -Wall -Wextra -DLLHTTP_STRICT_MODE=1 -fno-sanitize-recover=all $sanitize \
	-Iinclude -Isrc -isystem /usr/share/include/llhttp -o "$out/request_fuzz" \
	tests/fuzz/request_fuzz.c src/http/head_scan.c src/http/head_parse.c src/http/chunked.c \
	src/http/trailer.c src/http/text.c "$llhttp/api.c" "$llhttp/http.c" "$out/llhttp.o" -Wno-unused-parameter
printf 'POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: x\r\n\r\n' \
	>"$out/corpus/chunked"
printf 'GET http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello' \
	>"$out/corpus/length"
exec "$out/request_fuzz" -max_total_time="$seconds" -max_len=2000 -print_final_stats=1 \
	-artifact_prefix="$out/" -dict=tests/fuzz/request.dict "$out/corpus"
