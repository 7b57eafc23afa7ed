#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/http.sh: an answer of 13 bytes over kept-alive connections: tuza, and where they are installed
# Go's net/http and nginx. All of them are there all the time and are asked in turn by one client, for
# a fifth of a second each, many times over; what is compared is two turns side by side. So what else
# the machine does falls on all of them.
#
#   --rounds N        turns of each, default 20
#   --ms N            of each turn, default 200
#   --procs LIST      numbers of processors (nginx: of workers), default "1 2"
#   --connections L   numbers of connections, default "64"
#   --path /16k       an answer of 16 KiB
#   --pace N          each connection asks N times a second; default 0: as soon as it is answered
#   --realtime        servers and clients by SCHED_FIFO: nothing else has their CPUs meanwhile, not even
#                     the 50 ms of each second that the kernel keeps for others. Needs root
#   --slow N          instead: tuza and Go with and without N clients that send their heads slowly
#   --idle N          instead: what N idle connections take of each server's memory
#   --requests N      instead: requests per second of tuza's client and Go's, N of them by as many
#                     callers as there are connections, to one nginx with 2 workers
#
# A server has as many CPUs as processors, the client (of bare epoll) the others, if there are any.
set -eu
cd "$(dirname "$0")/.."

rounds=20
ms=200
procs="1 2"
connections="64"
path=/hello
pace=0
first=
slow=0
idle=0
requests=0
while [ $# -gt 0 ]; do
	case $1 in
	--realtime)
		first="chrt -f 1"
		shift
		continue
		;;
	esac
	[ $# -gt 1 ] || break
	case $1 in
	--rounds) rounds=$2 ;;
	--ms) ms=$2 ;;
	--procs) procs=$2 ;;
	--connections) connections=$2 ;;
	--path) path=$2 ;;
	--pace) pace=$2 ;;
	--slow) slow=$2 ;;
	--idle) idle=$2 ;;
	--requests) requests=$2 ;;
	*) break ;;
	esac
	shift 2
done
[ $# -eq 0 ] || { sed -n '/^#   --/s/^#//p' "$0" >&2; exit 2; }

build=build/release
out=$PWD/build/bench/http
port=18123
cpus=$(nproc)
cc=${CC:-cc}
mkdir -p "$out"
[ -f "$build/CMakeCache.txt" ] || cmake --preset release >"$out/build.log"
cmake --build "$build" --target tuza_static tuza_http_static >"$out/build.log" ||
	{ cat "$out/build.log" >&2; exit 1; }
$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/tuza" bench/http/hello.c \
	"$build/libtuza-http.a" "$build/libtuza.a" -pthread -ldl
$cc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -o "$out/load" bench/http/load.c -pthread
sides=tuza
if command -v go >/dev/null &&
	(cd bench/http/go && GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -buildvcs=false -o "$out/go" .); then
	sides="$sides go"
fi
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx || true)
[ -z "$nginx" ] || sides="$sides nginx"

pids=
stop() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	pids=
}
trap stop EXIT
if [ -n "$first" ]; then
	limit=/proc/sys/kernel/sched_rt_runtime_us
	before=$(cat $limit)
	trap 'stop; echo "$before" >$limit' EXIT
	trap 'exit 1' INT TERM
	echo -1 >$limit
fi

configure_nginx() { # port workers
	head -c 16384 /dev/zero | tr '\0' x >"$out/16k"
	cat >"$out/nginx.conf" <<-END
		daemon off;
		worker_processes $2;
		pid $out/nginx.pid;
		error_log $out/nginx.log;
		events { worker_connections 16384; }
		http {
			access_log off;
			keepalive_requests 1000000000;
			client_body_temp_path $out/body;
			proxy_temp_path $out/proxy;
			fastcgi_temp_path $out/fastcgi;
			uwsgi_temp_path $out/uwsgi;
			scgi_temp_path $out/scgi;
			server {
				listen 127.0.0.1:$1;
				location = /hello {
					default_type "text/plain; charset=utf-8";
					return 200 "Hello, World!";
				}
				location /16k {
					root $out;
					sendfile on;
					open_file_cache max=10;
					default_type "text/plain; charset=utf-8";
				}
			}
		}
	END
}

# What runs on CPUs of its own: the servers, and who asks them.
on_cpus() { # from to
	[ "$1" -le "$2" ] && [ "$2" -lt "$cpus" ] && echo "$first taskset -c $1-$2" || echo "$first"
}

