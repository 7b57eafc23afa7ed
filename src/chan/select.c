// SPDX-License-Identifier: MIT
/*
 * Select, without waiting: a look at all cases without locks; one of those that seem ready is
 * picked at random, its channel locked, the operation tried. Mostly that is all, and it costs one
 * lock however many cases there are. If nothing was ready select_wait.c decides under all locks.
 *
 * Rejected: locking all channels first (64 locks for one ready case). Go: src/runtime/select.go
 */
#include "chan/select.h"

#include "base/fatal.h"
#include "sched/chaos.h"
#include "sched/timer.h"

enum {
	CASES_MAX = 65536, // Go's
	BITS_MAX = 4096,   // a guess: half a KiB of the stack
};

// ---- the cases ----------------------------------------------------------------------------

static void survey(struct select_overview *o, const tuza_select_case *cases, size_t n)
{
	int64_t now = 0;
	*o = (struct select_overview){.default_index = -1, .time_index = -1};
	for (size_t i = 0; i < n; i++) {
		const tuza_select_case *k = &cases[i];
		if (likely(select_is_channel_case(k))) {
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

// ---- one that is ready --------------------------------------------------------------------

// The index of the bit that has `before` others below it.
static size_t bit_after(const uint64_t *bits, uint32_t before)
{
	size_t word = 0;
	while (before >= (uint32_t)__builtin_popcountll(bits[word]))
		before -= (uint32_t)__builtin_popcountll(bits[word++]);
	uint64_t left = bits[word];
	while (before-- > 0)
		left &= left - 1;
	return word * 64 + (size_t)__builtin_ctzll(left);
}

/*
 * One of the cases that seem ready, each with the same probability; `ordered`: the first of them.
 * SELECT_NOTHING: none does.
 */
static ALWAYS_INLINE int pick_ready(
	const tuza_select_case *cases, size_t n, const struct select_overview *o, bool ordered)
{
	uint64_t ready_bits[BITS_MAX / 64];
	uint32_t ready_count = 0;
	int last = SELECT_NOTHING;
	bool few = n <= BITS_MAX;
	for (size_t word = 0; few && word * 64 < n; word++)
		ready_bits[word] = 0;
	for (size_t i = 0; i < n; i++) {
		const tuza_select_case *k = &cases[i];
		if (select_is_channel_case(k)) {
			if (!k->chan || !select_may_go_on(k))
				continue;
		} else if ((int)i != o->time_index || o->time > clock_now()) {
			continue;
		}
		// Beyond what the bits hold: each replaces the pick with probability 1 / (how many
		// so far).
		if (++ready_count == 1 || few || park_random_below(ready_count) == 0)
			last = (int)i;
		if (ordered)
			break;
		if (few)
			ready_bits[i / 64] |= (uint64_t)1 << (i % 64);
	}
	if (few && ready_count > 1)
		return (int)bit_after(ready_bits, park_random_below(ready_count));
	return last;
}

// Does one case that seems ready. SELECT_NOTHING: none seems so, or somebody was faster.
static int try_one(
	const tuza_select_case *cases, size_t n, const struct select_overview *o, bool ordered)
{
	int pick = pick_ready(cases, n, o, ordered);
	if (pick == SELECT_NOTHING || !select_is_channel_case(&cases[pick]))
		return pick;
	const tuza_select_case *k = &cases[pick];
	tuza_chan *c = k->chan;
	size_t bytes = c->elem_bytes;
	struct goroutine *wake;
	if (k->kind == TUZA_SELECT_SEND_)
		race_read(k->value, bytes);
	lock_acquire(&c->lock);
	if (unlikely(c->kind == CHAN_UNBOUNDED) && k->kind == TUZA_SELECT_SEND_)
		chan_make_room(c);
	enum chan_result r = select_do_locked(k, &wake);
	lock_release(&c->lock);
	if (r == CHAN_WOULD_BLOCK)
		return SELECT_NOTHING;
	select_finish(k, bytes, r, wake);
	return pick;
}

static int select_any(tuza_select_case *cases, size_t n, bool ordered)
{
	if (unlikely(n > CASES_MAX))
		tuza_panic("tuza_select: too many cases (max 65536)");
	struct select_overview o;
	chaos_point();
	survey(&o, cases, n);
	int done = try_one(cases, n, &o, ordered);
	if (done != SELECT_NOTHING)
		return done;
	/*
	 * With one channel the look was exact: it was not ready at one instant. With several, each
	 * was not ready at another instant, though one of them may have been at every time: decide
	 * under all locks.
	 */
	if (o.default_index >= 0) {
		preempt_check(); // polled, perhaps
		if (o.channels == 0 || (o.channels == 1 && !select_may_go_on(&cases[o.only])))
			return o.default_index;
	}
	chaos_point();
	return select_wait(cases, n, &o, ordered);
}

EXPORT int tuza_select(tuza_select_case *cases, size_t n) { return select_any(cases, n, false); }

EXPORT int tuza_select_ordered(tuza_select_case *cases, size_t n)
{
	return select_any(cases, n, true);
}
