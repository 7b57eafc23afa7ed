// SPDX-License-Identifier: MIT
/*
 * Single flight: a small hash of the calls under way, guarded by the group's mutex.
 *
 * The first caller of a key leads: it runs the function, takes the flight out of the table, then
 * wakes those who joined it, by the flight's address. A flight is counted by whoever flies in it;
 * the last one frees it. The group itself is not touched once the leader has taken the flight out.
 *
 * Lock order: the group's mutex; then, not under it, the bucket's lock. After
 * golang.org/x/sync/singleflight.
 */
#include "base/race_hooks.h"
#include "sched/upcalls.h"
#include "sched/waitqueue.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/sync.h>

enum flight_outcome {
	FLIGHT_EXITED, // tuza_goexit; also while it is under way
	FLIGHT_RETURNED,
	FLIGHT_PANICKED,
};

struct tuza_flight_ {
	// guarded by the group's mutex
	struct tuza_flight_ *next; // in its chain of the table
	bool listed;               // in the table
	bool joined;               // somebody shares it

	// any thread, atomic
	uint32_t fliers;

	// guarded by the bucket's lock of the flight's address
	bool landed;

	// written by the leader until it lands, constant then
	enum flight_outcome outcome;
	int code;
	void *result;
	char message[sizeof(((tuza_panic_info *)0)->message)];

	char key[]; // constant
};

// FNV-1a, folded to a chain of the table.
static struct tuza_flight_ **flight_chain(tuza_singleflight *sf, const char *key)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
	return &sf->flights[(hash ^ hash >> 32) % COUNT_OF(sf->flights)];
}

// The place that leads to the flight of `key`, or to the NULL at the chain's end. Needs: sf->lock.
static struct tuza_flight_ **flight_find(tuza_singleflight *sf, const char *key)
{
	struct tuza_flight_ **at = flight_chain(sf, key);

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static struct tuza_flight_ *flight_new(const char *key)
{
	size_t bytes = strlen(key) + 1;
	struct tuza_flight_ *flight = malloc(sizeof(*flight) + bytes);

	if (!flight)
		return NULL;
	memset(flight, 0, sizeof(*flight));
	memcpy(flight->key, key, bytes);
	flight->fliers = 1;
	return flight;
}

static void flight_leave(struct tuza_flight_ *flight)
{
	race_release(flight);
	// (flight) pairs with itself and tuza_singleflight_do: who frees it comes after all others.
	if (sub_acq_rel(&flight->fliers, 1) != 1)
		return;
	race_acquire(flight);
	free(flight);
}

struct flight_call {
	tuza_singleflight *sf;
	struct tuza_flight_ *flight;
	int (*fn)(void *arg, void **result);
	void *arg;
	bool shared;
};

static void flight_call_fn(void *arg)
{
	struct flight_call *call = arg;

	call->flight->code = call->fn(call->arg, &call->flight->result);
}

// However the function ended: takes the flight out of the table and wakes all who joined.
static void flight_land(struct flight_call *call) TUZA_TSA_(no_thread_safety_analysis)
{
	struct tuza_flight_ *flight = call->flight;

	tuza_mutex_lock(&call->sf->lock);
	if (flight->listed) {
		struct tuza_flight_ **at = flight_chain(call->sf, flight->key);
		while (*at != flight)
			at = &(*at)->next;
		*at = flight->next;
		flight->listed = false;
	}
	call->shared = flight->joined;
	tuza_mutex_unlock(&call->sf->lock);
	// From here on the group may be gone.

	race_release(flight);
	struct waitqueue *q = waitqueue_lock(flight);
	flight->landed = true;
	struct goroutine *list = waitqueue_take_all(q, flight);
	waitqueue_unlock(q);
	if (list)
		ready_list(list);
}

void singleflight_dropped(const tuza_defer_record *deferred)
{
	if (deferred->fn == (void (*)(void))flight_land)
		flight_land((struct flight_call *)deferred->arg);
	else if (deferred->fn == (void (*)(void))flight_leave)
		flight_leave((struct tuza_flight_ *)deferred->arg);
}

static void flight_lead(struct flight_call *call)
{
	tuza_panic_info info;

	TUZA_DEFER(flight_land, call);
	if (tuza_try(flight_call_fn, call, &info) == 0) {
		call->flight->outcome = FLIGHT_RETURNED;
	} else {
		call->flight->outcome = FLIGHT_PANICKED;
		memcpy(call->flight->message, info.message, sizeof(info.message));
	}
}

static void flight_join(struct tuza_flight_ *flight)
{
	struct queued w;

	park_check(WAIT_SINGLEFLIGHT);
	struct waitqueue *q = waitqueue_lock(flight);
	if (flight->landed) {
		waitqueue_unlock(q);
	} else {
		waitqueue_push(q, flight, &w, false);
		park_unlocking(&q->lock, WAIT_SINGLEFLIGHT, flight);
	}
	race_acquire(flight);
}

EXPORT int tuza_singleflight_do(tuza_singleflight *sf, const char *key, int (*fn)(void *, void **),
	void *arg, void **result, bool *shared)
{
	struct flight_call call = {.sf = sf, .fn = fn, .arg = arg, .shared = true};

	tuza_mutex_lock(&sf->lock);
	struct tuza_flight_ **at = flight_find(sf, key), *flight = *at;
	bool leads = !flight;
	if (flight) {
		flight->joined = true;
		// (flight) pairs with flight_leave. Relaxed: the leader, at least, still holds it.
		add_relaxed(&flight->fliers, 1);
	} else if ((flight = flight_new(key))) {
		flight->listed = true;
		*at = flight;
	}
	tuza_mutex_unlock(&sf->lock);
	if (!flight)
		return -ENOMEM;

	TUZA_DEFER(flight_leave, flight);
	call.flight = flight;
	if (leads)
		flight_lead(&call);
	else
		flight_join(flight);
	if (flight->outcome == FLIGHT_PANICKED)
		tuza_panic("%s", flight->message);
	if (flight->outcome == FLIGHT_EXITED)
		tuza_goexit();
	if (result)
		*result = flight->result;
	if (shared)
		*shared = call.shared;
	return flight->code;
}

EXPORT void tuza_singleflight_forget(tuza_singleflight *sf, const char *key)
{
	tuza_mutex_lock(&sf->lock);
	struct tuza_flight_ **at = flight_find(sf, key);
	if (*at) {
		(*at)->listed = false;
		*at = (*at)->next;
	}
	tuza_mutex_unlock(&sf->lock);
}
