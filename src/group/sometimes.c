// SPDX-License-Identifier: MIT
/*
 * What is done on some occasions only. The mutex is held over the program's function: calls are
 * serialised, and who comes meanwhile sees the time at which the last one ended.
 *
 * After golang.org/x/time/rate, Sometimes.
 */
#include <tuza/limiter.h>

#include "base/compiler.h"
#include "sched/timer.h"

// Needs: the lock.
static bool is_occasion(const tuza_sometimes *s)
{
	if (s->count == 0 || s->count < s->first)
		return true;
	if (s->every > 0 && s->count % s->every == 0)
		return true;
	return s->interval > 0 && clock_now() - s->last >= s->interval;
}

EXPORT void tuza_sometimes_do(tuza_sometimes *s, void (*fn)(void *), void *arg)
{
	TUZA_LOCK(&s->lock);
	if (is_occasion(s)) {
		fn(arg);
		s->last = clock_now();
	}
	s->count++;
}
