# SPDX-License-Identifier: MIT
#
# The everyday commands. All work is done by CMake; this file only says which presets and scripts.
#
#   make            the libraries, both kinds, the programs of apps/ and the examples (build/release)
#   make run        tuza-check, which checks URLs, on a small site of its own
#   make tour       every example, with what it shows
#   make test       every test: plain, under the sanitizers, under valgrind, and the CPU layer for aarch64
#   make test-race  the tests under ThreadSanitizer, and programs of users as docs/RACES.md shows them
#   make check      format, linters, layers, barrier labels, exported symbols, headers
#   make format     lets clang-format have its way
#   make bench      the benchmarks, beside Go's where there is a `go` (bench/README.md)
#   make coverage   which lines the tests reach
#   make install    PREFIX=/usr/local DESTDIR=; as root and without DESTDIR also ldconfig, and gdb
#                   is told of goroutines (in /usr/share/gdb/auto-load)
#   make uninstall  removes what `make install` with the same DESTDIR put there last
#   make deps       installs what all of these need
#
# Each target installs the Debian packages it misses, or prints the command to do so (tools/deps.sh).

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

CMAKE_BUILD = cmake --build --parallel $(JOBS) --preset
# In quarters of a CPU: most tests wait more than they compute, and say how many they take (cmake/TuzaTests.cmake).
CTEST = ctest --parallel $$((4 * $(JOBS))) --preset

# One after the other: the tests want the machine for themselves, and each step uses all of it.
.NOTPARALLEL:

.PHONY: all run tour format test test-release test-debug test-asan test-tsan test-race test-valgrind test-aarch64 \
	test-aarch64-arch check bench coverage install install-check uninstall deps deps-build deps-test clean

all: configure-release
	@$(CMAKE_BUILD) release --target libraries apps examples

# Configures a preset once; afterwards CMake notices by itself what changed.
configure-%: deps-build
	@test -f build/$*/build.ninja || cmake --preset $*

run: configure-release
	@$(CMAKE_BUILD) release --target apps
	@build/release/apps/tuza-check

tour: all
	@tools/tour.sh build/release

test: test-release test-asan test-tsan test-valgrind test-aarch64-arch

test-release: deps-test configure-release
	@$(CMAKE_BUILD) release
	@$(CTEST) release

test-debug: deps-test configure-debug
	@$(CMAKE_BUILD) debug
	@$(CTEST) debug

test-asan: deps-test configure-asan
	@$(CMAKE_BUILD) asan
	@$(CTEST) asan

test-tsan: deps-test configure-tsan
	@$(CMAKE_BUILD) tsan
	@$(CTEST) tsan

test-race: test-tsan configure-release
	@$(CMAKE_BUILD) release --target libraries apps
	@$(CTEST) release --tests-regex '^meta/.*race_test'

test-valgrind: deps-test configure-release
	@$(CMAKE_BUILD) release
	@$(CTEST) memcheck

test-aarch64: deps-test configure-aarch64
	@$(CMAKE_BUILD) aarch64
	@$(CTEST) aarch64

# The CPU layer alone: the part that differs.
test-aarch64-arch: deps-test configure-aarch64
	@$(CMAKE_BUILD) aarch64 --target unit_arch
	@$(CTEST) aarch64 --tests-regex '^unit/arch/'

check: deps-check all
	@tools/check.sh build/release

format: deps-check
	@find include src apps tests examples bench -name '*.[ch]' -o -name '*.cpp' | \
		xargs clang-format -i

bench: configure-release
	@bench/run.sh

coverage: deps-test configure-coverage
	@$(CMAKE_BUILD) coverage
	@$(CTEST) coverage
	@tools/coverage.sh build/coverage

install-check:
	@at="$(DESTDIR)$(PREFIX)"; while [ ! -e "$$at" ]; do at=$$(dirname "$$at"); done; if [ ! -w "$$at" ]; then \
		echo "You may not write to $$at: sudo make install, or make install PREFIX=\$$HOME/.local" >&2; exit 1; fi

GDB_AUTO_LOAD = /usr/share/gdb/auto-load
# What is built stays its owner's when root installs it.
KEEP_OWNER = if [ "$$(id -u)" = 0 ]; then chown -R --reference=. build; fi

# The prefix is part of the package files, so it is configured in first.
install: install-check all
	@cmake --preset release -DCMAKE_INSTALL_PREFIX="$(PREFIX)" >/dev/null
	@$(CMAKE_BUILD) release --target libraries apps
	@DESTDIR="$(DESTDIR)" cmake --install build/release
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then \
		PATH="$$PATH:/sbin" ldconfig; \
		gdb=$(GDB_AUTO_LOAD); here="$(PREFIX)/share/gdb/auto-load"; \
		if [ -d $$gdb ] && [ -d "$$here" ] && [ "$$here" != $$gdb ]; then cp -R "$$here/." $$gdb; fi; \
	fi
	@$(KEEP_OWNER)

# Directories of tuza's own go with the last file in them.
uninstall:
	@list=build/release/install_manifest.txt; \
	if [ ! -e $$list ]; then echo "Nothing was installed from here ($$list is missing)" >&2; exit 1; fi; \
	while read -r file || [ -n "$$file" ]; do \
		set -- "$(DESTDIR)$$file"; \
		case $$file in */gdb/auto-load/*) \
			[ "$(DESTDIR)" ] || set -- "$$1" "$(GDB_AUTO_LOAD)/$${file#*/gdb/auto-load/}" ;; esac; \
		for one; do \
			rm -f "$$one" || exit 1; \
			dir=$$(dirname "$$one"); \
			while case $$dir in */tuza | */tuza/* | */auto-load/*) rmdir "$$dir" 2>/dev/null ;; *) false ;; esac; do \
				dir=$$(dirname "$$dir"); \
			done; \
		done; \
	done <$$list
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then PATH="$$PATH:/sbin" ldconfig; fi
	@echo "Removed $$(grep -c . build/release/install_manifest.txt) files"

deps: deps-check

deps-build:
	@tools/deps.sh build

deps-test:
	@tools/deps.sh test

deps-check:
	@tools/deps.sh check

clean:
	rm -rf build
