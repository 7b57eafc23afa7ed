// SPDX-License-Identifier: MIT
/*
 * A waiter that gives up because its context has ended takes nothing with it: others get the lock,
 * the signal, the value; also when the end races with what is waited for.
 */
#include "sync_support.h"
#include <tuza/context.h>

// ---- nothing is lost --------------------------------------------------------------------------

static tuza_waitgroup others; // that take part in a test

static void hold_read(tuza_rwmutex *rw, atomic_int *inside, tuza_chan *leave)
{
	tuza_rwmutex_rlock(rw);
	atomic_fetch_add(inside, 1);
	(void)tuza_recv(leave, NULL);
	tuza_rwmutex_runlock(rw);
	tuza_waitgroup_done(&others);
}

static void write_with(tuza_rwmutex *rw, tuza_context *ctx, atomic_int *result)
{
	int error = tuza_rwmutex_lock_ctx(rw, ctx);
	atomic_store(result, error);
	if (!error)
		tuza_rwmutex_unlock(rw);
	tuza_waitgroup_done(&others);
}

// M10 the other way round: readers waited for the writer only.
TEST(readers_go_in_when_the_last_writer_that_waits_gives_up)
{
	for (int writers = 1; writers <= 3; writers++) {
		tuza_rwmutex rw = {0};
		tuza_chan *leave = tuza_chan_new(0, 0);
		tuza_context *ctx[3];
		atomic_int inside = 0, results[3] = {1, 1, 1};

		tuza_waitgroup_add(&others, 4 + writers);
		TUZA_GO(hold_read, &rw, &inside, leave);
		WAIT_UNTIL(inside == 1);
		for (int i = 0; i < writers; i++) {
			ctx[i] = tuza_context_with_cancel(tuza_context_background());
			TUZA_GO(write_with, &rw, ctx[i], &results[i]);
			wait_parked("sync.RWMutex.Lock", i + 1);
		}
		for (int i = 0; i < 3; i++)
			TUZA_GO(hold_read, &rw, &inside, leave);
		wait_parked("sync.RWMutex.RLock", 3);
		for (int i = 0; i < writers; i++) {
			CHECK_EQ(inside, 1);
			tuza_context_cancel(ctx[i]);
			WAIT_UNTIL(results[i] != 1);
			CHECK_EQ(results[i], -ECANCELED);
		}
		WAIT_UNTIL(inside == 4);
		CHECK(tuza_rwmutex_try_rlock(&rw));
		tuza_rwmutex_runlock(&rw);
		tuza_chan_close(leave);
		tuza_waitgroup_wait(&others);
		CHECK(tuza_rwmutex_try_lock(&rw));
		tuza_chan_release(leave);
		for (int i = 0; i < writers; i++)
			tuza_context_free(ctx[i]);
	}
}

enum { CROWD = 4000 };

static void read_with(tuza_rwmutex *rw, tuza_context *ctx)
{
	CHECK_EQ(tuza_rwmutex_rlock_ctx(rw, ctx), -ECANCELED);
	tuza_waitgroup_done(&others);
}

static void write_in_vain(tuza_rwmutex *rw, tuza_context *ctx)
{
	CHECK_EQ(tuza_rwmutex_lock_ctx(rw, ctx), -ECANCELED);
	tuza_waitgroup_done(&others);
}

// How long it takes to cancel a crowd that waits for `rw`, which is locked, one by one.
static int64_t cancel_crowd(
	tuza_rwmutex *rw, void (*fn)(tuza_rwmutex *, tuza_context *), tuza_context **ctx)
{
	tuza_statistics stats;

	tuza_waitgroup_add(&others, CROWD);
	for (int i = 0; i < CROWD; i++) {
		ctx[i] = tuza_context_with_cancel(tuza_context_background());
		TUZA_GO(fn, rw, ctx[i]);
	}
	WAIT_UNTIL((tuza_stats(&stats), stats.waiting >= CROWD)); // far cheaper than a dump
	int64_t start = tuza_now();
	for (int i = 0; i < CROWD; i++)
		tuza_context_cancel(ctx[i]);
	start = tuza_now() - start;
	tuza_waitgroup_wait(&others);
	for (int i = 0; i < CROWD; i++)
		tuza_context_free(ctx[i]);
	return start;
}

static bool are_like(int64_t readers, int64_t writers)
{
	return readers < writers * 20 + 20 * TUZA_MILLISECOND;
}

