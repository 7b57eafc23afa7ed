// SPDX-License-Identifier: MIT
/*
 * All of libtuza's headers, except go.h, which defines the bare word `go`, and errno.h, which
 * redefines `errno`: both are for those who ask for them. http.h and tls.h belong to libraries of
 * their own.
 *
 * The headers are the reference. What a comment leaves out is the same everywhere, unless it or the
 * header's first comment says otherwise. A function without
 *
 *	Returns         returns nothing, or what its first sentence names
 *	Errors          fails in no way
 *	Panics          panics for nothing that the comment allows; what waits panics inside a
 *	                blocking section, whatever it waits for
 *	Blocks          does not wait
 *	Callable from   may be called by any goroutine or thread, not by a signal handler
 *	Owns            gives nothing to free; what it is given stays the caller's, and is not kept
 *	Go              is not in Go
 *
 * Sizes and counts of memory are bytes. Durations are nanoseconds from the call, deadlines are
 * times of tuza_now. Negative results are codes, see error.h. No function changes errno.
 */
#ifndef TUZA_TUZA_H
#define TUZA_TUZA_H

#define TUZA_VERSION_MAJOR 0
#define TUZA_VERSION_MINOR 1
#define TUZA_VERSION_PATCH 0

// One number to compare: TUZA_VERSION >= TUZA_VERSION_NUMBER(0, 1, 0).
#define TUZA_VERSION_NUMBER(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))
#define TUZA_VERSION TUZA_VERSION_NUMBER(TUZA_VERSION_MAJOR, TUZA_VERSION_MINOR, TUZA_VERSION_PATCH)

#include <tuza/chan.h>
#include <tuza/context.h>
#include <tuza/debug.h>
#include <tuza/errgroup.h>
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/io.h>
#include <tuza/layer.h>
#include <tuza/limiter.h>
#include <tuza/malloc.h>
#include <tuza/net.h>
#include <tuza/panic.h>
#include <tuza/pattern.h>
#include <tuza/pprof.h>
#include <tuza/process.h>
#include <tuza/select.h>
#include <tuza/signal.h>
#include <tuza/sync.h>
#include <tuza/testing.h>
#include <tuza/time.h>
#include <tuza/trace.h>

#endif
