#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/idle.sh: what many connections cost that do nothing, to a TCP echo server with a goroutine for
# each and to an HTTP server that keeps them alive; tuza, and Go where it is installed. They come from
# another process, which counts the answers; each has had one before it counts as idle.
#
#   --connections N    default 10000
#   --kinds LIST       default "echo http"
#   --procs N          of the server, default 2
#   --seconds N        how long they do nothing, default 5
#   --sides LIST       default "tuza go"
#   --ends LIST        besides hanging up, default "reset shutdown deadlines"; each takes as many
#                      connections anew
#   --programs DIR     uses server-tuza, server-go and hold of that folder, built elsewhere
#   --build            only builds those, into build/bench/idle
#
# 100,000 take as many descriptors in both processes (`ulimit -Hn`, which root raises up to the sysctl
# fs.nr_open), some 2 GB of the kernel's memory for both ends' sockets, and memory for the server.
# Where root may, the kernel's limits on TCP are raised until the end. If the machine does not allow
# that many, it says what stands in the way.
set -eu
cd "$(dirname "$0")/.."

connections=10000
kinds="echo http"
procs=2
seconds=5
sides="tuza go"
ends="reset shutdown deadlines"
programs=
only_build=
while [ $# -gt 0 ]; do
	case $1 in
	--build)
		only_build=yes
		shift
		continue
		;;
	esac
	[ $# -gt 1 ] || break
	case $1 in
	--connections) connections=$2 ;;
	--kinds) kinds=$2 ;;
	--procs) procs=$2 ;;
	--seconds) seconds=$2 ;;
	--sides) sides=$2 ;;
	--ends) ends=$2 ;;
	--programs) programs=$2 ;;
	*) break ;;
	esac
	shift 2
done
[ $# -eq 0 ] || { sed -n '/^#   --/s/^#//p' "$0" >&2; exit 2; }

build() {
	release=build/release
	[ -f "$release/CMakeCache.txt" ] || cmake --preset release >"$out/build.log"
	cmake --build "$release" --target tuza_static tuza_http_static >"$out/build.log" ||
		{ cat "$out/build.log" >&2; exit 1; }
	${CC:-cc} -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/server-tuza" bench/idle/server.c \
		"$release/libtuza-http.a" "$release/libtuza.a" -pthread -ldl
	${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE -o "$out/hold" bench/idle/hold.c
	rm -f "$out/server-go"
	! command -v go >/dev/null || (cd bench/idle/go &&
		GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -buildvcs=false -o "$out/server-go" .)
}

out=${programs:-$PWD/build/bench/idle}
if [ -z "$programs" ]; then
	mkdir -p "$out"
	build
fi
[ -z "$only_build" ] || exit 0

# ---- what the machine allows --------------------------------------------------------------------

too_much() {
	echo "bench/idle.sh: $connections connections are too many for this machine: $1" >&2
	exit 1
}

descriptors=$((connections + 100))
# shellcheck disable=SC3045 # dash and bash have both
if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt $descriptors ]; then
	[ "$(cat /proc/sys/fs/nr_open)" -ge $descriptors ] ||
		too_much "a process may have $(cat /proc/sys/fs/nr_open) descriptors (sysctl fs.nr_open)"
	ulimit -Hn $descriptors 2>/dev/null ||
		too_much "a process may have $(ulimit -Hn) descriptors (ulimit -Hn; root may raise it)"
fi
[ "$(cat /proc/sys/fs/file-max)" -ge $((2 * descriptors)) ] ||
	too_much "all processes may have $(cat /proc/sys/fs/file-max) open files (sysctl fs.file-max)"
raised=$(mktemp -d) # what was there before, by the names below /proc/sys/net
put_back() {
	(cd "$raised" && find . -type f) | while read -r name; do
		cat "$raised/$name" >"/proc/sys/net/$name"
	done
	rm -rf "$raised"
}
trap put_back EXIT
trap "exit 1" INT TERM
# Until the end; false where that is not allowed.
raise() { # name values
	[ -w "/proc/sys/net/$1" ] || return
	mkdir -p "$raised/${1%/*}"
	cat "/proc/sys/net/$1" >"$raised/$1"
	echo "$2" 2>/dev/null >"/proc/sys/net/$1"
}
limit() { cut -f"$2" "/proc/sys/net/$1"; } # name field

# Beyond that the kernel ends connections by itself when all are dropped; those whose packets were
# sent again it counts up to four times.
orphans=ipv4/tcp_max_orphans
[ "$(limit $orphans 1)" -ge $((4 * descriptors)) ] || raise $orphans $((4 * descriptors)) || true
[ "$(limit $orphans 1)" -ge $descriptors ] ||
	too_much "$(limit $orphans 1) that are dropped may end at the same time (sysctl net.ipv4.tcp_max_orphans)"
# When all are asked at once each end of each has a page of the kernel's memory for TCP, or two.
pages=ipv4/tcp_mem
[ "$(limit $pages 3)" -ge $((3 * connections)) ] ||
	raise $pages "$((2 * connections)) $((2 * connections)) $((3 * connections))" ||
	too_much "all of TCP may have $(limit $pages 3) pages of memory (sysctl net.ipv4.tcp_mem)"
# The kernel asks on each connection every 15 s whether the other end is there. On a slow machine so
# many packets to itself wait for a CPU that some are lost: in the end it gives connections up.
backlog=core/netdev_max_backlog
[ "$(limit $backlog 1)" -ge $((4 * connections)) ] || raise $backlog $((4 * connections)) || true
# Both ends' sockets some 10 KiB, Go's HTTP server 20.
available=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
[ "$available" -ge $((30 * connections)) ] ||
	too_much "$((available / 1024)) MiB of memory are free, they take $((30 * connections / 1024))"

# ---- measuring ----------------------------------------------------------------------------------

port=$((18200 + $$ % 1000 * 8)) # others may measure, too
server=
hold=
scratch=$(mktemp -d)
clean_up() {
	for pid in $hold $server; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$scratch"
	put_back
}
trap clean_up EXIT

now() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

# Packets that were lost because too many waited for a CPU.
lost() {
	packets=0
	while read -r _ n _; do
		packets=$((packets + 0x$n))
	done </proc/net/softnet_stat
	echo $packets
}

# A status of the server's: in KiB, or a number.
status() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$server/status"; }

# Ticks of 10 ms that the server has computed, and how often a thread of it has begun to wait.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$server/stat"; }
waits() {
	cat "/proc/$server/task/"*/status | awk '/^voluntary_ctxt/ { sum += $2 } END { print sum }'
}

# Whether the server has more than $1 descriptors. Reads no more than it must: it is asked often.
has_more_than() {
	# shellcheck disable=SC2012 # names are numbers
	[ "$(ls -U "/proc/$server/fd" | head -n $(($1 + 1)) | wc -l)" -gt "$1" ]
}

start_server() { # kind side seconds
	port=$((port + 1)) # the last one's may still be taken, by connections that have ended
	"$out/server-$2" "$1" $port "$procs" "$3" &
	server=$!
}

# Starts one that holds $2 connections; descriptor 3 tells it what to do, it answers by 4.
start_hold() { # kind count
	rm -f "$scratch/in" "$scratch/out"
	mkfifo "$scratch/in" "$scratch/out"
	"$out/hold" "$1" $port "$2" <"$scratch/in" >"$scratch/out" 4<&- &
	hold=$!
	exec 3>"$scratch/in" 4<"$scratch/out"
}

end_hold() {
	exec 3>&- 4<&-
	wait $hold
	hold=
}

tell() { # what; when it is done $took has the milliseconds
	echo "$1" >&3
	done_with
}
done_with() {
	read -r _ took <&4 || { echo "bench/idle.sh: the client failed" >&2; exit 1; }
}

# What only the first connections take is there before; one comes when the server listens.
warm_up() { # kind
	until ss -Hltn "sport = :$port" | grep -q .; do
		kill -0 $server 2>/dev/null || { echo "bench/idle.sh: no server" >&2; exit 1; }
		sleep 0.05
	done
	start_hold "$1" 10
	tell open
	tell drop
	end_hold
	sleep 0.5
}

until_gone() {
	gone=$(now)
	while has_more_than "$few"; do sleep 0.05; done
	gone=$(($(now) - gone))
}

stop_server() {
	kill -KILL $server
	wait $server 2>/dev/null || true
	server=
}

wants() { case " $ends " in *" $1 "*) ;; *) false ;; esac }