start() { # side processors port
	run=$(on_cpus 0 $(($2 - 1)))
	case $1 in
	nginx)
		configure_nginx "$3" "$2"
		$run "$nginx" -p "$out" -c "$out/nginx.conf" 2>"$out/nginx.start" &
		;;
	*) $run "$out/$1" "$3" "$2" 2>"$out/$1.log" & ;;
	esac
	pid=$!
	pids="$pids $pid"
}

about() { # what is measured
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $cpus CPUs," \
		"Linux $(uname -r), $(date -u +%F); $1."
	echo
}

# What others notice of many slow clients: before those are there; from when all are there until they
# have been turned away, which is after 10 s, more than once; and when all hang up at once.
if [ "$slow" -gt 0 ]; then
	[ "$pace" -gt 0 ] || pace=100
	$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/crowd" bench/http/crowd.c \
		"$build/libtuza.a" -pthread -ldl
	about "good clients ask $pace times a second each, beside $slow slow ones for 24 s, and when those hang up"
	echo "| processors | server | good clients | slow clients | answers | 50 % | 99 % | 99.9 % | worst | server's memory |"
	echo "|---|---|---|---|---|---|---|---|---|---|"
	: >"$out/said"
	for on in $procs; do
		for side in ${sides% nginx}; do
			for count in $connections; do
				start "$side" "$on" 0.0.0.0:$port
				for phase in alone turned_away hang_up; do
					case $phase in
					alone) many=0 ms=4000 ;;
					turned_away) many=$slow ms=23000 stay=24 ;;
					hang_up) many="$slow that hang up" ms=3000 stay=2 ;;
					esac
					if [ $phase != alone ]; then
						$(on_cpus $((cpus - 1)) $((cpus - 1))) "$out/crowd" $port "$slow" "$stay" \
							>"$out/crowd.log" &
						crowd=$!
						pids="$crowd $pids"
						until grep -q there "$out/crowd.log"; do
							kill -0 $crowd 2>/dev/null || { cat "$out/crowd.log" >&2; exit 1; }
							sleep 0.1
						done
					fi
					$(on_cpus "$on" $((cpus - 2))) "$out/load" "$ms" 1 "$count" 1 \
						"$pace" "$path" "$side:$port:$pid" >"$out/raw"
					memory=$(awk '/^VmRSS/ { print int($2 / 1024) " MB" }' "/proc/$pid/status")
					awk -v on="$on" -v side="$side" -v count="$count" -v many="$many" \
						-v memory="$memory" '
						{ printf "| %s | %s | %s | %s | %d | %d µs | %d µs | %d µs | %.1f ms | %s |\n",
							on, side, count, many, $6, $7, $8, $9, $10 / 1000, memory }' "$out/raw"
					# Its status tells whether any were turned away.
					[ $phase = alone ] || wait "$crowd" || [ $phase = hang_up ]
					[ $phase != turned_away ] ||
						echo "$side, $on processors: $(tail -n 1 "$out/crowd.log")" >>"$out/said"
				done
				stop
			done
		done
	done
	echo
	cat "$out/said"
	exit 0
fi

# Of a process and its children, in KiB: resident, and page tables.
memory() {
	for one in "$1" $(pgrep -P "$1"); do
		cat "/proc/$one/status"
	done | awk '/^VmRSS|^VmPTE/ { sum += $2 } END { print sum }'
}

# Each connection has had one answer: the memory of the server's process alone, before and after.
# bench/idle.sh tells more about that, of more connections.
if [ "$idle" -gt 0 ]; then
	$cc -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -o "$out/hold" bench/idle/hold.c
	rm -f "$out/held"
	mkfifo "$out/held"
	# shellcheck disable=SC3045 # dash and bash have it
	ulimit -n $((idle + 1000))
	about "growth of VmRSS and VmPTE by $idle connections, each idle after one answer"
	echo "| processors | server | bytes each |"
	echo "|---|---|---|"
	for on in $procs; do
		for side in $sides; do
			start "$side" "$on" $port
			"$out/load" 1 1 1 1 0 /hello "$side:$port:$pid" >"$out/raw" # until it is there
			# What only the first request takes is there before.
			printf 'open\ndrop\n' | "$out/hold" http $port 10 >"$out/hold.log"
			before=$(memory "$pid")
			"$out/hold" http $port "$idle" <"$out/held" >"$out/hold.log" &
			held=$!
			exec 3>"$out/held"
			echo open >&3
			until grep -q open "$out/hold.log"; do
				kill -0 $held 2>/dev/null || { echo "hold failed" >&2; exit 1; }
				sleep 0.1
			done
			sleep 1 # Go's collector, and what is given back late
			after=$(memory "$pid")
			exec 3>&-
			wait $held
			stop
			echo "| $on | $side | $(((after - before) * 1024 / idle)) |"
		done
	done
	exit 0
