// SPDX-License-Identifier: MIT
/*
 * Select: waiting for one of several channel operations.
 *
 * First a look without locks: one of the cases that seem ready is picked at random, its channel
 * locked, the operation tried. Mostly that is all, and it costs one lock however many cases there
 * are. If nothing was ready, the channels are locked in order of creation, which decides at one
 * instant: do a ready case, take the default, or put one waiter into each channel's queue and park,
 * the commit unlocking them all.
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
 * Rejected: locking all channels first (64 locks for one ready case); enqueueing one channel at a
 * time (two selects that meet must back off). Go: src/runtime/select.go
 */
#include "base/fatal.h"
#include "base/race_hooks.h"
#include "base/random.h"
#include "chan/chan.h"
#include "sched/timer.h"
#include "sched/chaos.h"
#include "sched/upcalls.h"

#include <stdlib.h>

enum { CASES_MAX = 65536, CASES_ON_STACK = 16 };

enum selection_state { SELECTING, PARKED, WON, TIMED_OUT };

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

// ---- who wins -----------------------------------------------------------------------------

bool selection_win(struct chan_waiter *w)
{
	uint32_t parked = PARKED;
	// (select-won) pairs with the load after the park: winner is written by one only. Needs:
	// the channel's lock
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

static void unlock_all(const struct selection *s)
{
	// The order array may vanish with the last unlock: read ahead.
	tuza_chan **order = s->order;
	size_t n = s->order_count;
	tuza_chan *c = n ? order[0] : NULL;
	for (size_t i = 1; i < n; i++) {
		tuza_chan *next = order[i];
		lock_release(&c->lock);
		c = next;
	}
	if (c)
		lock_release(&c->lock);
}

static bool commit(struct goroutine *g, void *selection)
{
	struct selection *s = selection;
	(void)g;
	uint32_t state = SELECTING;
	// (select-won) pairs with time_is_up: from here on wakers may win
	bool stays = cas_acq_rel(&s->state, &state, PARKED);
	unlock_all(s);
	return stays;
}

// ---- the cases ----------------------------------------------------------------------------

static bool is_channel_case(const tuza_select_case *k) { return k->kind <= TUZA_SELECT_RECV_; }

// What the cases amount to besides channels.
struct overview {
	int default_index; // -1: none
	int time_index;    // the earliest timed case, -1: none
	int64_t time;      // absolute
	size_t channels;   // channel cases whose channel is not NULL
	size_t only;       // the last of them
};

static void survey(struct overview *o, const tuza_select_case *cases, size_t n)
{
	int64_t now = 0;
	*o = (struct overview){.default_index = -1, .time_index = -1};
	for (size_t i = 0; i < n; i++) {
		const tuza_select_case *k = &cases[i];
		if (likely(is_channel_case(k))) {
			if (unlikely(k->kind == 0))
				tuza_panic("tuza_select: invalid case");
			if (!k->chan)
				continue;
			if (unlikely(k->bytes != k->chan->elem_bytes && k->bytes != UINT32_MAX))
				chan_panic_size(k->kind == TUZA_SELECT_SEND_ ? "send" : "receive",
					k->bytes, k->chan);
			o->channels++;
			o->only = i;
		} else if (k->kind == TUZA_SELECT_DEFAULT_) {
			if (o->default_index >= 0)
				tuza_panic("tuza_select: multiple default cases");
			o->default_index = (int)i;
		} else if (k->kind == TUZA_SELECT_AFTER_ || k->kind == TUZA_SELECT_UNTIL_) {
			if (now == 0)
				now = clock_now();
			bool after = k->kind == TUZA_SELECT_AFTER_;
			int64_t at = after ? clock_after(now, k->time) : k->time;
			if (o->time_index < 0 || at < o->time) {
				o->time_index = (int)i;
				o->time = at;
			}
		} else {
			tuza_panic("tuza_select: invalid case");
		}
	}
}

static ALWAYS_INLINE bool may_go_on(const tuza_select_case *k)
{
	return k->kind == TUZA_SELECT_RECV_ ? chan_may_recv(k->chan) : chan_may_send(k->chan);
}

// Does a case under its channel's lock.
static enum chan_result do_locked(const tuza_select_case *k, struct goroutine **wake)
{
	return k->kind == TUZA_SELECT_RECV_ ? chan_recv_locked(k->chan, k->value, wake)
					    : chan_send_locked(k->chan, k->value, wake);
}

// After the unlock: tells, wakes, panics.
static int finish(const tuza_select_case *cases, size_t i, size_t bytes, enum chan_result r,
	struct goroutine *wake)
{
	const tuza_select_case *k = &cases[i];
	if (k->kind == TUZA_SELECT_SEND_) {
		if (unlikely(r == CHAN_CLOSED))
			chan_panic_closed();
	} else {
		if (k->ok)
			*k->ok = r == CHAN_DONE;
		race_write(k->value, bytes);
	}
	if (wake)
		ready(wake);
	return (int)i;
}

// ---- without waiting ----------------------------------------------------------------------

enum { NOTHING = -1 };

/*
 * Tries one case that seems ready. NOTHING: none seemed so, or somebody was faster. Of the ready
 * ones each is picked with the same probability; `ordered`: the first.
 */
static int try_unlocked(
	const tuza_select_case *cases, size_t n, const struct overview *o, bool ordered)
{
	uint64_t ready_bits[CASES_ON_STACK * 4] = {0};
	size_t ready_count = 0, last = 0;
	bool few = n <= sizeof ready_bits * 8;
	for (size_t i = 0; i < n; i++) {
		const tuza_select_case *k = &cases[i];
		if (is_channel_case(k)) {
			if (!k->chan || !may_go_on(k))
				continue;
		} else if ((int)i != o->time_index || o->time > clock_now()) {
			continue;
		}
		// Beyond what the bits hold: each replaces the pick with probability 1 / (how many
		// so far).
		if (++ready_count == 1 || few || park_random_below((uint32_t)ready_count) == 0)
			last = i;
		if (ordered)
			break;
		if (few)
			ready_bits[i / 64] |= (uint64_t)1 << (i % 64);
	}
	if (ready_count == 0)
		return NOTHING;
	size_t pick = last;
	if (few && ready_count > 1) {
		uint32_t skip = park_random_below((uint32_t)ready_count);
		size_t word = 0;
		while (skip >= (uint32_t)__builtin_popcountll(ready_bits[word]))
			skip -= (uint32_t)__builtin_popcountll(ready_bits[word++]);
		uint64_t bits = ready_bits[word];
		while (skip-- > 0)
			bits &= bits - 1;
		pick = word * 64 + (size_t)__builtin_ctzll(bits);
	}
	const tuza_select_case *k = &cases[pick];
	if (!is_channel_case(k))
		return (int)pick;
	struct goroutine *wake;
	if (k->kind == TUZA_SELECT_SEND_)
		race_read(k->value, k->chan->elem_bytes);
	size_t bytes = k->chan->elem_bytes;
	lock_acquire(&k->chan->lock);
	if (unlikely(k->chan->kind == CHAN_UNBOUNDED) && k->kind == TUZA_SELECT_SEND_)
		chan_make_room(k->chan);
	enum chan_result r = do_locked(k, &wake);
	lock_release(&k->chan->lock);
	return r == CHAN_WOULD_BLOCK ? NOTHING : finish(cases, pick, bytes, r, wake);
}

// ---- with all locks -----------------------------------------------------------------------

// Room for the slow way; on the stack for few cases, else malloc'ed.
struct slow {
	struct selection selection;
	const tuza_select_case *cases;
	size_t n;
	struct chan_waiter *waiters;
	tuza_chan **order;
	struct chan_waiter few_waiters[CASES_ON_STACK];
	tuza_chan *few_order[CASES_ON_STACK];
	void *allocated;
};

static void slow_init(struct slow *s, const tuza_select_case *cases, size_t n)
{
	s->cases = cases;
	s->n = n;
	s->allocated = NULL;
	s->waiters = s->few_waiters;
	s->order = s->few_order;
	if (n > CASES_ON_STACK) {
		s->allocated = malloc(n * (sizeof *s->waiters + sizeof *s->order));
		if (!s->allocated)
			tuza_panic("tuza: out of memory");
		s->waiters = s->allocated;
		s->order = (tuza_chan **)(void *)(s->waiters + n);
	}
	s->selection.g = goroutine_current();
	s->selection.state = SELECTING;
	s->selection.order = s->order;
	s->selection.order_count = 0;
}

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

static void relock_all(struct slow *s)
{
	for (size_t i = 0; i < s->selection.order_count; i++)
		lock_acquire(&s->order[i]->lock);
}

static void lock_all(struct slow *s, const tuza_select_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->waiters[i].success = false; // not tried yet: see try_locked
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		if (is_channel_case(&cases[i]) && cases[i].chan)
			s->order[count++] = cases[i].chan;
	sort(s->order, count);
	size_t distinct = 0;
	for (size_t i = 0; i < count; i++)
		if (distinct == 0 || s->order[distinct - 1] != s->order[i])
			s->order[distinct++] = s->order[i];
	s->selection.order_count = distinct;
	relock_all(s);
}

// What try_locked did.
struct done {
	enum chan_result result;
	struct goroutine *wake;
	size_t bytes;
};

// Does one of the ready cases and drops all locks; NOTHING: none is ready. Needs: all locks.
static int try_locked(
	struct slow *s, const tuza_select_case *cases, size_t n, bool ordered, struct done *done)
{
	// Uniform among the ready ones: each that may go on replaces the pick with probability 1 /
	// (how many so far).
	for (;;) {
		size_t pick = n;
		uint32_t seen = 0;
		for (size_t i = 0; i < n; i++) {
			const tuza_select_case *k = &cases[i];
			if (!is_channel_case(k) || !k->chan || s->waiters[i].success ||
				!may_go_on(k))
				continue;
			seen++;
			if (pick == n || park_random_below(seen) == 0)
				pick = i;
			if (ordered)
				break;
		}
		if (pick == n)
			return NOTHING;
		tuza_chan *c = cases[pick].chan;
		done->result = do_locked(&cases[pick], &done->wake);
		if (done->result != CHAN_WOULD_BLOCK) {
			done->bytes = c->elem_bytes;
			unlock_all(&s->selection);
			return (int)pick;
		}
		// Only losers wait there: not ready. Or a buffer must grow, without other locks.
		if (c->kind != CHAN_UNBOUNDED || cases[pick].kind != TUZA_SELECT_SEND_) {
			s->waiters[pick].success = true; // tried
		} else {
			unlock_all(&s->selection);
			lock_acquire(&c->lock);
			chan_make_room(c);
			lock_release(&c->lock);
			relock_all(s);
		}
	}
}

// Puts a waiter into each channel's queue. Needs: all locks.
static void enqueue(struct slow *s, const tuza_select_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const tuza_select_case *k = &cases[i];
		struct chan_waiter *w = &s->waiters[i];
		if (!is_channel_case(k) || !k->chan)
			continue;
		w->g = s->selection.g;
		w->value = k->value;
		w->select = &s->selection;
		w->index = (uint32_t)i;
		w->elem_bytes = k->chan->elem_bytes; // the channel may be gone when we are woken
		w->success = false;
		race_release(w);
		bool receives = k->kind == TUZA_SELECT_RECV_;
		list_push_back(receives ? &k->chan->receivers : &k->chan->senders, &w->link);
	}
}

