// SPDX-License-Identifier: MIT
/*
 * Select, when nothing seemed ready: the channels are locked in order of creation, which decides at
 * one instant: do a ready case, take the default, or put one waiter into each channel's queue and
 * park, the commit unlocking them all.
 *
 * selection.state says who ends the wait:
 *
 *   SELECTING ──commit──▶ PARKED ──a waker under its channel's lock──▶ WON, by selection.winner
 *       │                    └─────────the timer─────────────────────▶ WON
 *       └──the timer──▶ TIMED_OUT: the commit fails, nobody parks
 *
 * Only the winner touches the value or the goroutine. Losers' waiters are unlinked by the goroutine
 * itself, each under its channel's lock, which also puts it behind the commit's unlocking.
 *
 * Rejected: enqueueing one channel at a time (two selects that meet must back off).
 * Go: src/runtime/select.go
 */
#include "chan/select.h"

#include "base/fatal.h"
#include "sched/timer.h"
#include "sched/upcalls.h"

#include <stdlib.h>

enum { CASES_ON_STACK = 16 }; // a guess: their waiters lie on the goroutine's stack

enum selection_state { SELECTING, PARKED, WON, TIMED_OUT };

// What the wakers of one select compete for.
struct selection {
	struct goroutine *g;
	uint32_t state;  // atomic
	uint32_t winner; // written by whoever moved state to WON: index of the case, or TIMER_WON
	struct timer timer;
	// the channels of the cases, each once, in locking order
	tuza_chan **order;
	size_t order_count;
};
static const uint32_t TIMER_WON = UINT32_MAX;

// One select's attempt; on its stack, but for the waiters and the order of many cases.
struct attempt {
	struct selection selection;
	tuza_select_case *cases;
	size_t n;
	struct chan_waiter *waiters; // by case
	tuza_chan **order;
	struct chan_waiter few_waiters[CASES_ON_STACK];
	tuza_chan *few_order[CASES_ON_STACK];
	void *allocated; // NULL: all is on the stack
};

static void attempt_init(struct attempt *a, tuza_select_case *cases, size_t n)
{
	a->cases = cases;
	a->n = n;
	a->allocated = NULL;
	a->waiters = a->few_waiters;
	a->order = a->few_order;
	if (n > CASES_ON_STACK) {
		a->allocated = malloc(n * (sizeof *a->waiters + sizeof *a->order));
		if (!a->allocated)
			tuza_panic("tuza: out of memory");
		a->waiters = a->allocated;
		a->order = (tuza_chan **)(void *)(a->waiters + n);
	}
	a->selection.g = goroutine_current();
	a->selection.state = SELECTING;
}

// ---- who wins -----------------------------------------------------------------------------

bool selection_win(struct chan_waiter *w)
{
	uint32_t parked = PARKED;
	// (select-won) pairs with the load after the park: winner is written by one only.
	if (!cas_acq_rel(&w->select->state, &parked, WON))
		return false;
	w->select->winner = w->index;
	return true;
}

bool selection_waits(const struct chan_waiter *w)
{
	return load_relaxed(&w->select->state) == PARKED; // it parked before it dropped the lock
}

static struct goroutine *time_is_up(struct timer *t, int64_t now)
{
	struct selection *s = CONTAINER_OF(t, struct selection, timer);
	(void)now;
	uint32_t state = SELECTING;
	// (select-won) before the commit: it will see it
	if (cas_acq_rel(&s->state, &state, TIMED_OUT))
		return NULL;
	state = PARKED;
	// (select-won) after it: wake, unless a channel was first
	if (!cas_acq_rel(&s->state, &state, WON))
		return NULL;
	s->winner = TIMER_WON;
	return s->g;
}

// ---- locking them all ---------------------------------------------------------------------

static void sift_down(tuza_chan **a, size_t i, size_t n)
{
	tuza_chan *moving = a[i];
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && a[child + 1]->number > a[child]->number)
			child++;
		if (a[child]->number <= moving->number)
			break;
		a[i] = a[child];
	}
	a[i] = moving;
}

// By creation number. Mostly they come in that order; then it costs one pass.
static void sort(tuza_chan **a, size_t n)
{
	size_t sorted = 1;
	while (sorted < n && a[sorted - 1]->number <= a[sorted]->number)
		sorted++;
	if (sorted >= n)
		return;
	if (n <= CASES_ON_STACK) {
		for (size_t i = sorted; i < n; i++) {
			tuza_chan *c = a[i];
			size_t k = i;
			for (; k > 0 && a[k - 1]->number > c->number; k--)
				a[k] = a[k - 1];
			a[k] = c;
		}
		return;
	}
	for (size_t i = n / 2; i-- > 0;)
		sift_down(a, i, n);
	for (size_t end = n; end-- > 1;) {
		tuza_chan *c = a[0];
		a[0] = a[end];
		a[end] = c;
		sift_down(a, 0, end);
	}
}