// Each looked at all others, under the lock of the queue: hundreds of times as long as a writer.
TEST(readers_that_give_up_do_not_look_at_each_other)
{
	tuza_rwmutex rw = {0};
	tuza_context **ctx = malloc(CROWD * sizeof *ctx);
	int64_t writers = INT64_MAX, readers = INT64_MAX, took;

	tuza_rwmutex_lock(&rw);
	int least = test_is_on_valgrind() ? 1 : 3; // a second for each there

	// The best of three, and of more where the machine is busy with others.
	for (int i = 0; i < least || (!are_like(readers, writers) && i < 20); i++) {
		took = cancel_crowd(&rw, write_in_vain, ctx);
		writers = took < writers ? took : writers;
		took = cancel_crowd(&rw, read_with, ctx);
		readers = took < readers ? took : readers;
	}
	if (!CHECK(are_like(readers, writers)))
		printf("  %lld and %lld ns\n", (long long)readers, (long long)writers);
	tuza_rwmutex_unlock(&rw);
	free(ctx);
}

static void acquire_with(tuza_semaphore *s, int64_t n, tuza_context *ctx, atomic_int *result)
{
	atomic_store(result, tuza_semaphore_acquire(s, ctx, n));
}

// E3: who waits behind a large request gets its turn when that gives up.
TEST(small_requests_are_served_when_the_large_one_before_them_gives_up)
{
	tuza_semaphore s;
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	atomic_int large = 1, small[2] = {1, 1};

	tuza_semaphore_init(&s, 3);
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	TUZA_GO(acquire_with, &s, 3, ctx, &large);
	wait_parked("semacquire", 1);
	for (int i = 0; i < 2; i++)
		TUZA_GO(acquire_with, &s, 1, tuza_context_background(), &small[i]);
	wait_parked("semacquire", 3);
	tuza_context_cancel(ctx);
	WAIT_UNTIL(large == -ECANCELED && small[0] == 0 && small[1] == 0);
	tuza_semaphore_release(&s, 3);
	CHECK(tuza_semaphore_try_acquire(&s, 3));
	tuza_context_free(ctx);
}

// ---- cancels that race with what is waited for ------------------------------------------------

static struct {
	tuza_mutex mutex;
	tuza_cond cond;
	int tokens; // guarded by mutex
	int held;   // plain: guarded by what is under test
	tuza_rwmutex rw;
	tuza_semaphore semaphore;
	tuza_chan *chan;
	atomic_int got, gave_up;
} race;

enum { RACERS = 8, RACE_TURNS = 300 };

static tuza_context *short_context(unsigned turn)
{
	return turn % 3 ? tuza_context_with_timeout(tuza_context_background(),
				  (int64_t)(turn * 2654435761u >> 12) % 30000)
			: tuza_context_with_cancel(tuza_context_background());
}

static void contend(void *number)
{
	unsigned turn = (unsigned)(uintptr_t)number * 977;

	for (int i = 0; i < RACE_TURNS; i++) {
		tuza_context *ctx = short_context(++turn);
		switch (turn % 4) {
		case 0:
			if (tuza_mutex_lock_ctx(&race.mutex, ctx) == 0) {
				race.held++;
				tuza_yield();
				tuza_mutex_unlock(&race.mutex);
			}
			break;
		case 1:
			if (tuza_rwmutex_lock_ctx(&race.rw, ctx) == 0) {
				race.tokens++;
				tuza_yield();
				tuza_rwmutex_unlock(&race.rw);
			}
			break;
		case 2:
			if (tuza_rwmutex_rlock_ctx(&race.rw, ctx) == 0) {
				int seen = race.tokens;
				tuza_yield();
				CHECK_EQ(race.tokens, seen);
				tuza_rwmutex_runlock(&race.rw);
			}
			break;
		case 3:
			if (tuza_semaphore_acquire(&race.semaphore, ctx, 1 + turn / 4 % 3) == 0) {
				tuza_yield();
				tuza_semaphore_release(&race.semaphore, 1 + turn / 4 % 3);
			}
			break;
		}
		tuza_context_free(ctx);
	}
	tuza_waitgroup_done(&others);
}

static void contend_number(int i) { contend((void *)(uintptr_t)i); }

// Everybody gets through, and all of it is free afterwards.
TEST(locks_and_semaphores_survive_waiters_that_give_up)
{
	memset(&race, 0, sizeof(race));
	tuza_semaphore_init(&race.semaphore, 3);
	tuza_waitgroup_add(&others, RACERS);
	for (int i = 0; i < RACERS; i++)
		TUZA_GO(contend_number, i);
	tuza_waitgroup_wait(&others); // as long as it takes: each waits for its turn all the time
	CHECK(tuza_mutex_try_lock(&race.mutex));
	CHECK(tuza_rwmutex_try_lock(&race.rw));
	CHECK(tuza_semaphore_try_acquire(&race.semaphore, 3));
}

static void wait_for_signal(int number)
{
	unsigned turn = (unsigned)number * 977;

	for (int i = 0; i < RACE_TURNS; i++) {
		tuza_context *ctx = short_context(turn += 3); // number % 3 == 0: no deadline
		tuza_mutex_lock(&race.mutex);
		if (tuza_cond_wait_ctx(&race.cond, &race.mutex, ctx) == 0)
			atomic_fetch_add(&race.got, 1);
		else
			atomic_fetch_add(&race.gave_up, 1);
		tuza_mutex_unlock(&race.mutex);
		tuza_context_free(ctx);
	}
}

