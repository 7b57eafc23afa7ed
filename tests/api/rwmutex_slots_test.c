// SPDX-License-Identifier: MIT
/*
 * Where writers are rare readers stand in slots instead of being counted (sync/reader_slots.h):
 * nobody may notice but by the clock.
 */
#include "sync_support.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <tuza/context.h>
#include <unistd.h>

// What the kernel must offer, else no lock has slots.
static bool barriers_work(void)
{
	long commands = syscall(SYS_membarrier, 0, 0, 0); // QUERY

	return commands > 0 && (commands & 1 << 3); // PRIVATE_EXPEDITED
}

static bool has_slots(const tuza_rwmutex *rw)
{
	return __atomic_load_n(&rw->state, __ATOMIC_RELAXED) & TUZA_RWMUTEX_BIASED_;
}

// Two read locks at a time, until the lock has slots.
static void meet(tuza_rwmutex *rw)
{
	tuza_rwmutex_rlock(rw);
	for (int i = 0; i < 5000; i++) {
		tuza_rwmutex_rlock(rw);
		tuza_rwmutex_runlock(rw);
	}
	tuza_rwmutex_runlock(rw);
	CHECK(has_slots(rw) || !barriers_work());
}

// Nobody else has it.
static void lock_and_unlock(tuza_rwmutex *rw)
{
	CHECK(tuza_rwmutex_try_lock(rw));
	tuza_rwmutex_unlock(rw);
}

TEST(a_lock_without_writers_gets_slots_and_loses_them_to_a_writer)
{
	tuza_rwmutex rw = {0};

	for (int i = 0; i < TUZA_RWMUTEX_QUIET_ + 1; i++) {
		tuza_rwmutex_rlock(&rw);
		tuza_rwmutex_runlock(&rw);
	}
	CHECK(has_slots(&rw) || !barriers_work());
	tuza_rwmutex_lock(&rw);
	tuza_rwmutex_unlock(&rw);
	CHECK(!has_slots(&rw));
	tuza_rwmutex_rlock(&rw);
	tuza_rwmutex_runlock(&rw);
	CHECK(!has_slots(&rw));
}

// A plain thread: it has a line of its own, which the next one gets.
static void *rlock_and_end(void *rw)
{
	tuza_rwmutex_rlock(rw);
	return NULL;
}

static void *runlock_and_end(void *rw)
{
	tuza_rwmutex_runlock(rw);
	return NULL;
}

static void on_a_thread(void *(*fn)(void *), tuza_rwmutex *rw)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fn, rw), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(a_read_lock_outlives_the_thread_that_it_was_taken_on)
{
	tuza_rwmutex rw = {0}, other = {0};

	meet(&rw);
	meet(&other);
	for (int i = 0; i < 20; i++) {
		on_a_thread(rlock_and_end, &rw);
		on_a_thread(rlock_and_end, &other);
		if (i % 5 == 0)
			CHECK(!tuza_rwmutex_try_lock(&rw));
		if (i % 2)
			on_a_thread(runlock_and_end, &rw);
		else
			tuza_rwmutex_runlock(&rw);
		if (i == 10)
			lock_and_unlock(&rw);
	}
	lock_and_unlock(&rw);
	CHECK(!tuza_rwmutex_try_lock(&other));
	for (int i = 0; i < 20; i++)
		tuza_rwmutex_runlock(&other);
	lock_and_unlock(&other);
}

struct shared {
	tuza_rwmutex rw;
	tuza_chan *held, *leave, *left;
};

static void hold(struct shared *s)
{
	tuza_rwmutex_rlock(&s->rw);
	tuza_chan_send(s->held, NULL);
	(void)tuza_chan_recv(s->leave, NULL);
	tuza_rwmutex_runlock(&s->rw);
	tuza_chan_send(s->left, NULL);
}

static void hold_and_forget(struct shared *s)
{
	tuza_rwmutex_rlock(&s->rw);
	tuza_chan_send(s->held, NULL);
}

static void begin(struct shared *s)
{
	*s = (struct shared){.held = tuza_chan_new(0, 0),
		.leave = tuza_chan_new(0, 0),
		.left = tuza_chan_new(0, 0)};
	meet(&s->rw);
}

static void end(struct shared *s)
{
	tuza_chan_release(s->held);
	tuza_chan_release(s->leave);
	tuza_chan_release(s->left);
}

static void receive(tuza_chan *c, int n)
{
	for (int i = 0; i < n; i++)
		CHECK(tuza_chan_recv(c, NULL));
}

static void let_go(struct shared *s, int n)
{
	for (int i = 0; i < n; i++)
		tuza_chan_send(s->leave, NULL);
	receive(s->left, n);
}

static void lock_and_tell(struct shared *s)
{
	tuza_rwmutex_lock(&s->rw);
	tuza_chan_send(s->held, NULL);
	tuza_rwmutex_unlock(&s->rw);
}

