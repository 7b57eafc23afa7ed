// SPDX-License-Identifier: MIT
/*
 * What lock calls are in programs compiled without optimisation or with -DTUZA_WATCH_LOCKS: the
 * same, and with TUZA_DEBUG=lockorder their order is watched (lock_order.c); in chaos, and in
 * simulated runs, each is a place to give way.
 */
#include "base/atomic.h"
#include "debug/lock_order.h"
#include "sched/chaos.h"
#include "sched/config.h"

#include <tuza/context.h>
#include <tuza/sync.h>

static bool begins(void)
{
	chaos_point();
	return unlikely(config.lockorder);
}

EXPORT void tuza_mutex_lock_watched_(tuza_mutex *m) TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, m, false, true);
	tuza_mutex_lock(m);
	if (watches)
		lock_order_after(&h);
}

EXPORT bool tuza_mutex_try_lock_watched_(tuza_mutex *m) TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, m, false, false);
	if (!tuza_mutex_try_lock(m))
		return false;
	if (watches)
		lock_order_after(&h);
	return true;
}

EXPORT void tuza_mutex_unlock_watched_(tuza_mutex *m) TUZA_TSA_(no_thread_safety_analysis)
{
	if (begins())
		tuza_mutex_unlock_leaving_(m, lock_order_forget(m));
	else
		tuza_mutex_unlock(m);
}

// The number stays in the lock, for good.
static void number_stays(tuza_rwmutex *rw, const struct held *h)
{
	store_relaxed(
		&rw->number, (uint16_t)h->number); // all store the same, but for a race of firsts
	lock_order_after(h);
}

EXPORT void tuza_rwmutex_lock_watched_(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, rw, true, true);
	tuza_rwmutex_lock(rw);
	if (watches)
		number_stays(rw, &h);
}

EXPORT bool tuza_rwmutex_try_lock_watched_(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, rw, true, false);
	if (!tuza_rwmutex_try_lock(rw))
		return false;
	if (watches)
		number_stays(rw, &h);
	return true;
}

EXPORT void tuza_rwmutex_unlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	if (begins())
		(void)lock_order_forget(rw);
	tuza_rwmutex_unlock(rw);
}

EXPORT void tuza_rwmutex_rlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, rw, true, true);
	tuza_rwmutex_rlock(rw);
	if (watches)
		number_stays(rw, &h);
}

EXPORT bool tuza_rwmutex_try_rlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, rw, true, false);
	if (!tuza_rwmutex_try_rlock(rw))
		return false;
	if (watches)
		number_stays(rw, &h);
	return true;
}

EXPORT void tuza_rwmutex_runlock_watched_(tuza_rwmutex *rw) TUZA_TSA_(no_thread_safety_analysis)
{
	if (begins())
		(void)lock_order_forget(rw);
	tuza_rwmutex_runlock(rw);
}

// ---- with a context --------------------------------------------------------------------------

// Whoever may give up need not wait for ever.
static bool waits_for_ever(tuza_context *ctx) { return tuza_context_done(ctx) == NULL; }

EXPORT int tuza_mutex_lock_ctx_watched_(tuza_mutex *m, tuza_context *ctx)
	TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, m, false, waits_for_ever(ctx));
	int error = tuza_mutex_lock_ctx(m, ctx);
	if (watches && !error)
		lock_order_after(&h);
	return error;
}

EXPORT int tuza_rwmutex_lock_ctx_watched_(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, rw, true, waits_for_ever(ctx));
	int error = tuza_rwmutex_lock_ctx(rw, ctx);
	if (watches && !error)
		number_stays(rw, &h);
	return error;
}

EXPORT int tuza_rwmutex_rlock_ctx_watched_(tuza_rwmutex *rw, tuza_context *ctx)
	TUZA_TSA_(no_thread_safety_analysis)
{
	bool watches = begins();
	struct held h;

	if (watches)
		lock_order_before(&h, rw, true, waits_for_ever(ctx));
	int error = tuza_rwmutex_rlock_ctx(rw, ctx);
	if (watches && !error)
		number_stays(rw, &h);
	return error;
}