// One goroutine waits without a deadline for each signal; those that give up come and go. A signal
// that found somebody waiting wakes somebody: the number of signals which did is the number of
// waits that say so.
TEST(signal_is_not_swallowed_by_a_waiter_that_gives_up)
{
	memset(&race, 0, sizeof(race));
	for (int i = 0; i < RACERS; i++)
		TUZA_GO(wait_for_signal, i);
	while (tuza_num_goroutine() > 1) { // nine hundred turns of this at least, each of them late
		tuza_cond_signal(&race.cond);
		tuza_sleep(100 * TUZA_MICROSECOND);
	}
	CHECK_EQ(race.got + race.gave_up, RACERS * RACE_TURNS);
}

struct turn_taker {
	tuza_mutex mutex;
	tuza_cond cond;
	int turns_left; // guarded by mutex
	atomic_int stayed;
};

static void wait_for_turn(struct turn_taker *t, tuza_context *ctx)
{
	tuza_mutex_lock(&t->mutex);
	if (tuza_cond_wait_ctx(&t->cond, &t->mutex, ctx) == 0) {
		t->turns_left--;
		atomic_fetch_add(&t->stayed, 1);
	}
	tuza_mutex_unlock(&t->mutex);
	tuza_waitgroup_done(&others);
}

static void cancel_other(tuza_context *ctx)
{
	tuza_context_cancel(ctx);
	tuza_waitgroup_done(&others);
}

// Two wait, one of them is cancelled as the one signal comes: the signal reaches one of them.
TEST(one_signal_wakes_one_of_two_when_the_other_is_cancelled)
{
	for (int round = 0; round < 300; round++) {
		struct turn_taker t = {.turns_left = 1};
		tuza_context *a = tuza_context_with_cancel(tuza_context_background());
		tuza_context *b = tuza_context_with_cancel(tuza_context_background());

		tuza_waitgroup_add(&others, 3);
		TUZA_GO(wait_for_turn, &t, a);
		TUZA_GO(wait_for_turn, &t, b);
		wait_parked("sync.Cond.Wait", 2);
		TUZA_GO(cancel_other, round % 2 ? a : b);
		tuza_cond_signal(&t.cond);
		WAIT_UNTIL(t.stayed == 1);
		tuza_context *held[] = {tuza_context_retain(a), tuza_context_retain(b)};
		tuza_context_free(a); // ends the wait of the one that was not signalled
		tuza_context_free(b);
		tuza_waitgroup_wait(&others);
		tuza_context_release(held[0]);
		tuza_context_release(held[1]);
		CHECK_EQ(t.stayed, 1);
		CHECK_EQ(t.turns_left, 0);
	}
}

static void send_with(int number)
{
	unsigned turn = (unsigned)number * 977;

	for (int i = 0; i < RACE_TURNS; i++) {
		tuza_context *ctx = short_context(turn += 3);
		if (turn % 3 == 0)
			turn++; // one without a deadline could wait for ever
		int error = tuza_chan_send_ctx(race.chan, ctx, &i);
		if (!error)
			atomic_fetch_add(&race.got, 1);
		tuza_context_free(ctx);
	}
	tuza_waitgroup_done(&others);
}

static void recv_with(int number, atomic_int *received)
{
	unsigned turn = (unsigned)number * 977 + 1;

	for (;;) {
		tuza_context *ctx = tuza_context_with_timeout(
			tuza_context_background(), (int64_t)(turn++ * 2654435761u >> 12) % 30000);
		int v, error = tuza_chan_recv_ctx(race.chan, ctx, &v);
		tuza_context_free(ctx);
		if (error == TUZA_ECLOSED)
			break;
		if (!error)
			atomic_fetch_add(received, 1);
	}
	tuza_waitgroup_done(&others);
}

// As many values come as were sent: one that gives up has sent nothing, nor taken anything.
TEST(value_is_neither_lost_nor_sent_twice)
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		atomic_int received = 0;

		memset(&race, 0, sizeof(race));
		race.chan = tuza_chan_new(sizeof(int), capacity);
		tuza_waitgroup_add(&others, 6);
		for (int i = 0; i < 3; i++)
			TUZA_GO(recv_with, i, &received);
		for (int i = 0; i < 3; i++)
			TUZA_GO(send_with, 3 * i + 1);
		while (tuza_num_goroutine() > 4) // those who send
			tuza_sleep(100 * TUZA_MICROSECOND);
		tuza_chan_close(race.chan);
		tuza_waitgroup_wait(&others);
		CHECK_EQ(received, race.got);
		tuza_chan_release(race.chan);
	}
}