// The channels of all cases, each once.
static void order_init(struct attempt *a)
{
	size_t count = 0, distinct = 0;
	for (size_t i = 0; i < a->n; i++)
		if (select_is_channel_case(&a->cases[i]) && a->cases[i].chan)
			a->order[count++] = a->cases[i].chan;
	sort(a->order, count);
	for (size_t i = 0; i < count; i++)
		if (distinct == 0 || a->order[distinct - 1] != a->order[i])
			a->order[distinct++] = a->order[i];
	a->selection.order = a->order;
	a->selection.order_count = distinct;
}

static void lock_all(const struct selection *s)
{
	for (size_t i = 0; i < s->order_count; i++)
		lock_acquire(&s->order[i]->lock);
}

static void unlock_in_order(tuza_chan **order, size_t n)
{
	// The order array may vanish with the last unlock: read ahead.
	tuza_chan *c = n ? order[0] : NULL;
	for (size_t i = 1; i < n; i++) {
		tuza_chan *next = order[i];
		lock_release(&c->lock);
		c = next;
	}
	if (c)
		lock_release(&c->lock);
}

static void unlock_all(const struct selection *s) { unlock_in_order(s->order, s->order_count); }

// ---- doing a ready case -------------------------------------------------------------------

// What try_locked did.
struct done {
	enum chan_result result;
	struct goroutine *wake;
	size_t bytes;
};

// One of the cases that may go on and were not tried in vain, each with the same probability: each
// replaces the pick with probability 1 / (how many so far). `ordered`: the first. Needs: all locks.
static size_t pick_locked(const struct attempt *a, bool ordered)
{
	size_t pick = a->n;
	uint32_t seen = 0;
	for (size_t i = 0; i < a->n; i++) {
		const tuza_select_case *k = &a->cases[i];
		if (!select_is_channel_case(k) || !k->chan || a->waiters[i].success ||
			!select_may_go_on(k))
			continue;
		seen++;
		if (pick == a->n || park_random_below(seen) == 0)
			pick = i;
		if (ordered)
			break;
	}
	return pick;
}

// Does one of the ready cases and drops all locks; SELECT_NOTHING: none is ready. Needs: all locks.
static int try_locked(struct attempt *a, bool ordered, struct done *done)
{
	for (size_t i = 0; i < a->n; i++)
		a->waiters[i].success = false; // until it waits: was tried in vain
	for (;;) {
		size_t pick = pick_locked(a, ordered);
		if (pick == a->n)
			return SELECT_NOTHING;
		const tuza_select_case *k = &a->cases[pick];
		tuza_chan *c = k->chan;
		done->result = select_do_locked(k, &done->wake);
		if (done->result != CHAN_WOULD_BLOCK) {
			done->bytes = c->elem_bytes;
			unlock_all(&a->selection);
			return (int)pick;
		}
		// Only losers wait there: not ready. Or a buffer must grow, without other locks.
		if (c->kind != CHAN_UNBOUNDED || k->kind != TUZA_SELECT_SEND_) {
			a->waiters[pick].success = true;
		} else {
			unlock_all(&a->selection);
			lock_acquire(&c->lock);
			chan_make_room(c);
			lock_release(&c->lock);
			lock_all(&a->selection);
		}
	}
}

// ---- waiting ------------------------------------------------------------------------------

// Starts the time limit, before the channels are locked: timers fire with their heap's lock held
// and take a channel's.
static void limit_start(struct attempt *a, int64_t time)
{
	bool is_thread = a->selection.g->flags & GOROUTINE_THREAD; // it outlives runs, too
	a->selection.timer = (struct timer){
		.fire = time_is_up, .outlives = is_thread, .thread_waits = is_thread};
	if (timer_start(&a->selection.timer, time) != 0) {
		free(a->allocated);
		tuza_panic("tuza: out of memory");
	}
}

// Puts a waiter into each channel's queue. Needs: all locks.
static void enqueue(struct attempt *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const tuza_select_case *k = &a->cases[i];
		struct chan_waiter *w = &a->waiters[i];
		if (!select_is_channel_case(k) || !k->chan)
			continue;
		w->g = a->selection.g;
		w->value = k->value;
		w->select = &a->selection;
		w->index = (uint32_t)i;
		w->elem_bytes = k->chan->elem_bytes; // the channel may be gone when we are woken
		w->success = false;
		race_release(w);
		bool receives = k->kind == TUZA_SELECT_RECV_;
		list_push_back(receives ? &k->chan->receivers : &k->chan->senders, &w->link);
	}
}

