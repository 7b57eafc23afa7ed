// SPDX-License-Identifier: MIT
/*
 * Readers-writer locks. After Go's sync/rwmutex_test.go. (Misuse: mutex_test.c.)
 */
#include "sync_support.h"

struct readers {
	tuza_rwmutex rw;
	atomic_int inside;
	atomic_bool leave;
	atomic_int done;
};

static void read_together(void *arg)
{
	struct readers *r = arg;

	tuza_rwmutex_rlock(&r->rw);
	atomic_fetch_add(&r->inside, 1);
	while (!atomic_load(&r->leave))
		tuza_yield();
	tuza_rwmutex_runlock(&r->rw);
	atomic_fetch_add(&r->done, 1);
}

// T5.2: more readers than processors.
TEST(readers_hold_the_lock_together)
{
	for (int n = 1; n <= 12; n += 3) {
		struct readers r = {0};
		for (int i = 0; i < n; i++)
			TUZA_GO(read_together, &r);
		WAIT_UNTIL(atomic_load(&r.inside) == n);
		atomic_store(&r.leave, true);
		WAIT_UNTIL(atomic_load(&r.done) == n);
	}
}

struct activity {
	tuza_rwmutex rw;
	atomic_int now; // one per reader, 10000 per writer
	int turns;
	int written; // plain: guarded by rw
};

static void read_turns(void *arg)
{
	struct activity *a = arg;

	for (int i = 0; i < a->turns; i++) {
		tuza_rwmutex_rlock(&a->rw);
		int n = atomic_fetch_add(&a->now, 1) + 1, seen = a->written;
		CHECK(n >= 1 && n < 10000);
		if (i % 16 == 0)
			tuza_yield();
		CHECK_EQ(a->written, seen);
		atomic_fetch_sub(&a->now, 1);
		tuza_rwmutex_runlock(&a->rw);
	}
}

static void write_turns(void *arg)
{
	struct activity *a = arg;

	for (int i = 0; i < a->turns; i++) {
		tuza_rwmutex_lock(&a->rw);
		CHECK_EQ(atomic_fetch_add(&a->now, 10000), 0);
		a->written++;
		if (i % 16 == 0)
			tuza_yield();
		atomic_fetch_sub(&a->now, 10000);
		tuza_rwmutex_unlock(&a->rw);
	}
}

static void *write_thread(void *arg)
{
	write_turns(arg);
	return NULL;
}

static void *read_thread(void *arg)
{
	read_turns(arg);
	return NULL;
}

// T5.2: the hammer, with threads among the goroutines.
TEST(writer_is_alone)
{
	for (int readers = 1; readers <= 10; readers += 3) {
		struct activity a = {.turns = 400};
		tuza_waitgroup wg = {0};
		pthread_t threads[2];

		tuza_waitgroup_go(&wg, write_turns, &a);
		for (int i = 0; i < readers; i++)
			tuza_waitgroup_go(&wg, read_turns, &a);
		tuza_waitgroup_go(&wg, write_turns, &a);
		CHECK_EQ(pthread_create(&threads[0], NULL, write_thread, &a), 0);
		CHECK_EQ(pthread_create(&threads[1], NULL, read_thread, &a), 0);
		tuza_waitgroup_wait(&wg);
		tuza_blocking_begin();
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		tuza_blocking_end();
		CHECK_EQ(a.written, 3 * a.turns);
		CHECK(tuza_rwmutex_try_lock(&a.rw));
		tuza_rwmutex_unlock(&a.rw);
	}
}

static void lock_rw(void *rw) { tuza_rwmutex_lock(rw); }
static void rlock_rw(void *rw) { tuza_rwmutex_rlock(rw); }

// T5.2: Go: TestRWMutexTryLock's table.
TEST(try_locks_of_a_rwmutex_fail_exactly_when_they_would_wait)
{
	tuza_rwmutex rw = {0};

	CHECK(tuza_rwmutex_try_lock(&rw));
	CHECK(!tuza_rwmutex_try_lock(&rw));
	CHECK(!tuza_rwmutex_try_rlock(&rw));
	tuza_rwmutex_unlock(&rw);
	CHECK(tuza_rwmutex_try_rlock(&rw));
	CHECK(tuza_rwmutex_try_rlock(&rw));
	CHECK(!tuza_rwmutex_try_lock(&rw));
	tuza_rwmutex_runlock(&rw);
	CHECK(!tuza_rwmutex_try_lock(&rw));
	tuza_rwmutex_runlock(&rw);
	tuza_rwmutex_lock(&rw);
	CHECK(!tuza_rwmutex_try_rlock(&rw));
	tuza_rwmutex_unlock(&rw);
	CHECK(tuza_rwmutex_try_lock(&rw));
	tuza_rwmutex_unlock(&rw);
}

