// SPDX-License-Identifier: MIT
/*
 * Broadcast: a list of subscriptions, each with a channel, and no goroutine: the sender does it
 * all.
 *
 * Two locks. `sending` is held through a send, so that all subscribers see one order; a sender may
 * wait with it. `lock` guards the list and is never held across a wait: whoever subscribes or
 * unsubscribes does not wait for a sender that waits for a slow subscriber, which may be itself.
 *
 * A channel may be closed only when nobody sends to it. So the list's and a waiting sender's hold
 * on a subscription are counted, and the last one to let go closes it. Whoever unsubscribes closes
 * `gone`, which ends the sender's wait.
 *
 * Lock order: sending, lock, a channel's.
 */
#include "base/atomic.h"
#include "base/list.h"
#include "base/race_hooks.h"
#include "context/context.h"
#include "pattern/flow.h"

#include <stdlib.h>
#include <string.h>
#include <tuza/sync.h>

struct tuza_broadcast {
	// constant after the first subscription
	size_t elem_bytes;
	void (*retain)(void *elem);
	void (*drop)(void *elem);

	uint32_t references; // any goroutine, atomic: the owner's, and each subscription's

	tuza_mutex sending; // first
	// guarded by sending
	char *copy; // of two elements: for one subscriber, and one that makes room

	tuza_mutex lock;
	// guarded by lock
	struct link subscriptions;
	bool closed;
};

struct tuza_subscription {
	// constant
	tuza_broadcast *broadcast; // one reference
	tuza_chan *chan;           // one reference
	tuza_chan *gone;           // closed by tuza_unsubscribe; NULL unless the policy is to wait
	tuza_slow_policy policy;

	// any goroutine, atomic
	uint32_t references; // the subscriber's, and each sender's
	uint32_t senders;    // the list's, and that of a sender that waits: the last closes chan
	uint64_t missed;

	struct link link;               // in the list; guarded by the broadcast's lock
	struct tuza_subscription *next; // among those that a send waits for; guarded by sending
};

// ---- lives ---------------------------------------------------------------------------------

static void broadcast_release(tuza_broadcast *b)
{
	race_release(&b->references);
	// (broadcast-release) each release pairs with the last one, which frees.
	// (broadcast-release)
	if (sub_acq_rel(&b->references, 1) != 1)
		return;
	race_acquire(&b->references);
	free(b->copy);
	free(b);
}

// Gives up `n` references.
static void subscription_release(tuza_subscription *s, uint32_t n)
{
	race_release(&s->references);
	// (subscription-release) pairs with the last one, which frees. (subscription-release)
	if (sub_acq_rel(&s->references, n) != n)
		return;
	race_acquire(&s->references);
	tuza_chan_release(s->chan);
	tuza_chan_release(s->gone);
	broadcast_release(s->broadcast);
	free(s);
}

// The list, or a sender, will not send to it any more.
static void subscription_leave(tuza_subscription *s)
{
	// (subscription-leave) pairs with the other's: the last one's close comes after all sends.
	if (sub_acq_rel(&s->senders, 1) == 1) // (subscription-leave)
		tuza_chan_close(s->chan);
}

EXPORT tuza_broadcast *tuza_broadcast_new(size_t elem_bytes)
{
	tuza_chan_release(tuza_chan_new(elem_bytes, 0)); // panics if the size is out of range
	tuza_broadcast *b = calloc(1, sizeof *b);
	if (b)
		b->copy = malloc(align_up(elem_bytes, _Alignof(max_align_t)) + elem_bytes + 1);
	if (!b || !b->copy) {
		free(b);
		tuza_panic("tuza: out of memory");
	}
	b->elem_bytes = elem_bytes;
	b->references = 1;
	list_init(&b->subscriptions);
	return b;
}

EXPORT void tuza_broadcast_on_copy(
	tuza_broadcast *b, void (*retain)(void *elem), void (*drop)(void *elem))
{
	b->retain = retain;
	b->drop = drop;
}

// ---- sending -------------------------------------------------------------------------------

// The value as one subscriber gets it. Needs: sending.
static const void *copy_for_one(tuza_broadcast *b, const void *v)
{
	if (!b->retain)
		return v;
	memcpy(b->copy, v, b->elem_bytes);
	b->retain(b->copy);
	return b->copy;
}

static void copy_not_sent(tuza_broadcast *b)
{
	if (b->retain && b->drop)
		b->drop(b->copy);
}

static void subscription_misses(tuza_subscription *s)
{
	add_relaxed(&s->missed, 1); // statistic
}

// Sends without waiting. Needs: sending, lock.
static bool send_at_once(tuza_broadcast *b, tuza_subscription *s, const void *v)
{
	const void *copy = copy_for_one(b, v);
	char *oldest = b->copy + align_up(b->elem_bytes, _Alignof(max_align_t));
	int code = tuza_chan_try_send(s->chan, copy);

	// Nobody else sends: once a place is free, the next try finds it.
	while (code != 0 && s->policy == TUZA_SLOW_DROP_OLDEST && tuza_chan_cap(s->chan) > 0) {
		if (tuza_chan_try_recv(s->chan, oldest) == 0) {
			subscription_misses(s);
			flow_drop(s->chan, oldest);
		}
		code = tuza_chan_try_send(s->chan, copy);
	}
	if (code != 0)
		copy_not_sent(b);
	return code == 0;
}

