#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What tuza_metrics_write writes is what Prometheus reads: its own promtool finds no fault with it,
# under our names and under those of Go programs. Without promtool it is skipped.
set -eu

command -v promtool >/dev/null || {
	echo "skipped: no promtool"
	exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >prog.c <<'END_OF_PROGRAM'
#include <tuza/tuza.h>

#include <string.h>

static int program(void *go)
{
	tuza_stats_measure();
	for (int i = 0; i < 100; i++)
		tuza_sleep(TUZA_MICROSECOND);
	return (go ? tuza_metrics_write_go : tuza_metrics_write)(1);
}

int main(int argc, char **argv) { return tuza_run(program, argc > 1 ? argv[1] : NULL); }
END_OF_PROGRAM
"${CC:-cc}" -O1 -g -I"$TUZA_SOURCE_DIR/include" prog.c "$TUZA_BUILD_DIR/libtuza.a" -lpthread -ldl -o prog

check() {
	promtool check metrics <"$1" >log 2>&1 || {
		echo "failed: promtool of $1"
		cat log
		exit 1
	}
}
./prog >ours
check ours
grep -q '^tuza_sched_latencies_seconds_bucket{le="+Inf"} [1-9]' ours
./prog go >named
check named
grep -q '^go_goroutines 1$' named
grep -q '^go_sched_latencies_seconds_count [1-9]' named
TUZA_METRICS=go ./prog >both
check both