TEST(writer_waits_for_readers_that_met)
{
	struct shared s;
	bool got;

	begin(&s);
	for (int i = 0; i < 4; i++)
		TUZA_GO(hold, &s);
	receive(s.held, 4);
	CHECK(!tuza_rwmutex_try_lock(&s.rw));
	TUZA_GO(lock_and_tell, &s);
	let_go(&s, 3);
	got = !tuza_rwmutex_try_rlock(&s.rw); // the writer waits already
	if (!got)
		tuza_rwmutex_runlock(&s.rw);
	let_go(&s, 1);
	receive(s.held, 1);
	tuza_rwmutex_lock(&s.rw);
	CHECK(!tuza_rwmutex_try_rlock(&s.rw));
	tuza_rwmutex_unlock(&s.rw);
	end(&s);
}

TEST(writer_gives_up_waiting_for_readers_that_met)
{
	struct shared s;
	tuza_context *ctx;

	begin(&s);
	TUZA_GO(hold, &s);
	receive(s.held, 1);
	ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_MILLISECOND);
	CHECK_EQ(tuza_rwmutex_lock_ctx(&s.rw, ctx), -ETIMEDOUT);
	tuza_context_free(ctx);
	CHECK(tuza_rwmutex_try_rlock(&s.rw));
	tuza_rwmutex_runlock(&s.rw);
	let_go(&s, 1);
	CHECK(tuza_rwmutex_try_lock(&s.rw));
	tuza_rwmutex_unlock(&s.rw);
	end(&s);
}

// As in Go, whoever wants to may end a read lock, also one that another goroutine began.
TEST(readers_that_met_may_unlock_for_each_other)
{
	struct shared s;

	for (int n = 1; n <= 9; n += 4) {
		begin(&s);
		for (int i = 0; i < n; i++)
			TUZA_GO(hold_and_forget, &s);
		receive(s.held, n);
		TUZA_GO(hold, &s);
		receive(s.held, 1);
		for (int i = 0; i < n; i++)
			tuza_rwmutex_runlock(&s.rw);
		CHECK(!tuza_rwmutex_try_lock(&s.rw));
		let_go(&s, 1);
		CHECK(tuza_rwmutex_try_lock(&s.rw));
		tuza_rwmutex_unlock(&s.rw);
		end(&s);
	}
}

struct relay {
	tuza_rwmutex rw;
	tuza_chan *tokens;
	int turns;
};

static void lock_for_others(void *arg)
{
	struct relay *r = arg;

	for (int i = 0; i < r->turns; i++) {
		tuza_rwmutex_rlock(&r->rw);
		tuza_chan_send(r->tokens, NULL);
	}
}

static void unlock_for_others(void *arg)
{
	struct relay *r = arg;

	for (int i = 0; i < r->turns; i++) {
		CHECK(tuza_chan_recv(r->tokens, NULL));
		tuza_rwmutex_runlock(&r->rw);
	}
}

TEST(locks_that_met_are_handed_over_by_many_at_a_time)
{
	struct relay r = {.tokens = tuza_chan_new(0, 64), .turns = 5000};
	tuza_waitgroup wg = {0};

	meet(&r.rw);
	for (int i = 0; i < 4; i++) {
		tuza_waitgroup_go(&wg, lock_for_others, &r);
		tuza_waitgroup_go(&wg, unlock_for_others, &r);
	}
	tuza_waitgroup_wait(&wg);
	CHECK(tuza_rwmutex_try_lock(&r.rw));
	tuza_rwmutex_unlock(&r.rw);
	tuza_chan_release(r.tokens);
}

struct board {
	tuza_rwmutex rw;
	int64_t first, second; // plain: guarded by rw
	atomic_bool stop;
};

static void read_board(void *arg)
{
	struct board *b = arg;

	while (!atomic_load(&b->stop)) {
		tuza_rwmutex_rlock(&b->rw);
		CHECK_EQ(b->first, b->second);
		tuza_rwmutex_runlock(&b->rw);
	}
}

// Writers come seldom, so that the lock goes from count to slots and back many times.
TEST(rare_writers_among_readers_that_meet_are_alone)
{
	struct board b = {0};
	tuza_waitgroup wg = {0};
	enum { WRITES = 100 };

	for (int i = 0; i < 6; i++)
		tuza_waitgroup_go(&wg, read_board, &b);
	for (int i = 0; i < WRITES; i++) {
		if (i % 8 == 0)
			tuza_sleep(TUZA_MILLISECOND);
		tuza_rwmutex_lock(&b.rw);
		b.first++;
		if (i % 4 == 0)
			tuza_yield();
		b.second++;
		tuza_rwmutex_unlock(&b.rw);
	}
	atomic_store(&b.stop, true);
	tuza_waitgroup_wait(&wg);
	CHECK_EQ(b.first, WRITES);
	CHECK(tuza_rwmutex_try_lock(&b.rw));
	tuza_rwmutex_unlock(&b.rw);
}

// M12.
TEST(unlock_of_an_unlocked_lock_with_slots_is_fatal)
{
	char output[2000];

	if (child_case() == 1) {
		tuza_rwmutex rw = {0};
		meet(&rw);
		tuza_rwmutex_runlock(&rw);
		return;
	}
	CHECK_EQ(run_child("unlock_of_an_unlocked_lock_with_slots_is_fatal", 1, output,
			 sizeof(output)),
		2);
	CHECK(strstr(output, "fatal error: sync: RUnlock of unlocked RWMutex"));
}