fi

# One nginx answers; who asks is measured.
if [ "$requests" -gt 0 ]; then
	# shellcheck disable=SC2046 # options
	$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/client-tuza" bench/http/client.c \
		"$build/libtuza-http.a" "$build/libtuza.a" $(pkg-config --libs libcurl) -pthread -ldl
	clients=tuza
	if command -v go >/dev/null && (cd bench/http/goclient &&
		GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -buildvcs=false -o "$out/client-go" .); then
		clients="tuza go"
	fi
	about "$requests requests, medians of $rounds"
	echo "| processors | callers | client | requests/s | CPU us of a request |"
	echo "|---|---|---|---|---|"
	start nginx 2 $port
	"$out/load" 1 1 1 1 0 "$path" nginx:$port:"$pid" >"$out/raw" # until it is there
	for on in $procs; do
		for count in $connections; do
			for side in $clients; do
				: >"$out/raw"
				round=0
				while [ $round -lt "$rounds" ]; do
					bash -c 'TIMEFORMAT="%U %S"; time "$@"' - "$out/client-$side" \
						"http://127.0.0.1:$port$path" "$on" "$count" "$requests" 2>&1 |
						tr '\n' ' ' >>"$out/raw"
					echo >>"$out/raw"
					round=$((round + 1))
				done
				sort -n "$out/raw" | awk -v on="$on" -v count="$count" -v side="$side" -v n="$requests" '
					{ rate[NR] = $1; cpu[NR] = $2 + $3 }
					END { m = int((NR + 1) / 2)
						printf "| %s | %s | %s | %d | %.1f |\n", on, count, side,
							rate[m], cpu[m] * 1e6 / n }'
			done
		done
	done
	stop
	exit 0
fi

about "$path, medians of $rounds turns of $ms ms${first:+, $first}"
echo "| processors | connections | server | requests/s | tuza / it, half of the turns | CPU µs of a request | user, kernel | 50 % | 99 % | 99.9 % |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for on in $procs; do
	for count in $connections; do
		servers=
		number=$port
		for side in $sides; do
			start "$side" "$on" $number
			servers="$servers $side:$number:$pid"
			number=$((number + 1))
		done
		# shellcheck disable=SC2086 # a list
		$(on_cpus "$on" $((cpus - 1))) "$out/load" "$ms" "$rounds" "$count" \
			$((on < count ? on : count)) "$pace" "$path" $servers >"$out/raw"
		stop
		awk -v on="$on" -v count="$count" -v sides="$sides" '
			{
				n = ++turns[$1]
				for (i = 2; i <= NF; i++)
					value[$1, i, n] = $i
				user[$1] += $4
				kernel[$1] += $5
				requests[$1] += $6
			}
			# The part-th of four of what is in list[1 … n], which is sorted.
			function quarter(part,    i, j, t) {
				for (i = 1; i <= n; i++)
					for (j = i + 1; j <= n; j++)
						if (list[j] < list[i]) {
							t = list[i]; list[i] = list[j]; list[j] = t
						}
				i = int((n * part + 3) / 4)
				return list[i > 0 ? i : 1]
			}
			function median(side, field,    i) {
				n = turns[side]
				for (i = 1; i <= n; i++)
					list[i] = value[side, field, i]
				return quarter(2)
			}
			END {
				number = split(sides, names, " ")
				for (k = 1; k <= number; k++) {
					side = names[k]
					line = sprintf("| %s | %s | %s | %d |", on, count, side, median(side, 2))
					for (i = 1; i <= n; i++)
						list[i] = value["tuza", 2, i] / value[side, 2, i]
					line = line sprintf(" %.2f (%.2f to %.2f) |", quarter(2), quarter(1), quarter(3))
					# Ticks are 10 ms; what part of its time was which is all they tell.
					cpu = median(side, 3)
					ticks = user[side] + kernel[side]
					part = ticks ? user[side] / ticks : 0
					line = line sprintf(" %.2f | %.1f, %.1f |", cpu, cpu * part, cpu * (1 - part))
					print line sprintf(" %d µs | %d µs | %d µs |",
						median(side, 7), median(side, 8), median(side, 9))
				}
			}' "$out/raw"
	done
done