row() { # kind side
	lost=$(lost)
	start_server "$1" "$2" 3600
	warm_up "$1"
	# A few more, which tuza opens when it has much to send at once.
	# shellcheck disable=SC2012 # names are numbers
	few=$(($(ls -U /proc/$server/fd | wc -l) + 16))
	rss=$(status VmRSS) pte=$(status VmPTE)
	start_hold "$1" "$connections"
	tell open
	open=$took
	sleep 8 # Go's collector, and what is given back late: threads after 5 s
	threads=$(status Threads)
	rss=$((($(status VmRSS) - rss) * 1024 / connections))
	pte=$((($(status VmPTE) - pte) * 1024 / connections))
	ticks=$(ticks) waits=$(waits)
	sleep "$seconds"
	ticks=$((($(ticks) - ticks) * 10)) waits=$(($(waits) - waits))
	tell ask
	ask=$took
	tell drop
	until_gone
	drop=$((took + gone))
	end_hold
	sleep 2
	left=$(($(status VmRSS) / 1024))
	reset=– late=– shut=–
	if wants reset; then # again, and lost by resets
		start_hold "$1" "$connections"
		tell open
		tell reset
		until_gone
		reset=$((took + gone))
		end_hold
	fi
	if [ "$1" = http ] && wants shutdown; then
		start_hold "$1" "$connections"
		tell open
		shut=$(now)
		kill -TERM $server
		echo await >&3
		wait $server
		server=
		shut=$(($(now) - shut))
		done_with
		end_hold
	fi
	[ -z "$server" ] || stop_server
	if [ "$1" = http ] && wants deadlines; then # they end within a moment
		limit=$((open * 10 / 1000 + 20))
		start_server "$1" "$2" $limit
		warm_up "$1"
		start_hold "$1" "$connections"
		tell open
		tell ask
		tell await
		late=$((took - limit * 1000))
		end_hold
		stop_server
	fi
	lost=$(($(lost) - lost))
	[ $lost -eq 0 ] || echo "bench/idle.sh: the kernel has lost $lost packets: the times of the next row are" \
		"its retransmissions' (sysctl net.core.netdev_max_backlog)" >&2
	echo "| $1 | $2 | $open | $threads | $rss | $pte | $ticks, $waits | $ask | $drop | $reset | $left | $shut | $late |"
}

echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs," \
	"Linux $(uname -r), $(date -u +%F); $connections connections, $procs processors."
echo
echo "| server | side | open ms | threads | bytes each | page tables each | CPU ms, waits in $seconds s idle |" \
	"all asked ms | all dropped ms | all reset ms | MiB left | shutdown ms | deadlines late ms |"
echo "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
for kind in $kinds; do
	for side in $sides; do
		[ ! -x "$out/server-$side" ] || row "$kind" "$side"
	done
done
