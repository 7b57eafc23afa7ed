// SPDX-License-Identifier: MIT
/*
 * What the rest of sync/ needs of mutexes beyond the public functions.
 */
#ifndef TUZA_SYNC_MUTEX_H
#define TUZA_SYNC_MUTEX_H

#include <tuza/sync.h>

// tuza_mutex_unlock by a goroutine that is in some queue already and will park at once: never lets
// another run in its place.
void mutex_unlock_to_park(tuza_mutex *m);

#endif
