// SPDX-License-Identifier: MIT
/*
 * Claim: with the transitions of sync/rwmutex_state.h and sync/reader_slots.h a writer is alone and
 * readers see a writer's work whole, nobody waits for ever, and a release that lets others in
 * touches the lock no more, a last reader's only while somebody waits for it: a writer that comes
 * last frees (poisons) it. The same when waiters are cancelled, before they wait, while they do, or
 * when they have been woken: a writer that gives up leaves nobody behind. A reader in a slot
 * touches the lock no more when it leaves, and count and slots are level in the end.
 */
#include "hurry.h"

struct tuza_reader_line_;
extern _Thread_local struct tuza_reader_line_ *own_line;
_Thread_local struct tuza_reader_line_ *own_line; // constant
#define TUZA_READER_LINE_TO_(to) ((to) = own_line)
// Others get in between the steps of a writer that counts, too.
#undef add_relaxed
#define add_relaxed(p, v) (turn_pause(), __atomic_fetch_add((p), (v), __ATOMIC_RELAXED))
#include "sync/reader_slots.h"

#define LOCKERS 5
#define THREADS (LOCKERS + 1) // and one that cancels
#define POISON 0xdead000000u

// A thread's wait, as in sched/cancellable.h.
struct wait {
	struct waiter waiter;
	struct bucket *queue; // where it waits
	// guarded by the bucket's lock
	bool cancelled;
	bool removed;
};

static struct bucket writers = BUCKET_INIT; // its lock is the bucket's
static struct bucket readers = BUCKET_INIT; // its own lock is not used
static struct wait waits[LOCKERS];
static struct tuza_reader_line_ lines[THREADS];
static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
// Both have the same slot in a line. The other one has no writers, but its readers are counted now
// and then.
static uint64_t state __attribute__((aligned(4096)));
static uint64_t other __attribute__((aligned(4096)));
static uint64_t era;      // atomic
static int first, second; // plain: written by writers, always both
static int written;       // atomic: turns of writers that had the lock
static int left;          // atomic: turns that have not ended
static bool poisoned;     // plain: by the last one

bool tuza_reader_undo_(struct tuza_reader_line_ *mine, uint32_t slot)
{
	pthread_mutex_lock(&lines_lock);
	bool is_held = reader_slots_undo(mine, slot);
	pthread_mutex_unlock(&lines_lock);
	return is_held;
}

bool tuza_reader_is_out_(struct tuza_reader_line_ *mine, uint32_t slot)
{
	pthread_mutex_lock(&lines_lock);
	bool is_out = reader_slots_is_out(mine, slot);
	pthread_mutex_unlock(&lines_lock);
	return is_out;
}

static void listen(void)
{
	pthread_mutex_lock(&lines_lock);
	reader_slots_heard(own_line);
	pthread_mutex_unlock(&lines_lock);
}

static void release_list(struct waiter *list)
{
	for (struct waiter *next; list; list = next) {
		next = list->next;
		waiter_release(list);
	}
}

static uint64_t count_readers(void)
{
	uint64_t count = 0;

	for (const struct waiter *w = readers.first; w; w = w->next)
		count += RWMUTEX_READER;
	return count;
}

static struct waiter *take_readers(void)
{
	struct waiter *list = readers.first;

	readers.first = NULL;
	return list;
}

static struct waiter *writer_left(void)
{
	if (writers.first || !rwmutex_state_let_in(&state, count_readers()))
		return NULL;
	return take_readers();
}

// Whoever is cancelled is taken out if it waits; those that waited for it alone go in.
static void cancel(struct wait *c)
{
	struct waiter **at = NULL, *w = NULL, *list = NULL;

	pthread_mutex_lock(&writers.lock);
	c->cancelled = true;
	if (c->queue)
		for (at = &c->queue->first; *at && *at != &c->waiter;)
			at = &(*at)->next;
	if (at && (w = *at)) {
		*at = w->next;
		c->removed = true;
		list = writer_left();
	}
	pthread_mutex_unlock(&writers.lock);
	if (w)
		waiter_release(w);
	release_list(list);
}

