// SPDX-License-Identifier: MIT
/*
 * Room for reports: a goroutine's stack may be 16 KiB and almost used up, a report needs 20 KiB.
 */
#ifndef TUZA_DEBUG_OWN_STACK_H
#define TUZA_DEBUG_OWN_STACK_H

#include "arch/arch.h"

/*
 * Calls fn(caller, arg) on a fresh stack of 192 KiB.
 *
 *   caller  the calling stack as a saved context, to be walked by backtrace_context. NULL when
 *           there was no memory for the stack: then fn runs on the calling one.
 *
 * fn must not park.
 */
void own_stack_call(void (*fn)(const struct arch_saved *caller, void *arg), void *arg);

#endif