// Takes the losers' waiters out of their queues. `winner` was taken out by its waker.
static void dequeue(struct slow *s, const tuza_select_case *cases, size_t n, uint32_t winner)
{
	for (size_t i = 0; i < n; i++) {
		const tuza_select_case *k = &cases[i];
		if (!is_channel_case(k) || !k->chan || i == winner)
			continue;
		// Even if it is out already: behind the commit's unlock.
		lock_acquire(&k->chan->lock);
		if (link_is_linked(&s->waiters[i].link))
			list_remove(&s->waiters[i].link);
		lock_release(&k->chan->lock);
	}
}

void select_unlink_losers(void *waiting)
{
	struct slow *s = waiting;
	// The winner's channel may be gone.
	dequeue(s, s->cases, s->n, s->selection.winner);
	free(s->allocated);
}

bool select_unlink_waiters(void *waiting)
{
	struct slow *s = waiting;
	uint32_t parked = PARKED;
	// (select-won) as if its time were up: from here on wakers pass it by
	if (!cas_acq_rel(&s->selection.state, &parked, WON))
		return false;
	s->selection.winner = TIMER_WON;
	select_unlink_losers(s);
	return true;
}

bool select_each_awaited(const void *waiting, void (*fn)(const void *channel, void *arg), void *arg)
{
	const struct slow *s = waiting;

	if (!s || load_relaxed(&s->selection.state) != PARKED) // nobody runs
		return false;
	for (size_t i = 0; i < s->selection.order_count; i++)
		fn(s->order[i], arg);
	return true;
}

