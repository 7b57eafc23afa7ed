// SPDX-License-Identifier: MIT
/*
 * The scheduler's state: processors, machines, and what they share. For sched/ alone, and for those
 * who have its key (src/LAYERS).
 *
 * Processor (Go's P): the right to run goroutines, and all that goes with it without a lock: run
 * queue, timers, caches. Machine (Go's M): an OS thread. It runs goroutines while it holds a
 * processor.
 */
#ifndef TUZA_SCHED_RUNTIME_H
#define TUZA_SCHED_RUNTIME_H

#include "base/fatal.h"
#include "base/list.h"
#include "base/random.h"
#include "sched/events.h"
#include "sched/goroutine.h"
#include "sched/latency.h"
#include "sched/lock.h"
#include "sched/park.h"
#include "sched/runq.h"
#include "sched/timer_heap.h"
#include "sys/poller.h"
#include "sys/sys.h"

enum {
	PROCESSORS_MAX = 1024,  // tuza_gomaxprocs' limit
	PROCESSORS_SPARE = 256, // lent on top while goroutines hog theirs (hogs.c)
	PROCESSOR_SLOTS = PROCESSORS_MAX + PROCESSORS_SPARE,
	FIRST_ID = 2,            // 1 is the main goroutine's
	GOROUTINE_CACHE = 64,    // Go: 64 dead descriptors per processor, half is spilled
	STACK_CACHE = 32,        // warm default stacks per processor: usually 128 KiB of memory
	GLOBAL_QUEUE_TICK = 61,  // Go's prime: keeps the global queue from starving
	GOROUTINE_ID_BATCH = 16, // Go: ids are handed out in batches per processor
	TIMER_TICK = 8, // switches of a busy processor between two looks at the clock (guess)
};

/*
 *   OFF ◀────▶ IDLE ◀────▶ RUNNING ◀────▶ BLOCKED
 *    ▲                        │              │
 *    └────────────────────────┘              └──▶ RUNNING or IDLE, taken by the monitor
 */
enum processor_status {
	PROCESSOR_OFF,     // not in service: beyond gomaxprocs, or a spare that nobody needs
	PROCESSOR_IDLE,    // in runtime.idle_processors
	PROCESSOR_RUNNING, // owned by a machine
	PROCESSOR_BLOCKED, // its machine is in a blocking section; whoever swaps the status owns it
};

enum attention {
	ATTENTION_ASKED = 1, // set by others: retire, time slice, stacks, the end
	ATTENTION_CHAOS = 2, // set always if it is on (chaos.h)
};

struct processor {
	struct runq runq;
	struct timer_heap timers; // run by anybody

	// any thread, atomic
	CACHE_ALIGNED uint32_t status; // enum processor_status
	uint32_t attention;            // enum attention: schedule() must take the slow look
	uint32_t retire; // set by the monitor: a spare runs in its place, go out of service

	// any thread, atomic hints of whoever looks for work: is the owner quick? (look.c)
	CACHE_ALIGNED uint64_t watched_runs; // what its runs were
	int64_t watched_at;                  // at this time
	uint32_t quickness;                  // 0 to QUICK_MOST

	// owner only; the monitor reads tick and runs, and so do lookers and statistics
	CACHE_ALIGNED uint32_t index;
	uint32_t tick;           // one per goroutine run that does not inherit the time slice
	uint64_t runs;           // one per goroutine run
	struct machine *machine; // the owner while RUNNING
	uint64_t random;
	uint64_t id_next, id_end; // goroutine ids in hand
	uint64_t created, ended;  // statistics: relaxed, only writer
	uint64_t steals;          // the same: goroutines found at other processors
	int64_t next_watch;       // when its machine takes nothing from a short ring (look.c)
	uint32_t patient_room;  // how many that can wait may go in before the next look (patient.c)
	uint32_t soft_skip;     // soft submissions since it last looked whether to wake (idle.c)
	struct goroutine *free; // dead descriptors
	uint32_t free_count;
	uint32_t stack_count;
	char *stacks[STACK_CACHE];
	struct processor *next_idle;  // guarded by runtime.lock
	uint64_t parks;               // statistics: relaxed, only writer
	uint64_t woken[EVENT_CAUSES]; // the same: goroutines that were put into its queue by events
	uint32_t latency_skip;        // so many more are not measured (latency.c)
	uint64_t latency_random;
	uint64_t mutex_wait_total;           // ns. Statistics, as all below: relaxed, only writer
	uint64_t latency_total;              // ns
	uint64_t latencies[LATENCY_BUCKETS]; // how often, by length

	// monitor only
	CACHE_ALIGNED uint32_t seen_tick;
	uint32_t seen_status;
	int64_t seen_since;    // when tick was seen to change
	int64_t blocked_since; // when it was first seen in a blocking section
	int64_t seen_cpu;      // CPU time of the machine then
	uint32_t seen_runs;
	struct machine *seen_machine;
};

