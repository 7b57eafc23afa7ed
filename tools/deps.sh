#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/deps.sh build|test|check: installs the Debian packages that are missing for a purpose, each
# purpose including the ones before it. Says nothing and asks apt nothing when all is there.
#
# Works as root or with sudo that asks for no password; else it prints the exact command and fails.
set -eu

purpose=${1:-check}
missing=

# need PACKAGE TEST...: the package is missing when the test fails.
need() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

has() { command -v "$1"; }

# What a compiler finds: file_of COMPILER NAME. A name it does not know is printed back bare.
file_of() {
	path=$("$1" -print-file-name="$2") && [ -e "$path" ]
}

curl_is_there() {
	echo '#include <curl/curl.h>' | gcc -E - >/dev/null
}

openssl_is_there() {
	echo '#include <openssl/ssl.h>' | gcc -E - >/dev/null
}

# The static probes; nothing else needs it (docs/PROBES.md).
sdt_is_there() {
	echo '#include <sys/sdt.h>' | gcc -E - >/dev/null
}

need_for_build() {
	need gcc has gcc
	need libc6-dev test -e /usr/include/stdio.h
	need binutils has objcopy
	need make has make
	need cmake has cmake
	need ninja-build has ninja
	need libcurl4-openssl-dev curl_is_there
	need libssl-dev openssl_is_there
	need node-llhttp test -e /usr/share/llhttp/llhttp.c
	need systemtap-sdt-dev sdt_is_there
	need pkg-config has pkg-config
}

need_for_test() {
	need g++ has g++
	need clang has clang
	need libclang-rt-dev file_of clang "libclang_rt.asan-$(uname -m).a"
	need lld has ld.lld
	need llvm has llvm-symbolizer
	need valgrind has valgrind
	need libc6-dbg test -d /usr/lib/debug/.build-id
	need gdb has gdb
	need python3 has python3
	need curl has curl
	need openssl has openssl
	need libcmocka-dev test -e /usr/include/cmocka.h
	need gcc-aarch64-linux-gnu has aarch64-linux-gnu-gcc
	need libc6-dev-arm64-cross test -e /usr/aarch64-linux-gnu/include/stdio.h
	need qemu-user has qemu-aarch64
}

need_for_check() {
	need clang-format has clang-format
	need clang-tidy has clang-tidy
	need cppcheck has cppcheck
	need shellcheck has shellcheck
}

look() {
	missing=
	need_for_build
	case $purpose in
	build) ;;
	test) need_for_test ;;
	check)
		need_for_test
		need_for_check
		;;
	*)
		echo "usage: tools/deps.sh build|test|check" >&2
		exit 2
		;;
	esac
}

look
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	sudo="sudo -n"
else
	sudo=none
fi
# shellcheck disable=SC2086 # the list of packages is meant to be split
if [ "$sudo" = none ] || ! command -v apt-get >/dev/null; then
	echo "These packages are missing:$missing. As root, run" >&2
	echo "	apt-get update && apt-get install --no-install-recommends -y$missing" >&2
	exit 1
fi
echo "Installing:$missing"
# shellcheck disable=SC2086
if ! { $sudo apt-get update -qq &&
	$sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get install --no-install-recommends -y -qq $missing >/dev/null; }; then
	echo "The installation failed. Once the package archive can be reached, as root, run" >&2
	echo "	apt-get update && apt-get install --no-install-recommends -y$missing" >&2
	exit 1
fi
look
if [ -n "$missing" ]; then
	echo "Still missing after the installation:$missing" >&2
	exit 1
fi
