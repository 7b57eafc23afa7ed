#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/run.sh: runs each workload for tuza and for Go in turn (A B A B …), checks the results, and
# prints medians and ratios as a Markdown table. README.md tells what the workloads measure.
#
#   --rounds N     runs of each, default 5
#   --procs LIST   numbers of processors, default "1 2"
#   --only REGEX   the workloads whose names match (grep -E)
#   --scale X      below 1: shorter passes and smaller trees, for a first look; default 1
#   --list         names and operations, nothing is measured
#   --save         writes the table to bench/results.md too
#
# Without `go` on the PATH only tuza is measured. Status 1 when a result was wrong or a run failed.
set -eu
cd "$(dirname "$0")/.."

rounds=5
procs="1 2"
only=.
scale=1
list=no
save=no
while [ $# -gt 0 ]; do
	case $1 in
	--rounds | --procs | --only | --scale)
		[ $# -ge 2 ] || { echo "$1 needs a value" >&2; exit 2; }
		case $1 in
		--rounds) rounds=$2 ;;
		--procs) procs=$2 ;;
		--only) only=$2 ;;
		--scale) scale=$2 ;;
		esac
		shift 2
		;;
	--list) list=yes; shift ;;
	--save) save=yes; shift ;;
	*) sed -n '/^#   --/s/^#//p' "$0" >&2; exit 2 ;;
	esac
done

build=build/release
out=build/bench
cc=${CC:-cc}
mkdir -p "$out"

say() { echo "$*" >&2; }

build_tuza() {
	[ -f "$build/CMakeCache.txt" ] || cmake --preset release >"$out/build.log"
	cmake --build "$build" --target tuza_static tuza_tls_static >"$out/build.log" || { cat "$out/build.log" >&2; exit 1; }
	wraps=
	for function in malloc calloc realloc aligned_alloc posix_memalign; do
		wraps="$wraps -Wl,--wrap=$function"
	done
	# shellcheck disable=SC2086 # a list of options
	$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/tuza" bench/tuza/*.c $wraps \
		"$build/libtuza-tls.a" "$build/libtuza.a" -lssl -lcrypto -pthread -ldl
	$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/tuza-nothing" bench/nothing.c "$build/libtuza.a" -pthread -ldl
	$cc -std=gnu11 -O2 -Wall -Wextra -o "$out/launch" bench/launch.c
}

# Sets no_go to the reason why Go is not measured, or to nothing.
build_go() {
	no_go=
	if ! command -v go >/dev/null; then
		no_go="there is no \`go\` on the PATH"
	elif ! (cd bench/go && export GOTOOLCHAIN=local GOFLAGS=-mod=mod &&
		go build -buildvcs=false -o "../../$out/go" . &&
		go build -buildvcs=false -o "../../$out/go-nothing" ./nothing); then
		no_go="bench/go does not build with $(go env GOVERSION)"
	fi
}

build_tuza
build_go
"$out/tuza" --list >"$out/list"
printf 'startup\ta process that starts one goroutine, joins it and ends\n' >>"$out/list"
if [ "$list" = yes ]; then
	awk -F '\t' '{ printf "%-22s %s\n", $1, $2 }' "$out/list"
	exit 0
fi
if [ -z "$no_go" ]; then
	"$out/go" --list >"$out/list.go"
	sed '$d' "$out/list" | diff - "$out/list.go" >&2 || { say "bench/tuza and bench/go are no twins"; exit 1; }
	sides="tuza go"
else
	say "Only tuza is measured: $no_go."
	sides=tuza
fi
cut -f 1 "$out/list" | grep -E -e "$only" >"$out/names" || { say "no workload matches $only"; exit 2; }

# One run of one side; its line goes to the raw file, behind workload, processors and side.
status=0
measure() { # side workload procs
	program="$out/$1"
	if [ "$2" = startup ]; then
		set -- "$1" "$2" "$3" "$out/launch" 100 "$program-nothing"
	else
		set -- "$1" "$2" "$3" "$program" "$2" "$3" "$scale"
	fi
	side=$1 name=$2 on=$3
	shift 3
	if line=$(timeout 300 "$@" 2>"$out/errors") && [ "${line##* }" = ok ]; then
		echo "$name $on $side ${line#* }" >>"$out/raw"
		return 0
	fi
	say "$* failed: ${line:-no result}"
	sed 's/^/    /' "$out/errors" | head -n 20 >&2
	echo "$name $on $side wrong" >>"$out/raw"
	status=1
	return 1
}

load=$(cut -d ' ' -f 1 /proc/loadavg)
: >"$out/raw"
while read -r name; do
	case $name in startup) on_list=- ;; *) on_list=$procs ;; esac
	for on in $on_list; do
		[ ! -t 2 ] || printf '\r%-24s %s ' "$name" "$on" >&2
		broken=" "
		round=0
		while [ $round -lt "$rounds" ]; do
			for side in $sides; do
				case $broken in *" $side "*) continue ;; esac
				measure "$side" "$name" "$on" || broken="$broken$side "
			done
			round=$((round + 1))
		done
	done
done <"$out/names"
[ ! -t 2 ] || printf '\r%-30s\r' '' >&2

{
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, Linux $(uname -r)," \
		"$($cc --version | head -n 1)$([ -n "$no_go" ] || go version | sed 's/^go version/,/')."
	echo "Medians of $rounds runs, scale $scale, $(date -u +%F); load average at the start $load."
	[ -z "$no_go" ] || echo "Go was not measured: $no_go."
	echo
	awk -f bench/table.awk "$out/raw"
} >"$out/results.md"
cat "$out/results.md"
if [ "$save" = yes ]; then
	# written by hand: what stands before the first table, and after it
	above=$(sed '/ CPUs, Linux /,$d' bench/results.md)
	below=$(sed -n '/^## /,$p' bench/results.md)
	printf '%s\n\n%s\n\n%s\n' "$above" "$(cat "$out/results.md")" "$below" >bench/results.md
fi
exit $status
