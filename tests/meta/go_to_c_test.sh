#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What docs/GO-TO-C.md shows compiles without a warning: each C block, as it stands, in a file of its
# own; one without a function becomes the body of one. And it runs (go_to_c/world.c); of those with
# functions, what calls them is below. What they take for granted is in go_to_c/given.h.
# Where there is a Go, its blocks are as gofmt would have them, and their types are right
# (go_to_c/types.go).
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
page=$TUZA_SOURCE_DIR/docs/GO-TO-C.md
failed=0

awk -v dir="$dir" '
	/^```(c|go)$/ { kind = substr($0, 4); n++; file = dir "/block" n "." kind; start[n] = NR; next }
	/^```$/ { kind = ""; next }
	kind != "" { print >file }
	END { for (i in start) print i, start[i] >(dir "/lines") }' "$page"

# What a block with functions is to do, by what it has.
calls() { # FILE
	case $(cat "$1") in
	*'int main('*) echo 'return program(NULL);' ;;
	*'int start('*) echo 'return start((struct order){1, 2});' ;;
	*'use_result('*) echo 'use_result();' ;;
	*'work_all('*) echo 'int r[10]; work_all(r); return r[9] == work(9) ? 0 : (tuza_panic("work_all"), 1);' ;;
	*'struct question'*)
		echo 'tuza_chan *q = tuza_chan_new(sizeof(struct question), 0); go(answer_questions, q);'
		echo 'if (ask(q, 3) != 3) tuza_panic("ask"); tuza_chan_close(q); return 0;'
		;;
	*'*count('*)
		echo 'int n = 0; tuza_chan *out = count(ctx, 5); while (tuza_recv(out, &v)) n++;'
		echo 'if (n != 5) tuza_panic("count"); return 0;'
		;;
	*'both('*) echo 'both();' ;;
	*'counter_inc('*) echo 'struct counter one = {0}; counter_inc(&one); return one.n;' ;;
	*'format('*) echo 'format(); format();' ;;
	*'fetch_all('*) echo 'const char *const urls[] = {"a", "b", NULL}; return fetch_all(ctx, urls);' ;;
	*'int handle('*) echo 'if (handle((void *)3) != TUZA_EPANIC) tuza_panic("handle");' ;;
	*'start_pool('*) echo 'start_pool(ctx, jobs, results); while (tuza_recv(results, &v)) ;' ;;
	*'*squares('*) echo 'tuza_chan *q = squares(ctx, in); while (tuza_recv(q, &v)) ;' ;;
	*'cubed_by_three('*) echo 'tuza_chan *q = cubed_by_three(ctx, in); while (tuza_recv(q, &v)) ;' ;;
	*'read_or_end('*)
		echo 'tuza_conn *a, *b; if (tuza_pipe(&a, &b) != 0) return 1;'
		echo 'tuza_context *late = tuza_context_with_timeout(ctx, 2);'
		echo 'if (read_or_end(late, a, buffer, 1) != TUZA_ECONNCLOSED) tuza_panic("read_or_end");'
		echo 'tuza_context_free(late); tuza_conn_close(b); return 0;'
		;;
	*'serve_all('*) echo '(void)serve_all;' ;; # for ever, on a port of others
	*) return 1 ;;
	esac
}

libraries="$TUZA_BUILD_DIR/libtuza.a -pthread -ldl"
http=
if [ -e "$TUZA_BUILD_DIR/libtuza-http.a" ]; then
	http=-DHAS_HTTP
	libraries="$TUZA_BUILD_DIR/libtuza-http.a -lcurl $libraries"
fi