// M10.
TEST(writer_that_waits_keeps_new_readers_out)
{
	tuza_rwmutex rw = {0};

	tuza_rwmutex_rlock(&rw);
	CHECK(blocks(lock_rw, &rw));
	CHECK(wait_parked("sync.RWMutex.Lock", 1));
	CHECK(!tuza_rwmutex_try_rlock(&rw));
	CHECK(blocks(rlock_rw, &rw));
	CHECK(wait_parked("sync.RWMutex.RLock", 1));
	tuza_rwmutex_runlock(&rw); // the writer's turn
	CHECK(!tuza_rwmutex_try_rlock(&rw));
	tuza_rwmutex_unlock(&rw); // the reader's
	WAIT_UNTIL(test_probes_pending() == 0);
	CHECK(!tuza_rwmutex_try_lock(&rw));
	CHECK(tuza_rwmutex_try_rlock(&rw));
	tuza_rwmutex_runlock(&rw);
	tuza_rwmutex_runlock(&rw);
	CHECK(tuza_rwmutex_try_lock(&rw));
}

struct log {
	tuza_rwmutex rw;
	atomic_int readers_in;
	int readers_before_writer;
	atomic_bool written;
};

static void log_reader(void *arg)
{
	struct log *l = arg;

	tuza_rwmutex_rlock(&l->rw);
	atomic_fetch_add(&l->readers_in, 1);
	tuza_rwmutex_runlock(&l->rw);
}

static void log_writer(void *arg)
{
	struct log *l = arg;

	tuza_rwmutex_lock(&l->rw);
	l->readers_before_writer = atomic_load(&l->readers_in);
	tuza_rwmutex_unlock(&l->rw);
	atomic_store(&l->written, true);
}

// M11: also those that came after a writer that waits.
TEST(unlock_lets_all_waiting_readers_in_before_the_next_writer)
{
	struct log l = {0};

	tuza_rwmutex_lock(&l.rw);
	TUZA_GO(log_reader, &l);
	wait_parked("sync.RWMutex.RLock", 1);
	TUZA_GO(log_writer, &l);
	wait_parked("sync.RWMutex.Lock", 1);
	for (int i = 0; i < 4; i++)
		TUZA_GO(log_reader, &l);
	wait_parked("sync.RWMutex.RLock", 5);
	tuza_rwmutex_unlock(&l.rw);
	WAIT_UNTIL(atomic_load(&l.written));
	CHECK_EQ(l.readers_before_writer, 5);
	CHECK_EQ(l.readers_in, 5);
}

struct doomed {
	tuza_rwmutex rw;
	int users; // guarded by rw, by an atomic among readers
};

static void write_and_poison(void *arg)
{
	struct doomed *d = arg;

	tuza_rwmutex_lock(&d->rw);
	// Under the write lock all others that counted down have let go of it.
	bool last = __atomic_sub_fetch(&d->users, 1, __ATOMIC_RELAXED) == 0;
	tuza_rwmutex_unlock(&d->rw);
	if (last)
		memset(d, 0xa5, sizeof(*d)); // as if it were freed and used for something else
}

static void read_and_leave(void *arg)
{
	struct doomed *d = arg;

	tuza_rwmutex_rlock(&d->rw);
	__atomic_sub_fetch(&d->users, 1, __ATOMIC_RELAXED);
	tuza_rwmutex_runlock(&d->rw);
}

// Rule 1, last touch.
TEST(rwmutex_is_not_touched_after_the_last_writer)
{
	int poisoned = 0;

	for (int round = 0; round < 1000; round++) {
		struct doomed d = {.users = 4}, expected;
		tuza_waitgroup wg = {0};

		for (int i = 0; i < 4; i++)
			tuza_waitgroup_go(
				&wg, (i + round) % 2 ? read_and_leave : write_and_poison, &d);
		tuza_waitgroup_wait(&wg);
		if (d.users == 0) { // a writer leaves the word at 0, readers that met may not
			tuza_rwmutex_lock(&d.rw);
			tuza_rwmutex_unlock(&d.rw);
		}
		memset(&expected, d.users ? 0xa5 : 0, sizeof(expected));
		CHECK(memcmp(&d.rw, &expected.rw, sizeof(d.rw)) == 0);
		poisoned += d.users != 0;
	}
	CHECK(poisoned > 0);
}
