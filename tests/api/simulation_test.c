// SPDX-License-Identifier: MIT
/*
 * tuza_sim_run: a schedule that follows from the seed.
 */
#include "simulation_support.h"

#include <tuza/pattern.h>

static void write_letters(struct record *r, int letter, tuza_chan *c, tuza_waitgroup *wg)
{
	for (int i = 0; i < 3; i++) {
		int value = letter;
		note(r, letter);
		tuza_chan_send(c, &value);
		tuza_yield();
	}
	tuza_waitgroup_done(wg);
}

static void read_letters(struct record *r, tuza_chan *one, tuza_chan *two)
{
	for (int i = 0; i < 12; i++) {
		int value;
		switch (TUZA_SELECT(TUZA_RECV(one, &value), TUZA_RECV(two, &value))) {
		case 0:
			note(r, '1');
			break;
		default:
			note(r, '2');
		}
	}
}

static int mix(void *record)
{
	struct record *r = record;
	tuza_chan *one = tuza_chan_new(sizeof(int), 2), *two = tuza_chan_new(sizeof(int), 2);
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 4);
	for (int i = 0; i < 4; i++)
		TUZA_GO(write_letters, r, 'a' + i, i % 2 ? one : two, &wg);
	read_letters(r, one, two);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(one);
	tuza_chan_release(two);
	return 0;
}

TEST_PLAIN(the_seed_decides_the_order)
{
	struct record first = {.n = 0};
	int others = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct record one = {.n = 0}, again = {.n = 0};
		CHECK_EQ(tuza_sim_run(seed, mix, &one), 0);
		CHECK_EQ(tuza_sim_run(seed, mix, &again), 0);
		CHECK_EQ(one.n, 24);
		CHECK_STR(one.letters, again.letters);
		if (seed == 0)
			first = one;
		others += strcmp(first.letters, one.letters) != 0;
	}
	CHECK(others > SEEDS / 2);
}

// The articles' race: read, then write, with a lock around each but not around both.
struct balance {
	tuza_mutex mutex;
	int amount;
};

static void deposit(struct balance *b, tuza_waitgroup *wg)
{
	tuza_mutex_lock(&b->mutex);
	int seen = b->amount;
	tuza_mutex_unlock(&b->mutex);
	tuza_mutex_lock(&b->mutex);
	b->amount = seen + 1;
	tuza_mutex_unlock(&b->mutex);
	tuza_waitgroup_done(wg);
}

static int deposit_twice(void *unused)
{
	struct balance b = {.amount = 0};
	tuza_waitgroup wg = {0};

	(void)unused;
	tuza_waitgroup_add(&wg, 2);
	TUZA_GO(deposit, &b, &wg);
	TUZA_GO(deposit, &b, &wg);
	tuza_waitgroup_wait(&wg);
	return b.amount;
}

TEST_PLAIN(a_lost_update_is_found_and_found_again)
{
	int lost = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		int amount = tuza_sim_run(seed, deposit_twice, NULL);
		CHECK(amount == 1 || amount == 2);
		CHECK_EQ(tuza_sim_run(seed, deposit_twice, NULL), amount);
		lost += amount == 1;
	}
	CHECK(lost > 0);
	CHECK(lost < SEEDS);
}

// Found only if one does not run while the other does all it has to.
struct slow_start {
	atomic_bool is_ready, was_early;
};

static void become_ready(struct slow_start *s, tuza_waitgroup *wg)
{
	s->is_ready = true;
	tuza_waitgroup_done(wg);
}

static void work(struct slow_start *s, tuza_waitgroup *wg)
{
	for (int i = 0; i < 200; i++)
		tuza_yield();
	if (!s->is_ready)
		s->was_early = true;
	tuza_waitgroup_done(wg);
}

static int hope_for_order(void *unused)
{
	struct slow_start s = {.is_ready = false};
	tuza_waitgroup wg = {0};

	(void)unused;
	tuza_waitgroup_add(&wg, 2);
	TUZA_GO(become_ready, &s, &wg);
	TUZA_GO(work, &s, &wg);
	tuza_waitgroup_wait(&wg);
	return s.was_early;
}

TEST_PLAIN(one_that_waits_very_long_for_its_turn_is_found)
{
	int early = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
		early += tuza_sim_run(seed, hope_for_order, NULL);
	CHECK(early > 0);
	CHECK(early < SEEDS);
}

static void set(atomic_bool *flag) { atomic_store(flag, true); }

static int wait_in_a_loop(void *unused)
{
	atomic_bool flag = false;

	(void)unused;
	TUZA_GO(set, &flag);
	while (!atomic_load(&flag))
		tuza_yield();
	return 0;
}

TEST_PLAIN(who_yields_in_a_loop_lets_others_run)
{
	for (uint64_t seed = 0; seed < 50; seed++)
		CHECK_EQ(tuza_sim_run(seed, wait_in_a_loop, NULL), 0);
}

// Whoever has the lock may let go of it and have it again before the one that waits.
struct relock {
	tuza_mutex mutex;
	bool was_let_in;
};

static void come_in(struct relock *r, tuza_waitgroup *wg)
{
	tuza_mutex_lock(&r->mutex);
	r->was_let_in = true;
	tuza_mutex_unlock(&r->mutex);
	tuza_waitgroup_done(wg);
}

