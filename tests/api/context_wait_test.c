// SPDX-License-Identifier: MIT
/*
 * Every wait with a context: done, cancelled before, cancelled while it waits, at a deadline; and
 * that a waiter which gave up took nothing with it.
 */
#include "sync_support.h"
#include <tuza/context.h>

// One wait on something that is not to be had, and what makes it possible.
static struct {
	tuza_mutex mutex, cond_mutex;
	tuza_rwmutex written, read;
	tuza_cond cond;
	tuza_waitgroup group;
	tuza_semaphore semaphore;
	tuza_goroutine *handle;
	tuza_chan *full, *empty, *leave;
} on;

static int wait_mutex(tuza_context *ctx)
{
	int error = tuza_mutex_lock_ctx(&on.mutex, ctx);
	if (!error)
		tuza_mutex_unlock(&on.mutex);
	return error;
}
static int wait_read(tuza_context *ctx)
{
	int error = tuza_rwmutex_rlock_ctx(&on.written, ctx);
	if (!error)
		tuza_rwmutex_runlock(&on.written);
	return error;
}
static int wait_write(tuza_context *ctx)
{
	int error = tuza_rwmutex_lock_ctx(&on.read, ctx);
	if (!error)
		tuza_rwmutex_unlock(&on.read);
	return error;
}
static int wait_cond(tuza_context *ctx)
{
	tuza_mutex_lock(&on.cond_mutex);
	int error = tuza_cond_wait_ctx(&on.cond, &on.cond_mutex, ctx);
	CHECK(!tuza_mutex_try_lock(&on.cond_mutex)); // locked in either case
	tuza_mutex_unlock(&on.cond_mutex);
	return error;
}
static int wait_group(tuza_context *ctx) { return tuza_waitgroup_wait_ctx(&on.group, ctx); }
static int wait_semaphore(tuza_context *ctx)
{
	int error = tuza_semaphore_acquire(&on.semaphore, ctx, 1);
	if (!error)
		tuza_semaphore_release(&on.semaphore, 1);
	return error;
}
static int wait_too_much(tuza_context *ctx)
{
	return tuza_semaphore_acquire(&on.semaphore, ctx, 3);
}
static int wait_join(tuza_context *ctx)
{
	int error = tuza_join_ctx(ctx, on.handle);
	if (!error)
		on.handle = NULL;
	return error;
}
static int wait_sleep(tuza_context *ctx) { return tuza_sleep_ctx(ctx, TUZA_HOUR); }
static int wait_send(tuza_context *ctx)
{
	int v = 2;
	return tuza_chan_send_ctx(on.full, ctx, &v);
}
static int wait_recv(tuza_context *ctx)
{
	int v = 0, error = tuza_chan_recv_ctx(on.empty, ctx, &v);
	if (!error)
		CHECK_EQ(v, 7);
	return error;
}
static int wait_nil_chan(tuza_context *ctx) { return tuza_chan_recv_ctx(NULL, ctx, NULL); }

static void let_mutex(void) { tuza_mutex_unlock(&on.mutex); }
static void let_read(void) { tuza_rwmutex_unlock(&on.written); }
static void let_write(void) { tuza_rwmutex_runlock(&on.read); }
static void let_cond(void) { tuza_cond_signal(&on.cond); }
static void let_group(void) { tuza_waitgroup_done(&on.group); }
static void let_semaphore(void) { tuza_semaphore_release(&on.semaphore, 2); }
static void let_join(void) { tuza_chan_close(on.leave); }
static void let_send(void) { CHECK(tuza_recv(on.full, NULL)); }
static void let_recv(void) { tuza_send(on.empty, (int){7}); }

