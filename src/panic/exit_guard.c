// SPDX-License-Identifier: MIT
/*
 * pthread_exit in a goroutine would end the machine, its processor and all that waits for them, so
 * it is fatal. The only thing that the C library asks on that way is the destructor of
 * thread-specific data.
 */
#include "base/fatal.h"
#include "sched/upcalls.h"

#include <pthread.h>

static pthread_once_t guard_once = PTHREAD_ONCE_INIT;
static pthread_key_t guard_key; // constant after guard_once
static bool guard_has_key;      // the same: false when the program has used up all keys

static void guard_hit(void *armed)
{
	(void)armed;
	fatal("tuza: pthread_exit in a goroutine");
}

static void guard_create(void) { guard_has_key = pthread_key_create(&guard_key, guard_hit) == 0; }

void exit_guard_arm(void)
{
	pthread_once(&guard_once, guard_create);
	if (guard_has_key)
		pthread_setspecific(guard_key, &guard_key);
}

void exit_guard_disarm(void)
{
	if (guard_has_key)
		pthread_setspecific(guard_key, NULL);
}
