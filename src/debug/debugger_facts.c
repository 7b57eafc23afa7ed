// SPDX-License-Identifier: MIT
/*
 * The scheduler's facts for debuggers: where goroutines are, what they do, how they are unwound.
 */
#include "base/debugger_facts.h"

#include "sched/goroutine_list.h"
#include "sched/runtime.h"

// As in symbol.c: the code of libtuza.a; both NULL in libtuza.so.
extern WEAK const char __start_tuza_text[], __stop_tuza_text[];

EXPORT const struct tuza_debugger_fact_ tuza_debugger_runtime_[] = {
	FACT_ADDRESS("text.start", __start_tuza_text),
	FACT_ADDRESS("text.end", __stop_tuza_text),
	FACT_ADDRESS("chunks", &rt.chunks),
	FACT_ADDRESS("coarse_now", &rt.coarse_now),
	FACT_OFFSET(goroutine_chunk, next),
	FACT_OFFSET(goroutine_chunk, goroutines),
	FACT("goroutine_chunk.count", GOROUTINES_PER_CHUNK),
	FACT("goroutine.bytes", sizeof(struct goroutine)),
	FACT_OFFSET(goroutine, id),
	FACT_OFFSET(goroutine, creator_id),
	FACT_OFFSET(goroutine, creation_pc),
	FACT_OFFSET(goroutine, sp),
	FACT_OFFSET(goroutine, stack),
	FACT_OFFSET(goroutine, stack_class), // its slot ends 1 << stack_class bytes further up
	FACT_OFFSET(goroutine, flags),
	FACT_OFFSET(goroutine, state),
	FACT_OFFSET(goroutine, extra), // begins with the name
	FACT_OFFSET(goroutine, handle),
	FACT_OFFSET(goroutine, capture.fn),
	FACT_OFFSET(goroutine, capture.gpr),
	FACT_OFFSET(goroutine, machine),
	FACT_OFFSET(goroutine, wait_object),
	FACT_OFFSET(goroutine, wait_since),
	FACT_OFFSET(goroutine, wait_reason),
	FACT_OFFSET(goroutine, lock_count),
	FACT("flag.started", GOROUTINE_STARTED),
	FACT("state.dead", GOROUTINE_DEAD),
	FACT("state.runnable", GOROUTINE_RUNNABLE),
	FACT("state.running", GOROUTINE_RUNNING),
	FACT("state.waiting", GOROUTINE_WAITING),
	FACT("state.syscall", GOROUTINE_BLOCKED),
	FACT_OFFSET(machine, current),
	FACT("machine.thread", offsetof(struct machine, thread) + offsetof(sys_thread, id)),
#define FACT_REASON(name, text) FACT("reason." text, name),
	WAIT_REASONS(FACT_REASON)
#undef FACT_REASON
#define FACT_SAVED(name, offset) FACT("saved." name, offset),
		ARCH_SAVED_REGISTERS(FACT_SAVED)
#undef FACT_SAVED
			FACT("saved_bytes", ARCH_SAVED_BYTES),
	FACT_ADDRESS("parked_at", arch_parked_at),
	FACTS_END,
};
