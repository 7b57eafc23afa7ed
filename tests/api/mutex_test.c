// SPDX-License-Identifier: MIT
/*
 * Mutexes: exclusion, fairness, misuse, and the right to free one after its last unlock. After Go's
 * sync/mutex_test.go.
 */
#include "sync_support.h"

#define GOROUTINES 10
#define TURNS 1000

struct counter {
	tuza_mutex mutex;
	int value; // plain: the race detector sees a missing edge
};

static void hammer(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < TURNS; i++) {
		if (i % 3 == 0 && tuza_mutex_try_lock(&c->mutex)) {
			c->value++;
			tuza_mutex_unlock(&c->mutex);
			continue;
		}
		tuza_mutex_lock(&c->mutex);
		int seen = c->value;
		if (i % 100 == 0)
			tuza_yield();
		c->value = seen + 1;
		tuza_mutex_unlock(&c->mutex);
	}
}

// T5.1, M6.
TEST(mutex_lets_one_in_at_a_time)
{
	struct counter c = {0};

	run_goroutines(GOROUTINES, hammer, &c);
	CHECK_EQ(c.value, GOROUTINES * TURNS);
}

static void *hammer_thread(void *arg)
{
	hammer(arg);
	return NULL;
}

// T5.1: what waits is a goroutine or a thread, whoever.
TEST(mutex_works_between_goroutines_and_threads)
{
	struct counter c = {0};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, hammer_thread, &c), 0);
	run_goroutines(GOROUTINES, hammer, &c);
	tuza_blocking_begin();
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	tuza_blocking_end();
	CHECK_EQ(c.value, (GOROUTINES + 2) * TURNS);
}

static void lock_mutex(void *arg) { tuza_mutex_lock(arg); }

