#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools/check_scripts.sh: the shell scripts are sound, says shellcheck.
#
# Left out: SC2016, because awk's and sh -c's programs are meant in single quotes; SC3045, because
# Debian's sh has ulimit -c.
set -u
cd "$(dirname "$0")/.." || exit 1

find tools tests bench .ci \( -name '*.sh' -o -path .ci/run \) -exec shellcheck -e SC2016,SC3045 {} +
