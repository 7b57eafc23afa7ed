// SPDX-License-Identifier: MIT
/*
 * Goroutines as text, in the words of Go's traceback. The public functions are in tuza/debug.h.
 *
 *	goroutine 7 [chan receive, 2 minutes, locked to thread, name "feeder" labels:{"job": "12"}]:
 *	tuza_recv(...)
 *		/src/tuza/src/chan/chan.c:211 +0x5c
 *	feed(...)
 *		/src/feeder.c:31 +0x40
 *	created by start in goroutine 1
 *		/src/feeder.c:52 +0x1a
 *
 * Go has no names of goroutines; all else in the brackets stands where Go puts it. Of the runtime's
 * own frames only those are shown by which the user's code entered it.
 */
#ifndef TUZA_DEBUG_DUMP_H
#define TUZA_DEBUG_DUMP_H

#include "debug/backtrace.h"
#include "debug/writer.h"
#include "sched/inspect.h"

enum report_flags {
	REPORT_FATAL = 1,       // the process ends: rely on nobody
	REPORT_INTERRUPTED = 2, // in a signal handler on its alternate stack: what it interrupted
	REPORT_RUNTIME_FRAMES = 4, // show every frame: the runtime itself is to blame
	REPORT_CONTINUES = 8,      // a goroutine has been shown: a blank line comes first
};

/*
 * One report at a time. A thread that holds the lock may take it again (it crashed while it
 * reported). With REPORT_FATAL a report under way on another thread is waited for as long as it
 * goes on, up to 20 s; when nothing of it comes for 2 s it is written over. None begins meanwhile.
 */
void report_lock(unsigned flags);
void report_unlock(void);

// In chaos and in simulated runs: a line that says what makes the same dice, and a blank one.
void report_seed(struct writer *w);

// One goroutine: header, frames, creation site. `b` is its stack, NULL when that cannot be had.
void report_goroutine(
	struct writer *w, const struct inspected *i, const struct backtrace *b, unsigned flags);

// "created by feed in goroutine 7" and where that is; nothing when pc is 0.
void report_creation(struct writer *w, uintptr_t pc, uint64_t creator_id);

// The calling goroutine ("goroutine 0" on a thread that runs none). Takes no lock.
void report_current(struct writer *w, unsigned flags);

/*
 * All goroutines, the calling one first, a blank line between them. Takes the report lock.
 *
 *   skip_id  is left out, because it has been shown, or is not to be; 0: none.
 *
 * Without REPORT_FATAL they are ordered by number, and written after all were looked at; with it as
 * they come.
 */
void report_all(int fd, unsigned flags, uint64_t skip_id);

// The calling goroutine into `buffer`, cut to n > 0 bytes with the final 0. Returns the length.
size_t report_stack_text(char *buffer, size_t n, unsigned flags);

#endif
