// SPDX-License-Identifier: MIT
/*
 * The goroutine's descriptor. 256 bytes: a goroutine that has not started yet is nothing else.
 *
 * Descriptors live in chunks that are mapped until the runtime ends, so a stale pointer to one is
 * readable. A plain OS thread that uses tuza has one too (GOROUTINE_THREAD): whatever waits, waits
 * as a goroutine.
 */
#ifndef TUZA_SCHED_GOROUTINE_H
#define TUZA_SCHED_GOROUTINE_H

#include "arch/arch.h"
#include "base/atomic.h"
#include <tuza/goroutine.h>
#include <tuza/panic.h>

/*
 *            go                 schedule              park
 *   DEAD ──────────▶ RUNNABLE ──────────▶ RUNNING ──────────▶ WAITING
 *     ▲                 ▲  ▲     yield       │ │ ▲               │
 *     │                 │  └─────────────────┘ │ │ blocking_end  │
 *     │                 └──────────────────────┼─┼───────────────┘ ready
 *     └──────────── return, goexit ────────────┤ └── BLOCKED
 *                                              └──────▲ blocking_begin
 */
enum goroutine_state {
	GOROUTINE_DEAD,     // in a free list; owned by the list
	GOROUTINE_RUNNABLE, // in one run queue, or about to be; started and saved, or not started
	GOROUTINE_RUNNING,  // machine->current; the machine owns its stack
	GOROUTINE_WAITING,  // parked; whoever takes it out of the queue that it waits in owns it
	GOROUTINE_BLOCKED,  // in a blocking section: runs on its machine without a processor
};

enum goroutine_flags {
	GOROUTINE_THREAD = 1,    // a plain OS thread's descriptor
	GOROUTINE_STARTED = 2,   // has a stack and a context
	GOROUTINE_PANICKING = 4, // between a panic and its landing
	GOROUTINE_EXITING = 8,   // tuza_goexit runs the defers
	GOROUTINE_ERRNO = 16,    // it used tuza/errno.h: only for the race detector
	GOROUTINE_LOCKED = 32,   // tuza_lock_os_thread: runs on its machine only
	GOROUTINE_PATIENT = 256, // woken by an end or a deadline: it can wait (patient.c)
	GOROUTINE_LATE = 512,    // it parked after its run: a straggler (drop.c)
	// is put into no run queue when it is made ready
	GOROUTINE_APART = GOROUTINE_THREAD | GOROUTINE_LATE,
};

// On connections, at a time: a layer over one over one, and something that is asked of it.
enum { GOROUTINE_OPERATIONS = 4 };

// Why a goroutine waits: the words of Go's traceback. Unique, never re-used for something else.
#define WAIT_REASONS(X)                                                                            \
	X(WAIT_NONE, "")                                                                           \
	X(WAIT_CHAN_RECV, "chan receive")                                                          \
	X(WAIT_CHAN_SEND, "chan send")                                                             \
	X(WAIT_CHAN_RECV_NIL, "chan receive (nil chan)")                                           \
	X(WAIT_CHAN_SEND_NIL, "chan send (nil chan)")                                              \
	X(WAIT_SELECT, "select")                                                                   \
	X(WAIT_SELECT_NONE, "select (no cases)")                                                   \
	X(WAIT_SLEEP, "sleep")                                                                     \
	X(WAIT_IO, "IO wait")                                                                      \
	X(WAIT_CLOSE, "IO close")                                                                  \
	X(WAIT_MUTEX, "sync.Mutex.Lock")                                                           \
	X(WAIT_RWMUTEX_R, "sync.RWMutex.RLock")                                                    \
	X(WAIT_RWMUTEX_W, "sync.RWMutex.Lock")                                                     \
	X(WAIT_COND, "sync.Cond.Wait")                                                             \
	X(WAIT_WAITGROUP, "sync.WaitGroup.Wait")                                                   \
	X(WAIT_SEMAPHORE, "semacquire")                                                            \
	X(WAIT_ONCE, "sync.Once.Do")                                                               \
	X(WAIT_SINGLEFLIGHT, "singleflight.Do")                                                    \
	X(WAIT_JOIN, "tuza_join")                                                                  \
	X(WAIT_PROCESSOR, "tuza_blocking_end")

enum wait_reason {
#define WAIT_REASON_ENUM(name, text) name,
	WAIT_REASONS(WAIT_REASON_ENUM)
#undef WAIT_REASON_ENUM
};
const char *wait_reason_text(enum wait_reason reason);

struct machine;
struct goroutine_extra; // goroutine_extra.c: name, labels, locals, once one of them is set
struct try_frame;       // panic/try.c

struct goroutine {
	// constant between start and end
	uint64_t id;
	uint64_t creator_id;
	uintptr_t creation_pc; // in the function that holds the go statement

	// whoever owns the goroutine by its state
	struct goroutine *next; // in a free list, the global queue or a batch
	void *sp;               // the saved context, when STARTED and not RUNNING
	char *stack;            // its slot (stack.h); NULL before the first run and for threads
	uint32_t stack_class;
	uint32_t flags; // enum goroutine_flags, changed by the owner only

	// any thread, atomic
	uint32_t state; // enum goroutine_state
	uint32_t scan;  // 1 while a dump or the trimmer holds the goroutine (inspect_hold.h)

	// owner
	struct goroutine_extra *extra;
	void *owned; // malloc'ed, freed at the end: what tuza_go_copy copied, or stack arguments
	struct tuza_goroutine *handle; // tuza_spawn's, or NULL
	void *tsan_fiber;
	int64_t runnable_since; // 0: not measured (latency.c). Of whoever owns the goroutine

	union {
		struct arch_capture capture; // before the first run
		struct {
			struct machine *machine; // the one that runs it, or ran it last
			// what each wait uses
			void *waiting;           // its place in a queue, by wait_reason: see drop.c
			const void *wait_object; // channel, mutex … it waits on: for dumps
			int64_t wait_since;      // coarse clock, ns
			uint32_t wait_reason;
			int saved_errno;
			uint32_t operation_count;                  // under way on connections
			uint32_t operations[GOROUTINE_OPERATIONS]; // the first of them: net/
			uint32_t blocking;                         // nested blocking sections

			tuza_defer_record *defers;
			struct try_frame *tries;
			int64_t started_at;    // coarse clock, ns; for deadlock.c
			int64_t trimmed_since; // the wait_since when deep pages were given back
			void *asan_fake_stack;
			void *cxx_globals[2];       // __cxa_eh_globals of the goroutine
			struct panic_state *panics; // panic/panic.c: panics under way, newest first
			uint32_t park_word;         // threads: futex, 0 parked, 1 released
			uint32_t lock_count;        // nested tuza_lock_os_thread
		};
	};
};

/*
 * A go statement of the layers above: starts fn with these argument registers.
 *
 *   owned       malloc'ed, freed when the goroutine has ended; may be NULL.
 *   created_at  in the function that is to be shown as its creator.
 *
 * Returns  0, or -ENOMEM: `owned` is still the caller's.
 */
MUST_USE int goroutine_start(
	void (*fn)(void), const struct arch_registers *r, void *owned, uintptr_t created_at);

// The slot's usable part.
struct stack_bounds {
	char *low; // just above the guard
	char *top;
};

#endif