static const struct kind {
	int (*wait)(tuza_context *ctx);
	void (*let)(void); // makes the wait possible; NULL: it never is
	const char *reason;
} kinds[] = {
	{wait_mutex, let_mutex, "sync.Mutex.Lock"},
	{wait_read, let_read, "sync.RWMutex.RLock"},
	{wait_write, let_write, "sync.RWMutex.Lock"},
	{wait_cond, let_cond, "sync.Cond.Wait"},
	{wait_group, let_group, "sync.WaitGroup.Wait"},
	{wait_semaphore, let_semaphore, "semacquire"},
	{wait_too_much, NULL, "semacquire"},
	{wait_join, let_join, "tuza_join"},
	{wait_sleep, NULL, "select"},
	{wait_send, let_send, "select"},
	{wait_recv, let_recv, "select"},
	{wait_nil_chan, NULL, "select"},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void wait_to_leave(void *leave) { (void)tuza_recv((tuza_chan *)leave, NULL); }

// Nothing of it is to be had.
static void set_up(void)
{
	memset(&on, 0, sizeof(on));
	tuza_mutex_lock(&on.mutex);
	tuza_rwmutex_lock(&on.written);
	tuza_rwmutex_rlock(&on.read);
	tuza_waitgroup_add(&on.group, 1);
	tuza_semaphore_init(&on.semaphore, 2);
	CHECK(tuza_semaphore_try_acquire(&on.semaphore, 2));
	on.leave = tuza_chan_new(0, 0);
	on.handle = tuza_spawn(wait_to_leave, on.leave);
	on.full = tuza_chan_new(sizeof(int), 1);
	on.empty = tuza_chan_new(sizeof(int), 0);
	tuza_send(on.full, (int){1});
}

static void tear_down(const struct kind *let)
{
	if (!let || let->let != let_join)
		tuza_chan_close(on.leave);
	if (on.handle)
		CHECK_EQ(tuza_join(on.handle), 0);
	tuza_chan_release(on.leave);
	tuza_chan_release(on.full);
	tuza_chan_release(on.empty);
}

struct waiter {
	const struct kind *kind;
	tuza_context *ctx;
	atomic_int result; // 1: not yet
};

static void run_waiter(void *arg)
{
	struct waiter *w = arg;
	atomic_store(&w->result, w->kind->wait(w->ctx));
}

static void *run_waiter_thread(void *arg)
{
	run_waiter(arg);
	return NULL;
}

TEST(wait_with_an_ended_context_reports_it)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_context *late = tuza_context_with_timeout(tuza_context_background(), 0);

	tuza_context_cancel(ctx);
	set_up();
	for (int i = 0; i < KINDS; i++) {
		CHECK_EQ(kinds[i].wait(ctx), -ECANCELED);
		CHECK_EQ(kinds[i].wait(late), -ETIMEDOUT);
	}
	// Also when both are possible; and nothing was taken.
	tuza_mutex m = {0};
	tuza_rwmutex rw = {0};
	tuza_semaphore s;
	tuza_waitgroup wg = {0};
	tuza_semaphore_init(&s, 1);
	CHECK_EQ(tuza_mutex_lock_ctx(&m, ctx), -ECANCELED);
	CHECK_EQ(tuza_rwmutex_lock_ctx(&rw, ctx), -ECANCELED);
	CHECK_EQ(tuza_rwmutex_rlock_ctx(&rw, ctx), -ECANCELED);
	CHECK_EQ(tuza_semaphore_acquire(&s, ctx, 1), -ECANCELED);
	CHECK_EQ(tuza_waitgroup_wait_ctx(&wg, ctx), -ECANCELED);
	CHECK_EQ(tuza_sleep_ctx(ctx, 0), -ECANCELED);
	CHECK_EQ(tuza_chan_recv_ctx(on.full, ctx, NULL), -ECANCELED);
	CHECK_EQ(tuza_chan_len(on.full), 1);
	CHECK(tuza_mutex_try_lock(&m) && tuza_rwmutex_try_lock(&rw));
	CHECK(tuza_semaphore_try_acquire(&s, 1));
	tear_down(NULL);
	tuza_context_free(ctx);
	tuza_context_free(late);
}

TEST(wait_that_need_not_wait_is_done)
{
	tuza_context *ctxs[] = {
		tuza_context_with_cancel(tuza_context_background()), tuza_context_background()};

	for (int i = 0; i < 2; i++) {
		tuza_context *ctx = ctxs[i];
		int v = 0;

		memset(&on, 0, sizeof(on));
		tuza_semaphore_init(&on.semaphore, 2);
		on.empty = tuza_chan_new(sizeof(int), 1);
		CHECK_EQ(wait_mutex(ctx), 0);
		CHECK_EQ(wait_read(ctx), 0);
		CHECK_EQ(wait_write(ctx), 0);
		CHECK_EQ(wait_group(ctx), 0);
		CHECK_EQ(wait_semaphore(ctx), 0);
		CHECK_EQ(tuza_semaphore_acquire(&on.semaphore, ctx, 0), 0);
		CHECK_EQ(tuza_sleep_ctx(ctx, 0), 0);
		CHECK_EQ(tuza_sleep_ctx(ctx, TUZA_MILLISECOND), 0);
		CHECK_EQ(tuza_chan_send_ctx(on.empty, ctx, &(int){5}), 0);
		CHECK_EQ(tuza_chan_recv_ctx(on.empty, ctx, &v), 0);
		CHECK_EQ(v, 5);
		CHECK_EQ(tuza_chan_send_ctx(on.empty, ctx, &(int){6}), 0);
		CHECK_EQ(tuza_chan_recv_ctx(on.empty, ctx, NULL), 0);
		tuza_chan_close(on.empty);
		CHECK_EQ(tuza_chan_recv_ctx(on.empty, ctx, &v), TUZA_ECLOSED);
		CHECK_EQ(v, 0);
		tuza_chan_release(on.empty);
		tuza_context_free(ctx);
	}
}

// What it waits for comes.
static void check_done(tuza_context *ctx)
{
	for (int i = 0; i < KINDS; i++) {
		struct waiter w = {.kind = &kinds[i], .ctx = ctx, .result = 1};

		if (!kinds[i].let)
			continue;
		set_up();
		TUZA_GO(run_waiter, &w);
		wait_parked(kinds[i].reason, 1);
		CHECK_EQ(w.result, 1);
		kinds[i].let();
		WAIT_UNTIL(w.result != 1);
		CHECK_EQ(w.result, 0);
		tear_down(&kinds[i]);
	}
}

