#!/bin/sh
# SPDX-License-Identifier: MIT
#
# bench/http.sh: requests per second of an answer of 13 bytes over kept-alive connections, by wrk with
# as many threads as the server has processors on the same machine: tuza, and where they are installed
# Go's net/http and nginx, in turn.
#
#   --rounds N        runs of each, default 5
#   --seconds N       of each run, default 3
#   --procs LIST      numbers of processors (nginx: of workers), default "1 2"
#   --connections L   numbers of connections, default "64"
#   --path /16k       an answer of 16 KiB
#   --slow N          instead: tuza with and without N clients that send their heads slowly
#   --idle N          instead: what N idle connections take of each server's memory
#   --requests N      instead: requests per second of tuza's client and Go's, N of them by as many
#                     callers as there are connections, to one nginx with 2 workers
#
# wrk takes CPU from the server it measures: what counts is the ratio. Latencies are wrk's medians and
# 99th percentiles, under full load.
set -eu
cd "$(dirname "$0")/.."

rounds=5
seconds=3
procs="1 2"
connections="64"
path=/hello
slow=0
idle=0
requests=0
while [ $# -gt 1 ]; do
	case $1 in
	--rounds) rounds=$2 ;;
	--seconds) seconds=$2 ;;
	--procs) procs=$2 ;;
	--connections) connections=$2 ;;
	--path) path=$2 ;;
	--slow) slow=$2 ;;
	--idle) idle=$2 ;;
	--requests) requests=$2 ;;
	*) break ;;
	esac
	shift 2
done
[ $# -eq 0 ] || { sed -n '/^#   --/s/^#//p' "$0" >&2; exit 2; }
command -v wrk >/dev/null || { echo "wrk is not installed" >&2; exit 1; }

build=build/release
out=$PWD/build/bench/http
port=18123
cc=${CC:-cc}
mkdir -p "$out"
[ -f "$build/CMakeCache.txt" ] || cmake --preset release >"$out/build.log"
cmake --build "$build" --target tuza_http_static >"$out/build.log" || { cat "$out/build.log" >&2; exit 1; }
$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/tuza" bench/http/hello.c \
	"$build/libtuza-http.a" "$build/libtuza.a" -pthread -ldl
sides=tuza
if command -v go >/dev/null &&
	(cd bench/http/go && GOTOOLCHAIN=local GOFLAGS=-mod=mod go build -buildvcs=false -o "$out/go" .); then
	sides="$sides go"
fi
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx || true)
[ -z "$nginx" ] || sides="$sides nginx"

pid=
stop() {
	[ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
	pid=
}
trap stop EXIT

start() { # side processors
	case $1 in
	nginx)
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
					listen 127.0.0.1:$port;
					location = /hello {
						default_type "text/plain; charset=utf-8";
						return 200 "Hello, World!";
					}
					location = /16k {
						root $out;
						sendfile on;
						open_file_cache max=10;
						default_type "text/plain; charset=utf-8";
					}
				}
			}
		END
		"$nginx" -p "$out" -c "$out/nginx.conf" 2>"$out/nginx.start" &
		;;
	*) "$out/$1" $port "$2" 2>"$out/$1.log" & ;;
	esac
	pid=$!
	tries=0
	until wrk -t1 -c1 -d1 "http://127.0.0.1:$port/hello" 2>/dev/null | grep -q 'requests in'; do
		tries=$((tries + 1))
		[ $tries -lt 20 ] || { echo "$1 does not start" >&2; exit 1; }
	done
}

# What others notice of many slow clients: those are there when wrk begins, and come again when they
# are turned away.
crowd=
disperse() {
	[ -z "$crowd" ] || { kill "$crowd" 2>/dev/null || true; wait "$crowd" 2>/dev/null || true; }
	crowd=
}
if [ "$slow" -gt 0 ]; then
	trap 'disperse; stop' EXIT
	$cc -std=gnu11 -O2 -g -Wall -Wextra -Iinclude -o "$out/crowd" bench/http/crowd.c \
		"$build/libtuza.a" -pthread -ldl
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, Linux $(uname -r)," \
		"$(date -u +%F); each row is one run of $seconds s."
	echo
	echo "| processors | connections | slow clients | requests/s | 50 % | 99 % | server's memory |"
	echo "|---|---|---|---|---|---|---|"
	for on in $procs; do
		for count in $connections; do
			for many in 0 "$slow" 0 "$slow"; do
				start tuza "$on"
				if [ "$many" -gt 0 ]; then
					"$out/crowd" $port "$many" >"$out/crowd.log" &
					crowd=$!
					until grep -q there "$out/crowd.log"; do
						kill -0 "$crowd" 2>/dev/null || { cat "$out/crowd.log" >&2; exit 1; }
						sleep 0.1
					done
				fi
				wrk -t1 -c"$count" -d"$seconds" --latency "http://127.0.0.1:$port/hello" >"$out/wrk"
				memory=$(awk '/^VmRSS/ { print int($2 / 1024) " MB" }' "/proc/$pid/status")
				disperse
				stop
				grep -q 'Non-2xx\|Socket errors' "$out/wrk" && { cat "$out/wrk" >&2; exit 1; }
				awk -v on="$on" -v count="$count" -v many="$many" -v memory="$memory" '
					/Requests\/sec/ { rate = $2 }
					$1 == "50%" { half = $2 }
					$1 == "99%" { late = $2 }
					END { printf "| %s | %s | %s | %d | %s | %s | %s |\n",
						on, count, many, rate, half, late, memory }' "$out/wrk"
			done
		done
	done
	exit 0