static NOINLINE int select_slow(
	tuza_select_case *cases, size_t n, const struct overview *o, bool ordered)
{
	struct slow s;
	bool waits = o->default_index < 0;
	bool timed = waits && o->time_index >= 0;
	if (waits)
		park_check(WAIT_SELECT);
	if (waits && o->channels == 0 && !timed)
		park_for_ever(WAIT_SELECT_NONE);
	slow_init(&s, cases, n);
	if (timed) {
		// Before the channels are locked: timers fire with their heap's lock held and take
		// a channel's.
		bool is_thread = s.selection.g->flags & GOROUTINE_THREAD; // it outlives runs, too
		s.selection.timer = (struct timer){.fire = time_is_up, .outlives = is_thread};
		if (timer_start(&s.selection.timer, o->time) != 0) {
			free(s.allocated);
			tuza_panic("tuza: out of memory");
		}
	}
	lock_all(&s, cases, n);
	struct done done;
	int taken = try_locked(&s, cases, n, ordered, &done);
	if (taken != NOTHING || !waits) {
		if (taken == NOTHING)
			unlock_all(&s.selection);
		if (timed)
			timer_stop(&s.selection.timer); // before a panic gives this frame up
		free(s.allocated);
		return taken == NOTHING
			       ? o->default_index
			       : finish(cases, (size_t)taken, done.bytes, done.result, done.wake);
	}

	enqueue(&s, cases, n);
	s.selection.g->waiting = &s;
	park(commit, &s.selection, WAIT_SELECT, NULL);
	s.selection.g->waiting = NULL; // it matters to one that is dropped before it gets here

	// (select-won) pairs with the swap that woke us
	uint32_t state = load_acquire(&s.selection.state);
	uint32_t winner = state == WON ? s.selection.winner : TIMER_WON;
	if (timed)
		timer_stop(&s.selection.timer); // if it fired: behind the end of its function
	dequeue(&s, cases, n, winner);
	if (winner == TIMER_WON) {
		free(s.allocated);
		return o->time_index;
	}
	const tuza_select_case *k = &cases[winner];
	struct chan_waiter *w = &s.waiters[winner];
	bool success;
	if (k->kind == TUZA_SELECT_SEND_) {
		success = chan_send_woken(w);
	} else {
		success = chan_recv_woken(w);
		if (k->ok)
			*k->ok = success;
	}
	free(s.allocated);
	if (k->kind == TUZA_SELECT_SEND_ && !success)
		chan_panic_closed();
	return (int)winner;
}

static int select_any(tuza_select_case *cases, size_t n, bool ordered)
{
	if (unlikely(n > CASES_MAX))
		tuza_panic("tuza_select: too many cases (max 65536)");
	struct overview o;
	chaos_point();
	survey(&o, cases, n);
	int done = try_unlocked(cases, n, &o, ordered);
	if (done != NOTHING)
		return done;
	/*
	 * With one channel the look was exact: it was not ready at one instant. With several, each
	 * was not ready at another instant, though one of them may have been at every time: decide
	 * under all locks.
	 */
	if (o.default_index >= 0) {
		preempt_check(); // polled, perhaps
		if (o.channels == 0 || (o.channels == 1 && !may_go_on(&cases[o.only])))
			return o.default_index;
	}
	chaos_point();
	return select_slow(cases, n, &o, ordered);
}

EXPORT int tuza_select(tuza_select_case *cases, size_t n) { return select_any(cases, n, false); }

EXPORT int tuza_select_ordered(tuza_select_case *cases, size_t n)
{
	return select_any(cases, n, true);
}
