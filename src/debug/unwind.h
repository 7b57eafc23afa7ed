// SPDX-License-Identifier: MIT
/*
 * The stack of what a signal interrupted, wherever that was.
 */
#ifndef TUZA_DEBUG_UNWIND_H
#define TUZA_DEBUG_UNWIND_H

#ifndef _GNU_SOURCE
#error "ucontext.h needs _GNU_SOURCE"
#endif

#include "debug/backtrace.h"

#include <ucontext.h>

/*
 * Walks the interrupted stack by the unwind tables, innermost frame first, up to `most` frames. It
 * ends at a goroutine's or the scheduler's root, which is left out, or where it knows no further.
 *
 * Returns  how many frames: at least 1.
 * Callable from  a signal handler, whatever was interrupted. Takes no lock, allocates nothing,
 *          needs about 4 KiB of stack; memory that cannot be read ends the walk.
 */
uint32_t unwind_interrupted(
	const ucontext_t *context, struct backtrace_frame *frames, uint32_t most);

#endif
