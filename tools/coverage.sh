#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/coverage.sh BUILD: which share of each source's lines the tests ran, least covered first.
# The annotated sources (*.gcov) are left in BUILD/coverage.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
build=$(cd "${1:-build/coverage}" && pwd)

rm -rf "$build/coverage"
mkdir "$build/coverage"
cd "$build/coverage"
find "$build/CMakeFiles/tuza_objects.dir" -name '*.gcda' -exec gcov --preserve-paths {} + 2>/dev/null |
	awk -v prefix="$root/src/" '
		/^File / {
			file = substr($0, 7, length($0) - 7)
			mine = index(file, prefix) == 1
			file = substr(file, length(prefix) + 1)
		}
		mine && /^Lines executed:/ {
			split(substr($0, 16), part, "% of ")
			# A header shows up once for each source that includes it; the best count stands.
			if (part[1] >= percent[file]) percent[file] = part[1]
			lines[file] = part[2]
		}
		END {
			for (file in lines) {
				printf "%6.1f%%  %5d lines  %s\n", percent[file], lines[file], file
				run += percent[file] * lines[file] / 100
				all += lines[file]
			}
			if (all) printf "%6.1f%%  %5d lines  together\n", 100 * run / all, all
		}' | sort -n
