// SPDX-License-Identifier: MIT
/*
 * The facts of locks and groups for debuggers: their words' bits.
 */
#include "base/debugger_facts.h"

#include "sync/mutex_state.h"
#include "sync/once_state.h"
#include "sync/rwmutex_state.h"
#include "sync/semaphore_state.h"

EXPORT const struct tuza_debugger_fact_ tuza_debugger_sync_[] = {
	FACT("mutex.locked", MUTEX_LOCKED),
	FACT("rwmutex.writer", RWMUTEX_WRITER),
	FACT("rwmutex.slots", RWMUTEX_SLOTS),
	FACT("rwmutex.reader", RWMUTEX_READER),
	FACT("waitgroup.one", (uint64_t)1 << 32), // the counter is the upper half
	FACT("once.done", ONCE_DONE),
	FACT("once.running", ONCE_RUNNING),
	FACT("semaphore.one", SEMAPHORE_ONE),
	FACTS_END,
};