static void pass_on(void)
{
	turn_pause();
	pthread_mutex_lock(&writers.lock);
	struct waiter *w = writers.first, *list = NULL;
	uint64_t next = count_readers();
	if ((!w && !readers.first) || !rwmutex_state_is_free(&state)) {
		pthread_mutex_unlock(&writers.lock);
		return;
	}
	if (w)
		next = RWMUTEX_WRITER | (w->next || readers.first ? RWMUTEX_WAITING : 0);
	if (!rwmutex_state_give(&state, next)) {
		w = NULL;
	} else if (w) {
		(void)bucket_pop(&writers);
		w->granted = true;
	} else {
		list = take_readers();
	}
	pthread_mutex_unlock(&writers.lock);
	if (w)
		waiter_release(w);
	release_list(list);
}

static void count_slots(uint64_t *word)
{
	pthread_mutex_lock(&writers.lock);
	pthread_mutex_lock(&lines_lock);
	uint64_t seen = reader_slots_close(word, lines, THREADS);
	if (seen & RWMUTEX_SLOTS) {
		barrier_in_all_threads();
		turn_pause();
		reader_slots_count(word, seen, lines, THREADS);
	}
	pthread_mutex_unlock(&lines_lock);
	pthread_mutex_unlock(&writers.lock);
}

static void runlock_counted(uint64_t *word)
{
	uint64_t seen;

	while (!rwmutex_state_runlock(word, &seen)) {
		assert(seen & RWMUTEX_SLOTS);
		count_slots(word);
	}
	if (rwmutex_was_last(seen))
		pass_on();
}

// `elsewhere`: on another thread than the lock was taken on.
static void runlock(bool elsewhere)
{
	uint64_t seen = load_relaxed(&state);

	turn_pause();
	if (seen == RWMUTEX_READER) {
		if (!rwmutex_state_runlock_only(&state))
			pass_on();
		return;
	}
	if (elsewhere || !(seen & RWMUTEX_SLOTS) || !tuza_reader_leave_(&state, seen))
		runlock_counted(&state);
}

// A reader that is counted lets others use slots.
static void bias(uint64_t *word)
{
	uint64_t next = add_relaxed(&era, 1) % 0xffff + 1;

	turn_pause();
	pthread_mutex_lock(&writers.lock);
	pthread_mutex_lock(&lines_lock);
	while (reader_slots_have(word, next, lines, THREADS))
		next = next % 0xffff + 1;
	pthread_mutex_unlock(&lines_lock);
	reader_slots_begin(word, next);
	pthread_mutex_unlock(&writers.lock);
}

// Both locks: false when cancelled.

static bool rlock(struct wait *c)
{
	uint64_t seen = load_relaxed(&state);

	turn_pause();
	if (seen & RWMUTEX_BIASED) {
		if (load_relaxed(&own_line->told))
			listen();
		if (tuza_reader_enter_(&state, seen))
			return true;
	}
	seen = rwmutex_state_rlock(&state);
	if (!(seen & (RWMUTEX_WRITER | RWMUTEX_WAITING))) {
		if (!(seen & RWMUTEX_SLOTS))
			bias(&state);
		return true;
	}
	turn_pause();
	runlock_counted(&state);
	while (!rwmutex_state_try_rlock(&state)) {
		pthread_mutex_lock(&writers.lock);
		if (c->cancelled) {
			pthread_mutex_unlock(&writers.lock);
			return false;
		}
		if (!rwmutex_state_park_reader(&state)) {
			pthread_mutex_unlock(&writers.lock);
			continue;
		}
		bucket_push(&readers, &c->waiter, false);
		c->queue = &readers;
		bucket_park(&writers, &c->waiter);
		return !c->removed;
	}
	return true;
}

static bool wlock(struct wait *c)
{
	struct waiter *w = &c->waiter;
	uint64_t woken = 0;

	while (!rwmutex_state_lock(&state, woken)) {
		uint64_t seen = load_relaxed(&state);
		assert(!rwmutex_is_overdrawn(seen));
		if (seen & RWMUTEX_SLOTS) {
			count_slots(&state);
			continue;
		}
		turn_pause();
		pthread_mutex_lock(&writers.lock);
		if (!rwmutex_state_park_writer(&state, woken)) {
			pthread_mutex_unlock(&writers.lock);
			continue;
		}
		if (c->cancelled) {
			struct waiter *list = writer_left();
			pthread_mutex_unlock(&writers.lock);
			release_list(list);
			return false;
		}
		w->passed = woken != 0;
		bucket_push(&writers, w, woken != 0);
		c->queue = &writers;
		bucket_park(&writers, w);
		if (w->granted)
			return true;
		if (c->removed)
			return false;
		woken = RWMUTEX_WOKEN;
	}
	return true;
}

