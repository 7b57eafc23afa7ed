// SPDX-License-Identifier: MIT
/*
 * Every wait with a context: done, cancelled before, cancelled while it waits, at a deadline. What
 * a waiter that gives up leaves to others: context_give_up_test.c.
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

static void *cancel_on_thread(void *ctx)
{
	tuza_context_cancel(ctx);
	return NULL;
}

static void cancel_from_a_thread(tuza_context *ctx)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, cancel_on_thread, ctx), 0);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
}

// Four goroutines and a thread wait for each, and a goroutine or a thread cancels; then the object
// works as if they had never been.
static void check_cancelled(void (*cancel)(tuza_context *ctx))
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
		cancel(ctx);
		CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
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

// X5.
TEST(wait_ends_when_its_context_is_cancelled) { check_cancelled(tuza_context_cancel); }
TEST(wait_ends_when_a_thread_cancels_its_context) { check_cancelled(cancel_from_a_thread); }

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