count=0
: >"$dir/list"
while read -r number line; do
	block=$dir/block$number.c
	[ -e "$block" ] || continue
	[ -n "$http" ] || ! grep -q tuza_http_ "$block" || continue
	count=$((count + 1))
	{
		echo '#include "given.h"'
		if grep -q '^{' "$block"; then
			sed 's/int main(/int block_main(/; 1i int block_main(void);' "$block"
			echo "int run_block$number(void);"
			echo "int run_block$number(void) {"
			calls "$block" || {
				echo "failed: nothing calls what is in docs/GO-TO-C.md:$line" >&2
				echo fail >"$dir/failed"
			}
			echo 'return 0; }'
		else
			type='int'
			grep -q 'return;' "$block" && type='void'
			echo "static $type block(void) {"
			# Nobody is to be asked, nor a port taken that others may want.
			sed 's/example.org:80/127.0.0.1:1/; s/127.0.0.1:8080/127.0.0.1:0/' "$block"
			[ $type = int ] && ! tail -n 1 "$block" | grep -q '^return' && echo 'return 0;'
			echo '}'
			echo "int run_block$number(void);"
			echo "int run_block$number(void) { $([ $type = void ] && echo 'block(); return 0' || echo 'return block()'); }"
		fi
	} >"$dir/program$number.c"
	echo "$line $number $(grep -c '^tuza_select(NULL, 0)' "$block")" >>"$dir/list"
done <"$dir/lines"
[ ! -e "$dir/failed" ] || failed=1
[ "$count" -ge 40 ] || {
	echo "failed: only $count C blocks"
	failed=1
}

# The one that waits for ever comes last.
sort -k3n -k1n "$dir/list" >"$dir/order"
{
	echo '#include "given.h"'
	sed 's/.* \([0-9]*\) .*/int run_block\1(void);/' "$dir/order"
	echo 'const struct block blocks[] = {'
	sed 's/\(.*\) \(.*\) .*/{\1, run_block\2},/' "$dir/order"
	echo '{0, NULL}};'
} >"$dir/list.c"
# shellcheck disable=SC2086 # flags are meant to be split
if ! (cd "$dir" && "${CC:-cc}" $http -Wall -Wextra -Werror -Wno-unused -Wno-shadow -Wno-misleading-indentation \
	-I"$TUZA_SOURCE_DIR/include" -I"$TUZA_SOURCE_DIR/tests/meta/go_to_c" \
	program*.c list.c "$TUZA_SOURCE_DIR/tests/meta/go_to_c/world.c" \
	-o program $libraries 2>log); then
	echo "failed: C blocks that do not compile: program$(sed -n 's/^program\([0-9]*\).*/\1/p' "$dir/log" | sort -un | tr '\n' ' ')"
	cat "$dir/log"
	failed=1
elif ! timeout 60 "$dir/program" >"$dir/output" 2>"$dir/log" </dev/null; then
	echo "failed: C blocks that do not run"
	tail -n 1 "$dir/output"
	cat "$dir/log"
	failed=1
fi
echo "$count C blocks: $(tail -n 1 "$dir/output")"

if command -v gofmt >/dev/null; then
	for block in "$dir"/block*.go; do
		{
			echo 'package p'
			echo
			cat "$block"
		} >"$dir/file.go"
		grep -q '^func ' "$block" || {
			echo 'package p'
			echo
			echo 'func block() {'
			sed -e '/./s/^/	/' -e 's/^	loop:$/loop:/' "$block"
			echo '}'
		} >"$dir/file.go"
		gofmt -d "$dir/file.go" >"$dir/log" 2>&1
		if [ -s "$dir/log" ]; then
			echo "failed: gofmt would have another form of"
			cat "$dir/log"
			failed=1
		fi
	done
fi
if command -v go >/dev/null; then
	for block in "$dir"/block*.go; do
		mv "$block" "${block%.go}.txt" # else they are parts of the program
	done
	[ -n "${HOME-}" ] || export HOME="$dir" # where what was built is kept
	CGO_ENABLED=0 GO111MODULE=off GOTOOLCHAIN=local go run \
		"$TUZA_SOURCE_DIR/tests/meta/go_to_c/types.go" "$dir"/block*.txt || {
		echo "failed: the types of Go blocks"
		failed=1
	}
fi
exit $failed