struct machine {
	// the machine's own thread
	struct goroutine *current;   // what it runs; on a plain thread the thread's own descriptor
	struct processor *processor; // NULL when it has none: blocking section, idle, plain thread
	void *scheduler_top;         // of the thread's own stack; NULL for a plain thread
	int *errno_address;
	park_commit *commit; // of the park under way; NULL: release the lock commit_arg
	void *commit_arg;
	struct goroutine *locked;            // tuza_lock_os_thread: the only goroutine it may run
	struct processor *blocked_processor; // the one left behind by a blocking section
	bool spinning;                       // counted in runtime.spinning
	void *tsan_fiber;                    // the thread's own fiber
	void *asan_fake_stack;
	const void *asan_stack_bottom;
	size_t asan_stack_bytes;
	struct arch_landing exit_landing;
	sys_thread thread;
	uint64_t epoch;             // of the runtime that it belongs to
	struct trace_writer *trace; // trace/note.c: where it notes events; NULL: none yet

	// any thread, atomic
	uint32_t leave;       // set at the end of the runtime: leave at the next entry
	uint32_t wake_word;   // futex: 0 asleep or about to, 1 wake
	uint32_t in_blocking; // it runs a blocking section, or has no processor for whom it carries

	// guarded by runtime.lock
	struct processor *handed;        // what the waker hands over with wake_word
	struct goroutine *handed_locked; // a locked goroutine to run
	struct link idle;                // in runtime.idle_machines
	struct link all;                 // in runtime.machines, stragglers or ended
	struct goroutine *straggler;     // it ran that when the end gave up waiting; or NULL
	bool has_ended;                  // it is in `ended`
};

struct goroutine_chunk; // goroutine.c: 256 descriptors

struct runtime {
	// read by every spawn and ready, written when machines go idle or wake
	CACHE_ALIGNED uint32_t idle_processor_count; // atomic; written under lock
	uint32_t spinning;                           // atomic: machines that look for work
	int64_t soft_wake_after;                     // atomic hint: idle.c, "soft work"; 0: at once
	int64_t soft_backoff;                        // the same
	int64_t coarse_now;                          // atomic, any writer: ns

	// constant while the runtime runs, or nearly
	CACHE_ALIGNED struct processor *processors[PROCESSOR_SLOTS]; // [0, processor_count), atomic
	uint32_t processor_count; // atomic: ever created; only grows
	uint32_t target;          // atomic: gomaxprocs
	uint32_t started;         // atomic: 1 while it runs
	uint32_t ending;          // atomic: set from an end's beginning until the next start
	uint32_t some_ran;        // atomic: a machine has been ready to run goroutines
	uint32_t forked;          // atomic: this is a child of fork
	uint64_t epoch;
	uint32_t has_ended;     // atomic: it ran before, and dropped goroutines perhaps
	bool in_run;            // inside tuza_run
	uint32_t main_is_there; // atomic: its goroutine has been queued
	int run_thread;         // the thread that called it, or did last
	uint32_t target_set;    // atomic: by tuza_gomaxprocs, so the monitor leaves it alone

	CACHE_ALIGNED struct lock lock;
	// guarded by lock
	struct goroutine *global_head, *global_tail;   // the global queue
	struct goroutine *patient_head, *patient_tail; // those that can wait (patient.c)
	bool patient_turn;                             // of whoever is taken for fairness
	struct processor *idle_processors;             // a stack: the last one is the warmest
	struct link idle_machines;                     // the same
	struct link machines;
	struct link ended;      // machines whose threads the ender joins
	struct link stragglers; // those of runtimes that ended without them
	uint32_t idle_machine_count;
	uint32_t in_service;       // processors not OFF
	uint32_t lent;             // of those, spares in place of hogs
	struct goroutine *free;    // dead descriptors
	struct goroutine *starved; // have no stack yet
	struct goroutine_chunk *chunks;
	uint64_t foreign_created, foreign_ended;
	uint64_t foreign_woken[EVENT_CAUSES]; // atomic: by those without a processor
	uint64_t foreign_mutex_wait;          // the same, ns

	// any thread, atomic
	CACHE_ALIGNED uint32_t global_count; // with the patient ones; written under lock
	uint32_t patient_count;              // the same
	uint32_t starved_count;              // written under lock
	uint64_t ids_taken;                  // of goroutines, by batches
	uint32_t machine_count;              // machines that have not ended: futex of the ender
	uint32_t threads_refused;            // for the monitor: how often there was none to be had
	uint32_t visitors;                   // visit.c: futex of the ender as well
	uint32_t main_done;                  // futex of tuza_run
	int64_t poll_until;         // timekeeper: INT64_MIN none, else when it wakes by itself
	struct machine *timekeeper; // guarded by lock
	uint32_t monitor_word;      // futex of the monitor
	int64_t monitor_until;      // when it will look by itself, if nobody keeps time
	uint32_t monitor_asleep;    // it sleeps until somebody has work
	uint32_t monitor_stop;      // it shall end
	uint32_t monitor_alive;     // futex of monitor_stop()
};

extern HIDDEN struct runtime rt;

// How many processors exist: those below may be looked at.
static ALWAYS_INLINE uint32_t processor_count(void)
{
	// (processors) pairs with the store in processor_create.
	return load_acquire(&rt.processor_count);
}

static ALWAYS_INLINE struct processor *processor_at(uint32_t i)
{
	// (processors) pairs with the store in processor_create.
	return load_acquire(&rt.processors[i]);
}

#endif
