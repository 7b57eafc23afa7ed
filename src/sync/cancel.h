// SPDX-License-Identifier: MIT
/*
 * The waits of this folder that something else may end early (sched/cancellable.h): what context/
 * needs for tuza_mutex_lock_ctx and its like.
 */
#ifndef TUZA_SYNC_CANCEL_H
#define TUZA_SYNC_CANCEL_H

#include "sched/cancellable.h"
#include <tuza/sync.h>

// Each returns true when it has what the public function without a context waits for; false when it
// was cancelled before.
void mutex_cancellable_init(struct cancellable *c, tuza_mutex *m);
MUST_USE bool mutex_lock_cancellable(struct cancellable *c);

void rwmutex_cancellable_init(struct cancellable *c, tuza_rwmutex *rw);
MUST_USE bool rwmutex_lock_cancellable(struct cancellable *c);
MUST_USE bool rwmutex_rlock_cancellable(struct cancellable *c);

void waitgroup_cancellable_init(struct cancellable *c, tuza_waitgroup *wg);
MUST_USE bool waitgroup_wait_cancellable(struct cancellable *c);

void semaphore_cancellable_init(struct cancellable *c, tuza_semaphore *s, int64_t n);
MUST_USE bool semaphore_wait_cancellable(struct cancellable *c);

// `m` is locked again in either case.
void cond_cancellable_init(struct cancellable *c, tuza_cond *cond);
MUST_USE bool cond_wait_cancellable(struct cancellable *c, tuza_mutex *m);

#endif