fi

about() { # what is measured
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs," \
		"Linux $(uname -r), $(date -u +%F); $1."
	echo
}

# Of a process and its children, in KiB: resident, and page tables.
memory() {
	for one in "$1" $(pgrep -P "$1"); do
		cat "/proc/$one/status"
	done | awk '/^VmRSS|^VmPTE/ { sum += $2 } END { print sum }'
}

# Each connection has had one answer: the memory of the server's process alone, before and after.
if [ "$idle" -gt 0 ]; then
	$cc -std=gnu11 -O2 -Wall -Wextra -o "$out/hold" bench/http/hold.c
	mkfifo "$out/held" 2>/dev/null || [ -p "$out/held" ]
	# shellcheck disable=SC3045 # dash and bash have it
	ulimit -n $((idle + 1000))
	about "growth of VmRSS and VmPTE by $idle connections, each idle after one answer"
	echo "| processors | server | bytes each |"
	echo "|---|---|---|"
	for on in $procs; do
		for side in $sides; do
			start "$side" "$on"
			before=$(memory "$pid")
			"$out/hold" $port "$idle" "$path" <"$out/held" >"$out/hold.log" &
			held=$!
			exec 3>"$out/held"
			until grep -q held "$out/hold.log"; do
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
	start nginx 2
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

: >"$out/raw"
for on in $procs; do
	for count in $connections; do
		round=0
		while [ $round -lt "$rounds" ]; do
			for side in $sides; do
				start "$side" "$on"
				threads=$((on < count ? on : count))
				wrk -t"$threads" -c"$count" -d"$seconds" --latency \
					"http://127.0.0.1:$port$path" >"$out/wrk"
				stop
				grep -q 'Non-2xx\|Socket errors' "$out/wrk" && { cat "$out/wrk" >&2; exit 1; }
				awk -v on="$on" -v count="$count" -v side="$side" '
					/Requests\/sec/ { rate = $2 }
					$1 == "50%" { half = $2 }
					$1 == "99%" { late = $2 }
					END { print on, count, side, rate, half, late }' "$out/wrk" >>"$out/raw"
			done
			round=$((round + 1))
		done
	done
done

echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) CPUs, Linux $(uname -r);" \
	"medians of $rounds runs of $seconds s, $(date -u +%F)."
awk '
	{
		key = $1 " " $2
		if (!(key in seen)) { seen[key] = 1; keys[++count] = key }
		n = ++runs[key, $3]
		rate[key, $3, n] = $4
		half[key, $3, n] = $5
		late[key, $3, n] = $6
	}
	# Sorts by rate and leaves the median in the globals r, h, l; spread in percent in s.
	function median(key, side,    n, i, j, t) {
		n = runs[key, side]
		for (i = 1; i <= n; i++)
			for (j = i + 1; j <= n; j++)
				if (rate[key, side, j] < rate[key, side, i]) {
					t = rate[key, side, i]; rate[key, side, i] = rate[key, side, j]; rate[key, side, j] = t
					t = half[key, side, i]; half[key, side, i] = half[key, side, j]; half[key, side, j] = t
					t = late[key, side, i]; late[key, side, i] = late[key, side, j]; late[key, side, j] = t
				}
		i = int((n + 1) / 2)
		r = rate[key, side, i]
		h = half[key, side, i]
		l = late[key, side, i]
		s = n > 1 ? 100 * (rate[key, side, n] - rate[key, side, 1]) / r : 0
	}
	END {
		print ""
		print "| processors | connections | server | requests/s | spread | tuza / it | 50 % | 99 % |"
		print "|---|---|---|---|---|---|---|---|"
		split("tuza go nginx", sides, " ")
		for (i = 1; i <= count; i++) {
			split(keys[i], part, " ")
			median(keys[i], "tuza")
			ours = r
			for (j = 1; j <= 3; j++)
				if ((keys[i], sides[j]) in runs) {
					median(keys[i], sides[j])
					printf "| %s | %s | %s | %d | %d %% | %.2f | %s | %s |\n",
						part[1], part[2], sides[j], r, s, ours / r, h, l
				}
		}
	}' "$out/raw"