TEST(wait_ends_when_it_is_done)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);

	check_done(ctx);
	check_done(tuza_context_background());
	CHECK_EQ(tuza_context_err(ctx), 0);
	tuza_context_free(ctx);
}

// Four goroutines and a thread wait for each; then the object works as if they had never been.
TEST(wait_ends_when_its_context_is_cancelled)
{
	for (int i = 0; i < KINDS; i++) {
		tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
		bool one = kinds[i].wait == wait_join; // a handle has one joiner
		int n = one ? 1 : 5;
		struct waiter w[5];
		pthread_t thread;

		set_up();
		for (int k = 0; k < n; k++) {
			w[k] = (struct waiter){.kind = &kinds[i], .ctx = ctx, .result = 1};
			if (k < 4)
				TUZA_GO(run_waiter, &w[k]);
			else
				CHECK_EQ(
					pthread_create(&thread, NULL, run_waiter_thread, &w[k]), 0);
		}
		wait_parked(kinds[i].reason, n);
		tuza_context_cancel(ctx);
		for (int k = 0; k < n; k++) {
			WAIT_UNTIL(w[k].result != 1);
			CHECK_EQ(w[k].result, -ECANCELED);
		}
		if (!one) {
			tuza_blocking_begin();
			pthread_join(thread, NULL);
			tuza_blocking_end();
		}
		tuza_context_free(ctx);
		if (kinds[i].let) {
			w[0] = (struct waiter){
				.kind = &kinds[i], .ctx = tuza_context_background(), .result = 1};
			TUZA_GO(run_waiter, &w[0]);
			wait_parked(kinds[i].reason, 1);
			kinds[i].let();
			WAIT_UNTIL(w[0].result != 1);
			CHECK_EQ(w[0].result, 0);
		}
		tear_down(&kinds[i]);
		if (!kinds[i].let)
			WAIT_UNTIL(tuza_num_goroutine() == 1);
	}
}

TEST(wait_ends_at_the_deadline)
{
	for (int i = 0; i < KINDS; i++) {
		set_up();
		int64_t deadline = tuza_now() + TUZA_MILLISECOND;
		tuza_context *ctx = tuza_context_with_deadline_cause(
			tuza_context_background(), deadline, -EPIPE);
		CHECK_EQ(kinds[i].wait(ctx), -ETIMEDOUT);
		CHECK(tuza_now() >= deadline);
		tuza_context_free(ctx);
		tear_down(NULL);
	}
}

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

// M10 the other way: readers waited for the writer only.
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
}

static void contend_number(int i) { contend((void *)(uintptr_t)i); }

// Everybody gets through, and all of it is free afterwards.
TEST(locks_and_semaphores_survive_waiters_that_give_up)
{
	memset(&race, 0, sizeof(race));
	tuza_semaphore_init(&race.semaphore, 3);
	for (int i = 0; i < RACERS; i++)
		TUZA_GO(contend_number, i);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
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
	WAIT_UNTIL((tuza_cond_signal(&race.cond), tuza_num_goroutine() == 1));
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
		WAIT_UNTIL(tuza_num_goroutine() == 4);
		tuza_chan_close(race.chan);
		tuza_waitgroup_wait(&others);
		CHECK_EQ(received, race.got);
		tuza_chan_release(race.chan);
	}
}

static void join_null(void *arg)
{
	(void)arg;
	(void)!tuza_join_ctx(tuza_context_background(), NULL);
}

static void panic(void *arg) { tuza_panic("%s", (const char *)arg); }

TEST(join_with_a_context_tells_of_a_panic)
{
	tuza_goroutine *h = tuza_spawn(panic, (void *)(uintptr_t) "that was it");

	CHECK_EQ(tuza_join_ctx(tuza_context_background(), h), TUZA_EPANIC);
	CHECK_PANICS("tuza_join of a NULL handle", join_null, NULL);
}

static int leave_waiters(void *arg)
{
	set_up();
	for (int i = 0; i < KINDS; i++) {
		static struct waiter w[KINDS];
		w[i] = (struct waiter){.kind = &kinds[i], .ctx = arg, .result = 1};
		TUZA_GO(run_waiter, &w[i]);
	}
	while (test_count_in_dump("[se") < 6 || test_count_in_dump("[sync.") < 5)
		tuza_yield();
	return 0;
}

// Goroutines that are dropped while they wait with it leave the context, which lives on.
TEST_PLAIN(context_outlives_the_waits_that_its_run_drops)
{
	for (int i = 0; i < 5; i++) {
		tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

		CHECK_EQ(tuza_run(leave_waiters, ctx), 0);
		tuza_context_cancel(ctx);
		tuza_context_free(ctx);
		tuza_chan_release(on.leave);
		tuza_chan_release(on.full);
		tuza_chan_release(on.empty);
		free(on.handle); // its goroutine was dropped, too
	}
}