static bool commit(struct goroutine *g, void *selection)
{
	struct selection *s = selection;
	(void)g;
	// Without a channel whose lock it needs g may run, and *s be gone, once it can be woken.
	tuza_chan **order = s->order;
	size_t n = s->order_count;
	uint32_t state = SELECTING;
	// (select-won) pairs with time_is_up: from here on wakers may win
	bool stays = cas_acq_rel(&s->state, &state, PARKED);
	unlock_in_order(order, n);
	return stays;
}

// Takes the losers' waiters out of their queues. `winner` was taken out by its waker, and its
// channel may be gone.
static void dequeue(struct attempt *a, uint32_t winner)
{
	for (size_t i = 0; i < a->n; i++) {
		const tuza_select_case *k = &a->cases[i];
		if (!select_is_channel_case(k) || !k->chan || i == winner)
			continue;
		// Even if it is out already: behind the commit's unlock.
		lock_acquire(&k->chan->lock);
		if (link_is_linked(&a->waiters[i].link))
			list_remove(&a->waiters[i].link);
		lock_release(&k->chan->lock);
	}
}

// What the case that won does when it is woken. False: its channel was closed.
static bool woken(const tuza_select_case *k, struct chan_waiter *w)
{
	if (k->kind == TUZA_SELECT_SEND_)
		return chan_send_woken(w);
	bool success = chan_recv_woken(w);
	if (k->ok)
		*k->ok = success;
	return success;
}

int select_wait(tuza_select_case *cases, size_t n, const struct select_overview *o, bool ordered)
{
	struct attempt a;
	bool waits = o->default_index < 0;
	bool timed = waits && o->time_index >= 0;
	if (waits)
		park_check(WAIT_SELECT);
	if (waits && o->channels == 0 && !timed)
		park_for_ever(WAIT_SELECT_NONE);
	attempt_init(&a, cases, n);
	if (timed)
		limit_start(&a, o->time);
	order_init(&a);
	lock_all(&a.selection);
	struct done done;
	int taken = try_locked(&a, ordered, &done);
	if (taken != SELECT_NOTHING || !waits) {
		if (taken == SELECT_NOTHING)
			unlock_all(&a.selection);
		if (timed)
			timer_stop(&a.selection.timer); // before a panic gives this frame up
		free(a.allocated);
		if (taken == SELECT_NOTHING)
			return o->default_index;
		select_finish(&cases[taken], done.bytes, done.result, done.wake);
		return taken;
	}

	enqueue(&a);
	a.selection.g->waiting = &a;
	park(commit, &a.selection, WAIT_SELECT, NULL);
	a.selection.g->waiting = NULL; // it matters to one that is dropped before it gets here

	// (select-won) pairs with the swap that woke us
	uint32_t state = load_acquire(&a.selection.state);
	uint32_t winner = state == WON ? a.selection.winner : TIMER_WON;
	if (timed)
		timer_stop(&a.selection.timer); // if it fired: behind the end of its function
	dequeue(&a, winner);
	bool success = winner == TIMER_WON || woken(&cases[winner], &a.waiters[winner]);
	free(a.allocated);
	if (winner == TIMER_WON)
		return o->time_index;
	if (!success && cases[winner].kind == TUZA_SELECT_SEND_)
		chan_panic_closed();
	return (int)winner;
}

// ---- upcalls: looking at one that waits, and ending it (upcalls.h) ------------------------------

void select_unlink_losers(void *waiting)
{
	struct attempt *a = waiting;
	dequeue(a, a->selection.winner);
	free(a->allocated);
}

bool select_unlink_waiters(void *waiting)
{
	struct attempt *a = waiting;
	uint32_t parked = PARKED;
	// (select-won) as if its time were up: from here on wakers pass it by
	if (!cas_acq_rel(&a->selection.state, &parked, WON))
		return false;
	a->selection.winner = TIMER_WON;
	select_unlink_losers(a);
	return true;
}

void select_withdraw(void *waiting)
{
	struct attempt *a = waiting;
	for (size_t i = 0; i < a->n; i++)
		if (select_is_channel_case(&a->cases[i]) && a->cases[i].chan)
			list_remove(&a->waiters[i].link);
}

bool select_each_awaited(const void *waiting, void (*fn)(const void *channel, void *arg), void *arg)
{
	const struct attempt *a = waiting;

	if (!a || load_relaxed(&a->selection.state) != PARKED) // nobody runs
		return false;
	for (size_t i = 0; i < a->selection.order_count; i++)
		fn(a->order[i], arg);
	return true;
}
