// SPDX-License-Identifier: MIT
/*
 * Conditions. After Go's sync/cond_test.go.
 */
#include "sync_support.h"

struct room {
	tuza_mutex mutex;
	tuza_cond cond;
	int waiting; // guarded by mutex
	int woken;   // the same
	int order[200];
	bool exit;
};

static void wait_in(struct room *r, int who)
{
	tuza_mutex_lock(&r->mutex);
	r->waiting++;
	tuza_cond_wait(&r->cond, &r->mutex);
	r->order[r->woken++] = who;
	tuza_mutex_unlock(&r->mutex);
}

static int locked(struct room *r, const int *value)
{
	TUZA_LOCK(&r->mutex);
	return *value;
}

static void enter(struct room *r, int n)
{
	for (int i = 0; i < n; i++) {
		TUZA_GO(wait_in, r, i);
		WAIT_UNTIL(locked(r, &r->waiting) == i + 1);
	}
}

// T5.5, M40: Go: TestCondSignal.
TEST(signal_wakes_exactly_one)
{
	struct room r = {0};

	enter(&r, 2);
	for (int i = 1; i <= 2; i++) {
		tuza_mutex_lock(&r.mutex);
		tuza_cond_signal(&r.cond);
		tuza_mutex_unlock(&r.mutex);
		WAIT_UNTIL(locked(&r, &r.woken) == i);
		tuza_sleep(2 * TUZA_MILLISECOND);
		CHECK_EQ(locked(&r, &r.woken), i);
	}
	tuza_cond_signal(&r.cond); // nobody waits
}

