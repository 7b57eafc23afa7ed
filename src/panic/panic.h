// SPDX-License-Identifier: MIT
/*
 * What the files of panic/ share. The public side is tuza/panic.h and base/fatal.h.
 */
#ifndef TUZA_PANIC_PANIC_H
#define TUZA_PANIC_PANIC_H

#include "debug/writer.h"
#include "sched/goroutine.h"

// Cut beyond: nothing here allocates, and the smallest stack has 16 KiB.
enum { PANIC_MESSAGE_BYTES = 1024 };

// The signal behind a panic that was a fault.
struct fault {
	int signal; // 0: no fault
	int code;   // siginfo's
	uintptr_t address;
	uintptr_t pc;
};

/*
 * A panic, or a tuza_goexit, under way. Lies on the goroutine's stack, in the frame from which the
 * deferred calls are made, until that stack is given up.
 */
struct panic_state {
	struct panic_state *older; // the one whose deferred call raised this one
	const char *message;       // NULL for tuza_goexit
	struct fault fault;
	bool is_exit; // ends the goroutine: no try contains it
	int saved_errno;
};

// A tuza_try under way; lies in its frame. Owner only.
struct try_frame {
	struct try_frame *outer;
	tuza_defer_record *defers;  // the list at its beginning: what it must not run
	struct panic_state *panics; // under way at its beginning
	tuza_panic_info *info;
	unsigned flags;    // of tuza_try_with
	uint32_t blocking; // nested blocking sections at its beginning
	struct arch_landing landing;
	void *jump; // under ThreadSanitizer: a jmp_buf
};

// ---- panic.c -------------------------------------------------------------------------------

// Panics because of a fault; the message is Go's. Called by faults.c on the stack that faulted.
NORETURN COLD void panic_fault(const struct fault *fault);

// Go's words for a fault.
const char *panic_fault_text(const struct fault *fault);

// Makes `p` the newest state of the goroutine, NULL for none, and sets the flags that follow from
// it.
void panic_set_state(struct goroutine *g, struct panic_state *p);

// For a deferred call: the text of the panic that makes it, if a try will contain that; else NULL.
const char *panic_contained_text(const struct goroutine *g);

// Fatal: a deferred call was lost, because its block was left by longjmp.
NORETURN COLD void panic_defer_lost(void);

// ---- try.c ---------------------------------------------------------------------------------

// The innermost try that would contain this kind of panic, or NULL.
struct try_frame *try_find(const struct goroutine *g, bool is_fault);

// Returns from the try's tuza_try with TUZA_EPANIC. Needs: the defers above it have run.
NORETURN void try_land(struct goroutine *g, struct try_frame *try);

// ---- cleanups.c ----------------------------------------------------------------------------

/*
 * Whether giving up the calling frames would skip a cleanup that is none of tuza's: a landing pad
 * for C++ destructors or handlers, or for another language's. Looks at frames below `limit`, NULL
 * for all.
 *
 *   pc  where such a frame stands.
 */
bool cleanups_find_foreign(const void *limit, uintptr_t *pc);

// ---- die.c ---------------------------------------------------------------------------------

/*
 * Begins the end of the process on this thread, and takes the report lock for good. If another one
 * has begun, waits for ever: it will end us (D7).
 *
 * Returns  false when this thread was dying already, so something failed while it reported: "panic
 *          during panic" has been written, only the stack is worth trying.
 */
bool die_begin(void);

// Whether this thread is ending the process.
bool die_is_under_way(void);

// Returns if no other thread is ending the process; else waits for that.
void die_await_other(void);

/*
 * Writes the calling goroutine's stack, or every goroutine's when `all`, more or less if
 * TUZA_TRACEBACK says so, and ends the process.
 */
NORETURN void die_with_stacks(bool all, unsigned report_flags);

// Reads TUZA_TRACEBACK: at the start of the runtime, because at the end the environment may be in
// ruins.
void die_read_environment(void);

// A writer on standard error with the buffer of whoever dies: call after die_begin.
void die_writer(struct writer *w);

// The text with a TAB before each line but the first, as in Go.
void die_write_indented(struct writer *w, const char *text);

// "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x…]" and a newline.
void die_write_fault(struct writer *w, const struct fault *fault);

// ---- own_code.c ----------------------------------------------------------------------------

// Whether the program counter lies in the program's own code: not the C library's, the system's or
// tuza's.
bool own_code_holds(uintptr_t pc);

#endif