// M4.
TEST(try_lock_fails_when_locked_and_never_blocks)
{
	tuza_mutex m = {0};

	CHECK(tuza_mutex_try_lock(&m));
	CHECK(!tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
	tuza_mutex_lock(&m);
	CHECK(!tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
	CHECK(tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
}

// M1: locked by one, unlocked by another.
TEST(mutex_is_owned_by_nobody)
{
	tuza_mutex m = {0};

	CHECK(does_not_block(lock_mutex, &m));
	CHECK(!tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
	CHECK(does_not_block(lock_mutex, &m));
	tuza_mutex_unlock(&m);
}

// M1: not recursive.
TEST(second_lock_by_the_same_goroutine_waits)
{
	tuza_mutex m = {0};

	tuza_mutex_lock(&m);
	CHECK(blocks(lock_mutex, &m));
	CHECK(wait_parked("sync.Mutex.Lock", 1));
	tuza_mutex_unlock(&m);
	WAIT_UNTIL(test_probes_pending() == 0);
}

struct hog {
	tuza_mutex mutex;
	atomic_bool stop;
	atomic_int turns; // of 100 us or more
};

static void hog_run(void *arg)
{
	struct hog *h = arg;

	while (!atomic_load(&h->stop)) {
		tuza_mutex_lock(&h->mutex);
		for (int64_t end = tuza_now() + 100 * TUZA_MICROSECOND; tuza_now() < end;)
			;
		atomic_fetch_add(&h->turns, 1);
		tuza_mutex_unlock(&h->mutex);
	}
}

// T5.1, M2, M3, golang/go#13086: who holds the lock nearly always does not keep another from it.
// How soon that one has it: unit/sync/mutex_test.
TEST(hog_does_not_starve_another_goroutine)
{
	struct hog h = {0};
	tuza_waitgroup wg = {0};

	tuza_waitgroup_go(&wg, hog_run, &h);
	for (int i = 0; i < 10; i++) {
		tuza_sleep(100 * TUZA_MICROSECOND);
		tuza_mutex_lock(&h.mutex);
		tuza_mutex_unlock(&h.mutex);
	}
	atomic_store(&h.stop, true);
	tuza_waitgroup_wait(&wg);
}

static int by_size(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

// M2: on one processor whoever is woken runs before the other takes the lock again. The most of the
// waits count: where a host stops its CPU, the hog may be lent a second processor.
TEST(two_that_want_a_lock_take_turns_on_one_processor)
{
	enum { WAITS = 21 };
	struct hog h = {0};
	tuza_waitgroup wg = {0};

	if (test_is_chaotic()) {
		SKIP("in chaos whoever unlocks may take the lock again");
		return;
	}
	int waits[WAITS], before = tuza_gomaxprocs(1);

	tuza_waitgroup_go(&wg, hog_run, &h);
	for (int i = 0; i < WAITS; i++) {
		int turns = h.turns;
		tuza_mutex_lock(&h.mutex);
		waits[i] = h.turns - turns;
		tuza_mutex_unlock(&h.mutex);
		tuza_yield();
	}
	atomic_store(&h.stop, true);
	tuza_waitgroup_wait(&wg);
	qsort(waits, WAITS, sizeof(waits[0]), by_size);
	CHECK(waits[WAITS / 2] <= 1);
	tuza_gomaxprocs(before);
}

struct patient {
	tuza_mutex mutex;
	int turns;
};

static void wait_for_turn(void *patient)
{
	struct patient *p = patient;

	tuza_mutex_lock(&p->mutex);
	p->turns++;
	tuza_mutex_unlock(&p->mutex);
}

// M3: whoever unlocks cannot take the lock again before one that has waited so long.
TEST(unlock_after_a_millisecond_lets_the_waiter_in_first)
{
	struct patient p = {.turns = 0};
	tuza_waitgroup wg = {0};

	for (int i = 1; i <= 20; i++) {
		tuza_mutex_lock(&p.mutex);
		tuza_waitgroup_go(&wg, wait_for_turn, &p);
		CHECK(wait_parked("sync.Mutex.Lock", 1));
		tuza_sleep(1100 * TUZA_MICROSECOND);
		tuza_mutex_unlock(&p.mutex);
		tuza_mutex_lock(&p.mutex);
		CHECK_EQ(p.turns, i);
		tuza_mutex_unlock(&p.mutex);
		tuza_waitgroup_wait(&wg);
	}
}

struct order {
	tuza_mutex mutex;
	int got[8];
	int n;
};

static void take_turn(struct order *o, int who)
{
	tuza_mutex_lock(&o->mutex);
	o->got[o->n++] = who;
	tuza_mutex_unlock(&o->mutex);
}

// M2.
TEST(waiters_get_the_lock_in_the_order_they_came)
{
	struct order o = {0};

	tuza_mutex_lock(&o.mutex);
	for (int i = 0; i < 8; i++) {
		TUZA_GO(take_turn, &o, i);
		wait_parked("sync.Mutex.Lock", i + 1);
	}
	tuza_sleep(2 * TUZA_MILLISECOND); // all of them starve: each is handed the lock
	tuza_mutex_unlock(&o.mutex);
	WAIT_UNTIL(({
		tuza_mutex_lock(&o.mutex);
		int n = o.n;
		tuza_mutex_unlock(&o.mutex);
		n;
	}) == 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(o.got[i], i);
}

struct shared {
	tuza_mutex mutex;
	int users;
};

static bool is_poisoned(const void *object, size_t bytes)
{
	const unsigned char *byte = object;

	for (size_t i = 0; i < bytes; i++)
		if (byte[i] != 0xa5)
			return false;
	return true;
}

static void use_and_poison(void *arg)
{
	struct shared *s = arg;

	tuza_mutex_lock(&s->mutex);
	bool last = --s->users == 0;
	tuza_mutex_unlock(&s->mutex);
	if (last)
		memset(s, 0xa5, sizeof(*s)); // as if it were freed and used for something else
}

// Rule 1, last touch: the last one to lock it may free it, whatever the others' unlocks still have
// to do.
TEST(mutex_is_not_touched_after_its_last_unlock)
{
	for (int round = 0; round < 1000; round++) {
		struct shared s = {.users = 4};

		run_goroutines(4, use_and_poison, &s);
		CHECK(is_poisoned(&s, sizeof(s)));
	}
}

static int leave_a_waiter(void *arg)
{
	tuza_mutex_lock(arg);
	TUZA_GO(tuza_mutex_lock, (tuza_mutex *)arg);
	CHECK(wait_parked("sync.Mutex.Lock", 1));
	return 0;
}

static int use_what_was_left(void *arg)
{
	CHECK(!tuza_mutex_try_lock(arg));
	CHECK(blocks(lock_mutex, arg));
	tuza_mutex_unlock(arg);
	WAIT_UNTIL(test_probes_pending() == 0);
	tuza_mutex_unlock(arg);
	return 0;
}

// L5: a goroutine that tuza_run dropped waits for nothing any more; the mutex is as good as before.
TEST_PLAIN(mutex_survives_a_waiter_that_was_dropped)
{
	static tuza_mutex m;

	CHECK_EQ(tuza_run(leave_a_waiter, &m), 0);
	CHECK_EQ(tuza_run(use_what_was_left, &m), 0);
	CHECK(tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
}

static void count_locked(void *arg)
{
	struct counter *c = arg;

	TUZA_LOCK(&c->mutex);
	if (++c->value % 2 == 0)
		tuza_panic("even");
	CHECK(!tuza_mutex_try_lock(&c->mutex));
}

// TUZA_LOCK: until the block ends, by a panic too.
TEST(lock_of_a_block_ends_with_it)
{
	struct counter c = {0};

	count_locked(&c);
	CHECK(tuza_mutex_try_lock(&c.mutex));
	tuza_mutex_unlock(&c.mutex);
	CHECK_PANICS("even", count_locked, &c);
	CHECK(tuza_mutex_try_lock(&c.mutex));
	tuza_mutex_unlock(&c.mutex);
	for (int i = 0; i < 3; i++) {
		TUZA_LOCK(&c.mutex);
	}
	CHECK(tuza_mutex_try_lock(&c.mutex));
	tuza_mutex_unlock(&c.mutex);
}

static void lock_in_section(void *arg) { tuza_blocking(lock_mutex, arg); }

// Rule of blocking sections: a free mutex may be locked there; one that would have to wait panics
// and harms nothing.
TEST(mutex_in_a_blocking_section_panics_if_it_has_to_wait)
{
	tuza_mutex m = {0};

	CHECK(does_not_block(lock_in_section, &m));
	CHECK_PANICS("tuza: sync.Mutex.Lock inside a blocking section", lock_in_section, &m);
	tuza_mutex_unlock(&m);
	CHECK(tuza_mutex_try_lock(&m));
	tuza_mutex_unlock(&m);
}

static void misuse_run(void *arg)
{
	tuza_mutex m = {0};
	tuza_rwmutex rw = {0};

	switch (*(int *)arg) {
	case 0:
		tuza_mutex_unlock(&m);
		break;
	case 1:
		tuza_mutex_lock(&m);
		tuza_mutex_unlock(&m);
		tuza_mutex_unlock(&m);
		break;
	case 2:
		tuza_rwmutex_unlock(&rw);
		break;
	case 3:
		tuza_rwmutex_rlock(&rw);
		tuza_rwmutex_unlock(&rw);
		break;
	case 4:
		tuza_rwmutex_lock(&rw);
		tuza_rwmutex_unlock(&rw);
		tuza_rwmutex_unlock(&rw);
		break;
	case 5:
		tuza_rwmutex_runlock(&rw);
		break;
	case 6:
		tuza_rwmutex_lock(&rw);
		tuza_rwmutex_runlock(&rw);
		break;
	default:
		tuza_rwmutex_rlock(&rw);
		tuza_rwmutex_runlock(&rw);
		tuza_rwmutex_runlock(&rw);
		break;
	}
}

static int misuse(void *arg)
{
	// Not contained: a fatal error is no panic.
	return tuza_try(misuse_run, arg, NULL) ? 77 : 78;
}

// T5.1, M5, M12.
TEST_PLAIN(unlock_of_unlocked_is_fatal_even_under_a_try)
{
	static const char *const texts[] = {
		"fatal error: sync: unlock of unlocked mutex",
		"fatal error: sync: Unlock of unlocked RWMutex",
		"fatal error: sync: RUnlock of unlocked RWMutex",
	};
	int child = child_case();

	if (child >= 0)
		exit(tuza_run(misuse, &child));
	for (int i = 0; i < 8; i++) {
		char output[4096];
		CHECK_EQ(run_child(__func__, i, output, sizeof(output)), 2);
		CHECK_CONTAINS(output, texts[i < 2 ? 0 : i < 5 ? 1 : 2]);
	}
}
