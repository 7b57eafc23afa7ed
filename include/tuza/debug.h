// SPDX-License-Identifier: MIT
/*
 * Looking inside a running program.
 */
#ifndef TUZA_DEBUG_H
#define TUZA_DEBUG_H

#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Writes every goroutine to `fd`: number, name, state or wait reason, how long, stack, creation
 * site, in the words of Go's traceback. SIGQUIT does the same on standard error and ends the
 * process.
 *
 *   fd  any writable descriptor. What cannot be written is lost.
 *
 * Blocks   until it is written, in a blocking section: the other end of a pipe may be a goroutine.
 * Callable from  any goroutine or thread, at any time; one dump at a time. Others run on meanwhile.
 *          Not from a signal handler.
 * Go       runtime.Stack(buf, true)
 */
void tuza_dump(int fd);

/*
 * The calling goroutine's stack in the same words, cut to n bytes with the final 0.
 *
 * Returns  the length written, without the 0.
 * Blocks   never.
 * Callable from  any goroutine or thread.
 * Go       runtime.Stack(buf, false)
 */
size_t tuza_stack(char *buffer, size_t n);

// ---- private: what debuggers read of a process or a core file (share/tuza/tuza-gdb.py) ---------

struct tuza_debugger_fact_ {
	char name[40]; // "": the end of the table
	const void *value;
};
extern const struct tuza_debugger_fact_ tuza_debugger_runtime_[];
extern const struct tuza_debugger_fact_ tuza_debugger_chan_[];
extern const struct tuza_debugger_fact_ tuza_debugger_context_[];
extern const struct tuza_debugger_fact_ tuza_debugger_sync_[];

#ifdef __cplusplus
}
#endif
#endif
