#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What docs/GO-TO-C.md shows compiles without a warning: each C block, as it stands, in a file of its
# own; one without a function becomes the body of one. What they take for granted is below.
# Where there is a gofmt, the Go blocks are as it would have them.
set -u

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
page=$TUZA_SOURCE_DIR/docs/GO-TO-C.md
failed=0

# A block may have names of its own that are given here, too, and need not use all that it makes.
cat >"$dir/given.h" <<'END_GIVEN'
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { COUNT = 3 };
struct order {
	int id, price;
};
struct request;
extern tuza_chan *c, *in, *jobs, *results, *quit, *urgent, *normal, *channels[COUNT];
extern tuza_context *ctx, *parent;
extern tuza_mutex mu;
extern tuza_cond cond;
extern tuza_rwmutex rw;
extern tuza_singleflight flights;
extern tuza_listener *l;
extern tuza_conn *conn;
extern int v, job, item, err, cached;
extern int64_t due, when;
extern bool ready, ok;
extern char buffer[512], host[64];
extern void *key, *s, *found, *old;
extern const char *path;
void greet(const char *name, int times);
void process(int id, int price);
void print_number(int i);
void fetch(int i, tuza_waitgroup *wg);
void run(int job);
void use(int v);
int compute(void);
int work(int job);
void task(void *arg);
int cube(tuza_context *ctx, const void *in, void *out, void *arg);
int query(void *arg, void **result);
int get(tuza_context *ctx, const char *url);
void connect_to(void *host);
void fill(char *bytes);
void expire(void *arg);
void clean(void *arg);
void risky(void *request);
void serve(tuza_conn *conn);
END_GIVEN
awk -v dir="$dir" '
	/^```(c|go)$/ { kind = substr($0, 4); n++; file = dir "/block" n "." kind; start[n] = NR; next }
	/^```$/ { kind = ""; next }
	kind != "" { print >file }
	END { for (i in start) print i, start[i] >(dir "/lines") }' "$page"

count=0
while read -r number line; do
	block=$dir/block$number.c
	[ -e "$block" ] || continue
	count=$((count + 1))
	{
		echo '#include "given.h"'
		if grep -q '^{' "$block"; then
			cat "$block"
		else
			type='int'
			grep -q 'return;' "$block" && type='void'
			echo "$type block(void);"
			echo "$type block(void) {"
			cat "$block"
			[ $type = int ] && ! tail -n 1 "$block" | grep -q '^return' && echo 'return 0;'
			echo '}'
		fi
	} >"$dir/program.c"
	if ! "${CC:-cc}" -Wall -Wextra -Werror -Wno-unused -Wno-shadow -fsyntax-only \
		-I"$TUZA_SOURCE_DIR/include" -I"$dir" "$dir/program.c" 2>"$dir/log"; then
		echo "failed: docs/GO-TO-C.md:$line"
		cat "$dir/log"
		failed=1
	fi
done <"$dir/lines"
[ "$count" -ge 40 ] || {
	echo "failed: only $count C blocks"
	failed=1
}
echo "$count C blocks"

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
exit $failed