// Waits for a subscriber. 0 when it got the value or has unsubscribed. Needs: sending, not lock.
static int send_waiting(tuza_broadcast *b, tuza_subscription *s, const void *v, tuza_context *ctx)
{
	const void *copy = copy_for_one(b, v);
	int taken = TUZA_SELECT(tuza_select_send_(s->chan, copy, UINT32_MAX),
		tuza_select_recv_(s->gone, NULL, 0, NULL), TUZA_DONE(ctx));

	if (taken != 0)
		copy_not_sent(b);
	return taken == 2 ? tuza_context_err(ctx) : 0;
}

// Subscriptions on their way, linked by next.
struct subscriptions {
	tuza_subscription *first, **last;
};

static void subscriptions_add(struct subscriptions *list, tuza_subscription *s)
{
	s->next = NULL;
	*list->last = s;
	list->last = &s->next;
}

static void leave_all(tuza_subscription *s)
{
	for (tuza_subscription *next; s; s = next) {
		next = s->next;
		subscription_leave(s);
		subscription_release(s, 1);
	}
}

// Sends to all that have room. `wait` gets those to wait for, `leave` those to leave. False: it is
// closed.
static bool send_to_all(
	tuza_broadcast *b, const void *v, struct subscriptions *wait, struct subscriptions *leave)
{
	TUZA_LOCK(&b->lock);
	if (b->closed)
		return false;
	for (struct link *l = b->subscriptions.next, *next; l != &b->subscriptions; l = next) {
		tuza_subscription *s = CONTAINER_OF(l, tuza_subscription, link);

		next = l->next;
		if (send_at_once(b, s, v))
			continue;
		if (s->policy == TUZA_SLOW_WAIT) {
			// (subscription-leave) Relaxed: the list still holds it.
			add_relaxed(&s->senders, 1);
			add_relaxed(&s->references, 1);
			subscriptions_add(wait, s);
			continue;
		}
		subscription_misses(s);
		if (s->policy == TUZA_SLOW_UNSUBSCRIBE) {
			list_remove(l);
			subscriptions_add(leave, s);
		}
	}
	return true;
}

EXPORT int tuza_broadcast_send(tuza_broadcast *b, tuza_context *ctx, const void *v)
	TUZA_TSA_(no_thread_safety_analysis)
{
	struct subscriptions wait = {NULL, &wait.first}, leave = {NULL, &leave.first};
	int code = tuza_mutex_lock_ctx(&b->sending, ctx);

	if (code != 0)
		return code;
	TUZA_DEFER(tuza_mutex_unlock, &b->sending);
	(void)tuza_context_done(ctx); // made here, where it may panic
	if (!send_to_all(b, v, &wait, &leave))
		return TUZA_ECLOSED;
	leave_all(leave.first);
	for (tuza_subscription *s = wait.first, *next; s; s = next) {
		next = s->next;
		if (code == 0)
			code = send_waiting(b, s, v, ctx);
		if (code != 0)
			subscription_misses(s);
		subscription_leave(s);
		subscription_release(s, 1);
	}
	return code;
}

EXPORT void tuza_broadcast_close(tuza_broadcast *b)
{
	struct subscriptions leave = {NULL, &leave.first};

	tuza_mutex_lock(&b->sending);
	tuza_mutex_lock(&b->lock);
	b->closed = true;
	for (struct link *l = b->subscriptions.next, *next; l != &b->subscriptions; l = next) {
		next = l->next;
		list_remove(l);
		subscriptions_add(&leave, CONTAINER_OF(l, tuza_subscription, link));
	}
	tuza_mutex_unlock(&b->lock);
	tuza_mutex_unlock(&b->sending);
	leave_all(leave.first);
}

EXPORT void tuza_broadcast_free(tuza_broadcast *b)
{
	tuza_broadcast_close(b);
	broadcast_release(b);
}

// ---- subscribing ---------------------------------------------------------------------------

EXPORT tuza_subscription *tuza_subscribe(
	tuza_broadcast *b, size_t capacity, tuza_slow_policy policy)
{
	if (unlikely((unsigned)policy > TUZA_SLOW_UNSUBSCRIBE))
		tuza_panic("tuza_subscribe: no such policy");
	tuza_chan *chan = tuza_chan_new(b->elem_bytes, capacity);
	tuza_chan *gone = NULL;
	tuza_subscription *s = calloc(1, sizeof *s);
	if (unlikely(!s || (policy == TUZA_SLOW_WAIT && tuza_chan_try_new(0, 0, &gone) != 0))) {
		free(s);
		tuza_chan_release(chan);
		tuza_panic("tuza: out of memory");
	}
	tuza_chan_on_drop(chan, b->drop);
	*s = (tuza_subscription){
		.broadcast = b, .chan = chan, .gone = gone, .policy = policy, .references = 1};
	add_relaxed(&b->references, 1); // the caller has one: it cannot go away
	tuza_mutex_lock(&b->lock);
	bool closed = b->closed;
	if (!closed) {
		s->references = 2;
		s->senders = 1;
		list_push_back(&b->subscriptions, &s->link);
	}
	tuza_mutex_unlock(&b->lock);
	if (closed)
		tuza_chan_close(chan);
	return s;
}

EXPORT void tuza_unsubscribe(tuza_subscription *s)
{
	tuza_broadcast *b = s->broadcast;

	tuza_mutex_lock(&b->lock);
	bool listed = link_is_linked(&s->link);
	if (listed)
		list_remove(&s->link);
	tuza_mutex_unlock(&b->lock);
	if (s->gone)
		tuza_chan_close(s->gone);
	if (listed)
		subscription_leave(s);
	subscription_release(s, listed ? 2 : 1);
}

EXPORT tuza_chan *tuza_subscription_chan(tuza_subscription *s) { return s->chan; }

EXPORT uint64_t tuza_subscription_missed(const tuza_subscription *s)
{
	return load_relaxed(&s->missed); // statistic
}
