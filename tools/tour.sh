#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/tour.sh BUILD: runs every example, saying first what it shows: the comment that opens its
# source. In the order of examples/README.md, the pitfalls last. Fails when one of them does.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/release}

if [ -t 1 ]; then
	bold=$(printf '\033[1m')
	plain=$(printf '\033[0m')
else
	bold=
	plain=
fi

# The first comment after the licence line, without its stars and slashes.
title() {
	awk '
		/SPDX-License-Identifier|^\/\/ (not-under|run-alone):/ { next }
		/^\/\*/ { inside = 1 }
		!inside && /^\/\// { sub(/^\/\/ ?/, ""); print; seen = 1; next }
		inside {
			end = /\*\//
			sub(/^\/\* ?/, ""); sub(/ ?\*\/.*/, ""); sub(/^ \* ?/, "")
			if ($0 != "" || seen) { print; seen = 1 }
			if (end) exit
			next
		}
		seen { exit }
	' "$1" | awk 'NR > 1 && $0 == "" { blank++; next } { while (blank > 0) { print ""; blank-- } print }'
}

exec 4>&1 # standard output, inside the command substitution below
count=0
failures=
sources=$(sed '/^## The articles/q' examples/README.md | grep -oE '^\| \[[^]]*\]\([^)]*\.c\)' |
	sed 's/.*(\(.*\))/\1/')
for name in $sources; do
	source=examples/$name
	name=${name%.c}
	[ -x "$build/examples/$name" ] || continue # what it needs is not there: curl, OpenSSL
	count=$((count + 1))
	printf '%s%s%s\n' "$bold" "$source" "$plain"
	title "$source" | sed 's/^/# /; s/ $//'
	# The pipe would hide the status, so it goes through a descriptor of its own.
	status=$({ {
		"$build/examples/$name" </dev/null 2>&1
		echo $? >&3
	} | sed 's/^/    /' >&4; } 3>&1)
	case $status in
	0 | 77) ;;
	*) failures="$failures $name" ;;
	esac
	echo
done

if [ -n "$failures" ]; then
	echo "$count examples, these failed:$failures" >&2
	exit 1
fi
echo "$count examples ran. Their sources are in examples/; docs and headers: README.md, include/tuza/."
