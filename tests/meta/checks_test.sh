#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The checks that guard the code find what they are for: each is shown a small tree, first a clean
# one, then with one fault in it.
set -eu

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/tools" "$tree/src"
cp "$TUZA_SOURCE_DIR"/tools/check_*.sh "$tree/tools"
cp "$TUZA_SOURCE_DIR/src/LAYERS" "$TUZA_SOURCE_DIR/src/tuza.map" "$tree/src"
cp "$TUZA_SOURCE_DIR/.clang-format" "$tree"
cp "$TUZA_SOURCE_DIR/CMakeLists.txt" "$TUZA_SOURCE_DIR/Makefile" "$tree"
cp -r "$TUZA_SOURCE_DIR/.ci" "$tree"

failed=0
# clean CHECK: passes on the tree as it is.
clean() {
	if ! "$tree/tools/$1" >"$tree/log" 2>&1; then
		echo "failed: $1 on a clean tree"
		cat "$tree/log"
		failed=1
	fi
}
# finds TEXT CHECK FILE: fails, and says TEXT, once standard input has become FILE.
finds() {
	[ ! -e "$tree/$3" ] || cp "$tree/$3" "$tree/kept"
	mkdir -p "$tree/$(dirname "$3")"
	cat >"$tree/$3"
	if "$tree/tools/$2" >"$tree/log" 2>&1 || ! grep -qF -e "$1" "$tree/log"; then
		echo "failed: $2 did not say \"$1\" about"
		sed 's/^/	/' "$tree/$3"
		cat "$tree/log"
		failed=1
	fi
	rm "$tree/$3"
	[ ! -e "$tree/kept" ] || mv "$tree/kept" "$tree/$3"
}

mkdir -p "$tree/src/sched" "$tree/src/chan" "$tree/include/tuza"
cat >"$tree/src/sched/park.h" <<'END'
// SPDX-License-Identifier: MIT
#ifndef TUZA_SCHED_PARK_H
#define TUZA_SCHED_PARK_H
#include "base/atomic.h"
#include "sched/goroutine.h"

static inline int look(int *word)
{
	// (word) pairs with the release in show: what came before is seen.
	return load_acquire(word);
}

static inline void show(int *word)
{
	/*
	 * (word) pairs with the acquire
	 * in look, which
	 * reads it.
	 */
	int *p = word;
	store_release(p, 1);
}

#endif
END
cat >"$tree/src/chan/chan.c" <<'END'
// SPDX-License-Identifier: MIT
#include "chan/chan.h"
#include "sched/park.h"
#include <tuza/chan.h>
END

clean check_layers.sh
finds 'base may not include sched/park.h' check_layers.sh src/base/up.h <<'END'
#include "sched/park.h"
END
finds 'sched may not include debug/dump.h' check_layers.sh src/sched/up.c <<'END'
#include <stdio.h>
#  include "debug/dump.h"
END
finds 'sched/runq.h is not a door of sched' check_layers.sh src/chan/deep.c <<'END'
#include "sched/runq.h"
END
finds 'sched/inspect.h is not for chan' check_layers.sh src/chan/look.c <<'END'
#include "sched/inspect.h"
END
echo "int x;" | finds 'is not in src/LAYERS' check_layers.sh src/extra/new.c
finds '#if by __x86_64__' check_layers.sh src/chan/cpu.c <<'END'
#if defined(__x86_64__) && TUZA_DEBUG_CHECKS
#endif
END
finds '#if by __linux__' check_layers.sh src/chan/os.c <<'END'
#ifdef __linux__
#endif
END
finds 'write "folder/chan.h"' check_layers.sh src/chan/bare.c <<'END'
#include "chan.h"
END

clean check_barriers.sh
finds 'without the (label)' check_barriers.sh src/chan/a.c <<'END'
int f(int *p) { return load_acquire(p); }
END
finds 'without the (label)' check_barriers.sh src/chan/a.c <<'END'
// (word) pairs with show, but this is four lines above.
int a;
int b;
int c;
int f(int *p) { return load_acquire(p); }
END
finds 'stands at one end only' check_barriers.sh src/chan/a.c <<'END'
// (lonely) pairs with nothing.
int f(int *p) { return exchange_acq_rel(p, 1); }
END
finds 'no stand-alone fences' check_barriers.sh src/chan/a.c <<'END'
void f(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
END
finds 'only through base/atomic.h' check_barriers.sh src/chan/a.c <<'END'
int f(int *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
END
echo '// load_acquire(p) in a comment is no operation' >"$tree/src/chan/a.c"
clean check_barriers.sh
rm "$tree/src/chan/a.c"

if command -v clang-format >/dev/null; then
	rm "$tree/src/chan/chan.c" "$tree/src/sched/park.h"
	clean check_format.sh
	finds 'clang-format' check_format.sh src/chan/a.c <<'END'
// SPDX-License-Identifier: MIT
int  x;
END
	finds 'longer than 100 columns' check_format.sh src/chan/a.c <<'END'
// SPDX-License-Identifier: MIT
// 34567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890 1
END
	finds 'not the licence' check_format.sh src/chan/a.c <<'END'
int x;
END
	finds 'a note to oneself' check_format.sh src/chan/a.c <<END
// SPDX-License-Identifier: MIT
// TO${empty-}DO: later
END
	printf '# SPDX-License-Identifier: MIT\necho \n' |
		finds 'trailing space' check_format.sh tools/a.sh
fi

exit $failed
