// SPDX-License-Identifier: MIT
/*
 * Telling ASan, LSan, TSan, valgrind and the C++ runtime about stacks and switches (sanitizer.c).
 */
#ifndef TUZA_SCHED_SANITIZER_H
#define TUZA_SCHED_SANITIZER_H

#include "sched/goroutine.h"

struct machine;

void sanitizer_init(void);

/*
 * Called only if a switch needs more than registers: some tool or the C++ runtime is in the
 * program, or red zones are in use; then EVENTS_FOR_TOOLS is set (events.h). Just before the
 * registers move; what follows until then is not instrumented.
 * From a goroutine's stack to the scheduler's; `for_good`: the goroutine has ended.
 */
void sanitizer_leave(struct machine *m, struct goroutine *g, bool for_good);
// From the scheduler's stack to g's; `first`: it starts.
void sanitizer_enter(struct machine *m, struct goroutine *g, bool first);

// A machine's thread starts (its scheduler stack is known) and ends.
void sanitizer_machine_started(struct machine *m);

// A goroutine is made (by its creator) and freed.
void sanitizer_goroutine_created(struct goroutine *g);
void sanitizer_goroutine_freed(struct goroutine *g);
// The runtime ended before the goroutine did.
void sanitizer_goroutine_dropped(struct goroutine *g);

void sanitizer_stack_created(char *slot, uint32_t class);
void sanitizer_stack_destroyed(char *slot, uint32_t class);
/*
 * Under ThreadSanitizer a stack that comes free is kept for a while: returns the one to be used
 * again instead, or NULL. Takes those that rest out again, up to `count`: nobody else has any. At
 * the end of the runtime they are forgotten.
 */
char *sanitizer_stack_rests(char *slot);
size_t sanitizer_stacks_awake(char **slots, size_t count);
void sanitizer_stacks_forget(void);

// The chunks of descriptors stay for good: what those own is known to somebody.
void sanitizer_chunks_stay(void);

// Threads that the sanitizer's runtime keeps in the process.
int sanitizer_threads(void);

#endif
