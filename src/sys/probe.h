// SPDX-License-Identifier: MIT
/*
 * Static probes (USDT): each is one no-op instruction and a note that tells bpftrace, perf, gdb and
 * SystemTap where it is and where its arguments are. From <sys/sdt.h>, if it was there when the
 * library was built (Debian: systemtap-sdt-dev); nothing else needs it. Without it there are none.
 *
 * PROBE_SEMAPHORE names the 16-bit counter of a probe, an alias of what lies at `where`: the tracer
 * counts it up while it listens. It has to lie in a section that is in the file.
 */
#ifndef TUZA_SYS_PROBE_H
#define TUZA_SYS_PROBE_H

#include "base/compiler.h"

#if defined(__has_include)
#if __has_include(<sys/sdt.h>)
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
#define PROBES_EXIST 1
#endif
#endif

#ifdef PROBES_EXIST
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments" // of STAP_PROBE1 and so on
#endif
#define PROBE1(name, a) STAP_PROBE1(tuza, name, a)
#define PROBE2(name, a, b) STAP_PROBE2(tuza, name, a, b)
#define PROBE3(name, a, b, c) STAP_PROBE3(tuza, name, a, b, c)
#define PROBE4(name, a, b, c, d) STAP_PROBE4(tuza, name, a, b, c, d)
#define PROBE_SEMAPHORE(name, where)                                                               \
	extern HIDDEN unsigned short tuza_##name##_semaphore;                                      \
	__asm__(".globl tuza_" #name "_semaphore\n"                                                \
		".hidden tuza_" #name "_semaphore\n"                                               \
		".set tuza_" #name "_semaphore, " where);
#else
#define PROBE1(name, a) ((void)(a))
#define PROBE2(name, a, b) ((void)(a), (void)(b))
#define PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#define PROBE_SEMAPHORE(name, where)
#endif

#endif