static void wunlock(void)
{
	struct waiter *w = NULL;
	uint64_t seen;

	if (rwmutex_state_unlock_idle(&state, &seen))
		return;
	pthread_mutex_lock(&writers.lock);
	uint64_t woken = load_relaxed(&state) & RWMUTEX_WOKEN;
	uint64_t next = count_readers();
	struct waiter *list = take_readers();
	if (woken) {
		next |= RWMUTEX_WOKEN | RWMUTEX_WAITING;
	} else if (!list && (w = bucket_pop(&writers))) {
		w->granted = w->passed;
		next = w->granted ? RWMUTEX_WRITER : RWMUTEX_WOKEN | RWMUTEX_WAITING;
	}
	if (writers.first)
		next |= RWMUTEX_WAITING;
	rwmutex_state_pass_on(&state, next);
	pthread_mutex_unlock(&writers.lock);
	release_list(list);
	if (w)
		waiter_release(w);
}

// A turn begins: the wait of before is over for the one that cancels, too.
static struct wait *turn_begin(void *number)
{
	struct wait *c = &waits[(intptr_t)number];

	pthread_mutex_lock(&writers.lock);
	c->queue = NULL;
	c->cancelled = c->removed = c->waiter.passed = false;
	pthread_mutex_unlock(&writers.lock);
	return c;
}

static void read_other(void)
{
	uint64_t seen = load_relaxed(&other);

	if (!(seen & RWMUTEX_BIASED) || !tuza_reader_enter_(&other, seen)) {
		seen = rwmutex_state_rlock(&other);
		if (!(seen & RWMUTEX_SLOTS))
			bias(&other);
	}
	turn_pause();
	seen = load_relaxed(&other);
	if (!(seen & RWMUTEX_SLOTS) || !tuza_reader_leave_(&other, seen))
		runlock_counted(&other);
}

static void *read_turns(void *number)
{
	own_line = &lines[(intptr_t)number];
	for (int i = 0; i < turns; i++) {
		if (!rlock(turn_begin(number))) {
			(void)sub_relaxed(&left, 1);
			continue;
		}
		assert(first == second);
		turn_pause();
		(void)sub_relaxed(&left, 1);
		runlock(i % 3 == 0);
		if (i % 2)
			read_other();
	}
	return NULL;
}

static void *write_turns(void *number)
{
	for (int i = 0; i < turns; i++) {
		if (!wlock(turn_begin(number))) {
			(void)sub_relaxed(&left, 1);
			continue;
		}
		assert(first == second);
		first++;
		turn_pause();
		second++;
		add_relaxed(&written, 1);
		// If it is: all others have let go of the lock, though maybe not returned.
		if (i % 4 == 0)
			count_slots(&other);
		bool last = sub_relaxed(&left, 1) == 1;
		wunlock();
		if (last) {
			poisoned = true;
			store_relaxed(&state, POISON);
		}
	}
	return NULL;
}

static void *cancel_turns(void *number)
{
	(void)number;
	for (int i = 0; i < turns; i++)
		for (int k = 0; k < LOCKERS; k++) {
			turn_pause();
			cancel(&waits[k]);
		}
	return NULL;
}

static void one_round(void)
{
	static model_thread *const threads[THREADS] = {
		read_turns, write_turns, read_turns, write_turns, read_turns, cancel_turns};

#ifdef MODEL_CHECKER
	turns = TURNS;
#else
	turns = turns == TURNS ? HURRIED_TURNS : TURNS;
#endif
	state = other = 0;
	first = second = written = 0;
	left = LOCKERS * turns;
	poisoned = false;
	model_run(threads, THREADS);
	if (!poisoned)
		count_slots(&state);
	count_slots(&other);
	assert(other == 0);
	assert(first == written && second == written);
	assert(state == (poisoned ? POISON : 0));
	for (int i = 0; i < THREADS; i++) {
		assert(lines[i].entries[tuza_reader_slot_(&state)] == 0);
		lines[i].told = 0;
	}
	assert(!writers.first && !readers.first);
}

int main(void)
{
#ifndef MODEL_CHECKER
	if (syscall(SYS_membarrier, 1 << 4, 0, 0) != 0) // REGISTER_PRIVATE_EXPEDITED
		return 0;                               // then no lock has slots
#endif
	model_rounds(one_round);
	return 0;
}