static int relock(void *unused)
{
	struct relock r = {.was_let_in = false};
	tuza_waitgroup wg = {0};

	(void)unused;
	tuza_waitgroup_add(&wg, 1);
	tuza_mutex_lock(&r.mutex);
	TUZA_GO(come_in, &r, &wg);
	tuza_sleep(1); // it waits now
	tuza_mutex_unlock(&r.mutex);
	tuza_mutex_lock(&r.mutex);
	bool was_let_in = r.was_let_in;
	tuza_mutex_unlock(&r.mutex);
	tuza_waitgroup_wait(&wg);
	return was_let_in;
}

TEST_PLAIN(who_waits_for_a_lock_may_be_let_in_or_not)
{
	int let_in = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
		let_in += tuza_sim_run(seed, relock, NULL);
	CHECK(let_in > 0);
	CHECK(let_in < SEEDS);
}

static void begin_at_once(struct record *r, int letter) { note(r, letter); }

static int begin_four(void *record)
{
	for (int i = 0; i < 4; i++)
		TUZA_GO(begin_at_once, record, 'a' + i);
	tuza_sleep(1);
	return 0;
}

TEST_PLAIN(many_orders_of_a_few_goroutines_are_tried)
{
	static char orders[24][5];
	int count = 0;

	for (uint64_t seed = 0; seed < 2 * SEEDS; seed++) {
		struct record r = {.n = 0};
		int i = 0;
		CHECK_EQ(tuza_sim_run(seed, begin_four, &r), 0);
		while (i < count && strcmp(orders[i], r.letters) != 0)
			i++;
		if (i == count && CHECK(count < 24))
			memcpy(orders[count++], r.letters, 5);
	}
	CHECK(count >= 18);
}

// Whoever polls gives way to those that poll as well, but not for ever to them alone.
static void poll_flag(const atomic_bool *is_set, tuza_waitgroup *wg)
{
	while (!*is_set)
		tuza_yield();
	tuza_waitgroup_done(wg);
}

static void set_flag(atomic_bool *is_set, tuza_waitgroup *wg)
{
	for (int i = 0; i < 20; i++)
		tuza_yield();
	*is_set = true;
	tuza_waitgroup_done(wg);
}

static int poll_together(void *unused)
{
	atomic_bool is_set = false;
	tuza_waitgroup wg = {0};

	(void)unused;
	tuza_waitgroup_add(&wg, 401);
	for (int i = 0; i < 400; i++)
		TUZA_GO(poll_flag, &is_set, &wg);
	TUZA_GO(set_flag, &is_set, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

TEST_PLAIN(many_that_poll_do_not_keep_another_from_its_turn)
{
	for (uint64_t seed = 0; seed < 40; seed++)
		CHECK_EQ(tuza_sim_run(seed, poll_together, NULL), 0);
}

static int fail_twice(tuza_context *ctx, void *failures)
{
	(void)ctx;
	return (*(int *)failures)++ < 2 ? -EIO : 0;
}

static void supervise_one(int64_t *took)
{
	const tuza_supervisor_options options = {.restarts = 3, .backoff = TUZA_SECOND};
	int64_t begun = tuza_now();
	int failures = 0;

	CHECK_EQ(tuza_supervise(tuza_context_background(), &options, fail_twice, &failures), 0);
	*took = tuza_now() - begun;
}

static void supervise_for(int64_t *took, tuza_waitgroup *wg)
{
	supervise_one(took);
	tuza_waitgroup_done(wg);
}

static int supervise_in_goroutine(void *took)
{
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(supervise_for, took, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

TEST_PLAIN(the_pauses_of_supervisors_follow_from_the_seed)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		int64_t first = 0, again = 0;
		CHECK_EQ(tuza_sim_run(seed, supervise_in_goroutine, &first), 0);
		CHECK_EQ(tuza_sim_run(seed, supervise_in_goroutine, &again), 0);
		CHECK_EQ(first, again);
	}
}

// More than the queue of a processor has room for.
static void count(atomic_int *n, tuza_waitgroup *wg)
{
	tuza_yield();
	atomic_fetch_add(n, 1);
	tuza_waitgroup_done(wg);
}

static int start_many(void *unused)
{
	atomic_int n = 0;
	tuza_waitgroup wg = {0};

	(void)unused;
	tuza_waitgroup_add(&wg, 2000);
	for (int i = 0; i < 2000; i++)
		TUZA_GO(count, &n, &wg);
	tuza_waitgroup_wait(&wg);
	return n;
}

TEST_PLAIN(many_goroutines_all_get_their_turns)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, start_many, NULL), 2000);
}

static int look_at_processors(void *unused)
{
	(void)unused;
	CHECK_EQ(tuza_gomaxprocs(0), 1);
	CHECK_EQ(tuza_gomaxprocs(4), 1);
	return tuza_gomaxprocs(0);
}

TEST_PLAIN(there_is_one_processor) { CHECK_EQ(tuza_sim_run(1, look_at_processors, NULL), 1); }

static int hog(void *unused)
{
	atomic_bool flag = false;

	(void)unused;
	TUZA_GO(set, &flag);
	bool before = atomic_load(&flag);
	for (int64_t begun = real_now(); real_now() - begun < 60 * TUZA_MILLISECOND;)
		CHECK_EQ(atomic_load(&flag), before);
	return 0;
}

TEST_PLAIN(who_computes_for_long_keeps_its_turn)
{
	for (uint64_t seed = 0; seed < 4; seed++)
		CHECK_EQ(tuza_sim_run(seed, hog, NULL), 0);
}