// T5.5, M40: Go: TestCondSignalGenerations.
TEST(signals_wake_in_the_order_of_the_waits)
{
	enum { N = 100 };
	struct room r = {0};

	enter(&r, N);
	for (int i = 0; i < N; i++) {
		tuza_cond_signal(&r.cond);
		WAIT_UNTIL(locked(&r, &r.woken) == i + 1);
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(r.order[i], i);
}

static void wait_in_rounds(struct room *r)
{
	tuza_mutex_lock(&r->mutex);
	while (!r->exit) {
		r->waiting++;
		tuza_cond_wait(&r->cond, &r->mutex);
		r->woken++;
	}
	tuza_mutex_unlock(&r->mutex);
}

// T5.5: Go: TestCondBroadcast: each of them exactly once per round.
TEST(broadcast_wakes_all)
{
	enum { N = 200 };
	struct room r = {0};
	size_t before = tuza_num_goroutine();

	for (int i = 0; i < N; i++)
		TUZA_GO(wait_in_rounds, &r);
	for (int round = 0; round < 5; round++) {
		WAIT_UNTIL(locked(&r, &r.waiting) == N);
		tuza_mutex_lock(&r.mutex);
		CHECK_EQ(r.woken, round == 0 ? 0 : N);
		r.waiting = r.woken = 0;
		r.exit = round == 4;
		tuza_cond_broadcast(&r.cond);
		tuza_mutex_unlock(&r.mutex);
	}
	WAIT_UNTIL(tuza_num_goroutine() == before);
	CHECK_EQ(locked(&r, &r.woken), N);
}

struct race {
	tuza_mutex mutex;
	tuza_cond cond;
	int x;
	atomic_int done;
};

static void race_first(struct race *r)
{
	tuza_mutex_lock(&r->mutex);
	r->x = 1;
	tuza_cond_wait(&r->cond, &r->mutex);
	CHECK_EQ(r->x, 2);
	r->x = 3;
	tuza_cond_signal(&r->cond);
	tuza_mutex_unlock(&r->mutex);
	r->done++;
}

static void race_second(struct race *r)
{
	tuza_mutex_lock(&r->mutex);
	while (r->x != 1) {
		tuza_mutex_unlock(&r->mutex);
		tuza_yield();
		tuza_mutex_lock(&r->mutex);
	}
	r->x = 2;
	tuza_cond_signal(&r->cond);
	tuza_mutex_unlock(&r->mutex);
	r->done++;
}

static void race_third(struct race *r)
{
	tuza_mutex_lock(&r->mutex);
	while (r->x < 2) {
		tuza_mutex_unlock(&r->mutex);
		tuza_yield();
		tuza_mutex_lock(&r->mutex);
	}
	if (r->x == 2)
		tuza_cond_wait(&r->cond, &r->mutex);
	CHECK_EQ(r->x, 3);
	tuza_mutex_unlock(&r->mutex);
	r->done++;
}

// T5.5: Go: TestRace.
TEST(three_goroutines_pass_a_state_on)
{
	for (int round = 0; round < 200; round++) {
		struct race r = {0};

		TUZA_GO(race_first, &r);
		TUZA_GO(race_second, &r);
		TUZA_GO(race_third, &r);
		WAIT_UNTIL(r.done == 3);
	}
}

struct stealing {
	tuza_mutex mutex;
	tuza_cond cond;
	bool first_woken, second_waits;
	atomic_int state;
};

static void old_waiter(struct stealing *s)
{
	tuza_mutex_lock(&s->mutex);
	s->state = 1;
	tuza_cond_wait(&s->cond, &s->mutex);
	s->first_woken = true;
	tuza_mutex_unlock(&s->mutex);
	s->state++; // the newer one may be here first, if it was late
}

static void new_waiter(struct stealing *s)
{
	tuza_mutex_lock(&s->mutex);
	s->second_waits = true;
	while (!s->first_woken)
		tuza_cond_wait(&s->cond, &s->mutex);
	tuza_mutex_unlock(&s->mutex);
	s->state++;
}

// T5.5, Go's TestCondSignalStealing: a signal goes to the one that waited before it, not to a
// newcomer.
TEST(signal_is_not_stolen_by_a_newer_waiter)
{
	for (int round = 0; round < 300; round++) {
		struct stealing s = {0};

		TUZA_GO(old_waiter, &s);
		WAIT_UNTIL(s.state == 1);
		tuza_mutex_lock(&s.mutex);
		tuza_mutex_unlock(&s.mutex);
		TUZA_GO(new_waiter, &s);
		tuza_cond_signal(&s.cond);
		WAIT_UNTIL(s.state >= 2);
		WAIT_UNTIL(({
			tuza_mutex_lock(&s.mutex);
			bool waits = s.second_waits;
			tuza_mutex_unlock(&s.mutex);
			waits;
		}));
		tuza_cond_broadcast(&s.cond);
		WAIT_UNTIL(s.state == 3);
	}
}

static void *wait_on_thread(void *room)
{
	wait_in(room, 0);
	return NULL;
}

// A thread waits as a goroutine does.
TEST(condition_wakes_threads)
{
	struct room r = {0};
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, wait_on_thread, &r);
	WAIT_UNTIL(locked(&r, &r.waiting) == 3);
	tuza_cond_signal(&r.cond);
	WAIT_UNTIL(locked(&r, &r.woken) == 1);
	tuza_cond_broadcast(&r.cond);
	tuza_blocking_begin();
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	tuza_blocking_end();
	CHECK_EQ(r.woken, 3);
}

struct pingpong {
	tuza_mutex mutex;
	tuza_cond cond;
	int turn;
	tuza_waitgroup wg;
};

static void play(struct pingpong *p, int who)
{
	tuza_mutex_lock(&p->mutex);
	for (int i = 0; i < 2000; i++) {
		while (p->turn != who)
			tuza_cond_wait(&p->cond, &p->mutex);
		p->turn = !who;
		tuza_cond_signal(&p->cond);
	}
	tuza_mutex_unlock(&p->mutex);
	tuza_waitgroup_done(&p->wg);
}

// M40: no signal is lost between the unlock and the park.
TEST(no_signal_is_lost)
{
	struct pingpong p = {0};

	tuza_waitgroup_add(&p.wg, 2);
	TUZA_GO(play, &p, 0);
	TUZA_GO(play, &p, 1);
	tuza_waitgroup_wait(&p.wg);
}

static void signal_it(void *cond) { tuza_cond_signal(cond); }
static void broadcast_it(void *cond) { tuza_cond_broadcast(cond); }

// M40.
TEST(copied_condition_panics)
{
	tuza_cond unused = {0}, copy = unused; // tuza-vet: ignore copylocks

	tuza_cond_signal(&unused);
	tuza_cond_signal(&copy);
	copy = unused; // tuza-vet: ignore copylocks
	CHECK_PANICS("sync.Cond is copied", signal_it, &copy);
	CHECK_PANICS("sync.Cond is copied", broadcast_it, &copy);
}
