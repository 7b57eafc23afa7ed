// SPDX-License-Identifier: MIT
/*
 * tuza_sim_run: a clock and a schedule that follow from the seed.
 */
#define TUZA_WATCH_LOCKS 1 // so that lock calls are places to switch
#include "sync_support.h"

#include "probe.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <tuza/io.h>
#include <tuza/limiter.h>
#include <tuza/net.h>
#include <tuza/pattern.h>
#include <tuza/testing.h>
#include <unistd.h>

enum { SEEDS = 200, LETTERS = 64 };

static int64_t real_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * TUZA_SECOND + t.tv_nsec;
}

// What happened, in order.
struct record {
	char letters[LETTERS + 1];
	atomic_int n;
};

static void note(struct record *r, int letter)
{
	int i = atomic_fetch_add(&r->n, 1);

	if (CHECK(i < LETTERS))
		r->letters[i] = (char)letter;
}

// ---- the clock ---------------------------------------------------------------------------------

static int sleep_a_day(void *took)
{
	int64_t begun = tuza_now();

	tuza_sleep(24 * 3600 * TUZA_SECOND);
	*(int64_t *)took = tuza_now() - begun;
	return 17;
}

// O20
TEST_PLAIN(a_day_takes_no_time)
{
	int64_t took = 0, begun = real_now();

	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &took), 17);
	CHECK_EQ(took, 24 * 3600 * TUZA_SECOND);
	CHECK(real_now() - begun < 3600 * TUZA_SECOND);
}

static int compute(void *unused)
{
	int64_t begun = tuza_now(), really = real_now();

	(void)unused;
	CHECK_EQ(begun, 3600 * TUZA_SECOND);
	while (real_now() - really < 30 * TUZA_MILLISECOND)
		tuza_yield();
	CHECK_EQ(tuza_now(), begun);
	return 0;
}

// O21
TEST_PLAIN(the_clock_stands_still_while_somebody_can_run)
{
	CHECK_EQ(tuza_sim_run(1, compute, NULL), 0);
}

static void sleep_and_note(struct record *r, int i, tuza_waitgroup *wg)
{
	tuza_sleep((10 - i) * TUZA_SECOND);
	CHECK_EQ(tuza_now(), 3600 * TUZA_SECOND + (10 - i) * TUZA_SECOND);
	note(r, '0' + i);
	tuza_waitgroup_done(wg);
}

static int wake_in_turn(void *record)
{
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 10);
	for (int i = 0; i < 10; i++)
		TUZA_GO(sleep_and_note, record, i, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

TEST_PLAIN(who_sleeps_wakes_when_it_is_time)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct record r = {.n = 0};
		CHECK_EQ(tuza_sim_run(seed, wake_in_turn, &r), 0);
		CHECK_STR(r.letters, "9876543210");
	}
}

static int use_all_clocks(void *unused)
{
	const int64_t begun = tuza_now();
	tuza_ticker *ticker = tuza_ticker_new(TUZA_SECOND);
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 5 * TUZA_SECOND);
	tuza_limiter limiter;
	int64_t tick;

	(void)unused;
	tuza_limiter_init(&limiter, 2, 1);
	for (int i = 1; i <= 3; i++) {
		CHECK(tuza_chan_recv(tuza_ticker_chan(ticker), &tick));
		CHECK_EQ(tuza_now() - begun, i * TUZA_SECOND);
		CHECK_EQ(tick, tuza_now());
	}
	tuza_ticker_free(ticker);
	tuza_chan_recv(tuza_context_done(ctx), NULL);
	CHECK_EQ(tuza_now() - begun, 5 * TUZA_SECOND);
	tuza_context_free(ctx);
	for (int i = 0; i < 5; i++) // one at once, then two a second
		CHECK_EQ(tuza_limiter_wait(&limiter, tuza_context_background(), 1), 0);
	CHECK_EQ(tuza_now() - begun, 7 * TUZA_SECOND);

	return 0;
}

TEST_PLAIN(tickers_contexts_and_limiters_keep_exact_time)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, use_all_clocks, NULL), 0);
}

static int read_until_deadline(void *unused)
{
	tuza_conn *near, *far;
	char byte;
	int64_t begun = tuza_now();

	(void)unused;
	CHECK_EQ(tuza_pipe(&near, &far), 0);
	CHECK_EQ(tuza_conn_set_read_deadline(near, begun + 90 * TUZA_SECOND), 0);
	CHECK_EQ(tuza_conn_read(near, &byte, 1), TUZA_EIOTIMEOUT);
	CHECK_EQ(tuza_now() - begun, 90 * TUZA_SECOND);
	tuza_conn_close(near);
	tuza_conn_close(far);
	return 0;
}

TEST_PLAIN(connections_in_memory_time_out_in_simulated_time)
{
	CHECK_EQ(tuza_sim_run(3, read_until_deadline, NULL), 0);
}

static void spin(_Atomic int64_t *last)
{
	for (int i = 0; i < 100; i++)
		tuza_yield();
	*last = tuza_now();
}

static int settle(void *unused)
{
	_Atomic int64_t last = 0;
	int64_t begun = tuza_now();

	(void)unused;
	TUZA_GO(spin, &last);
	tuza_sleep(1);
	CHECK_EQ(last, begun);
	return 0;
}

// O20: synctest.Wait
TEST_PLAIN(after_the_shortest_sleep_all_others_wait)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, settle, NULL), 0);
}

static void answer_after_a_second(tuza_chan *c, tuza_waitgroup *wg)
{
	int value = 1;

	tuza_sleep(TUZA_SECOND);
	tuza_chan_send(c, &value);
	tuza_waitgroup_done(wg);
}

static int wait_a_second(void *unused)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	tuza_waitgroup wg = {0};
	int value, chosen;

	(void)unused;
	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(answer_after_a_second, c, &wg);
	chosen = TUZA_SELECT(TUZA_RECV(c, &value), TUZA_AFTER(TUZA_SECOND));
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(c);
	return chosen;
}

TEST_PLAIN(an_answer_that_comes_when_time_is_up_may_be_in_time_or_too_late)
{
	int late = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++)
		late += tuza_sim_run(seed, wait_a_second, NULL);
	CHECK(late > 0);
	CHECK(late < SEEDS);
}

static void *sleep_in_thread(void *unused)
{
	int64_t really = real_now();

	(void)unused;
	tuza_sleep(30 * TUZA_MILLISECOND);
	CHECK(real_now() - really >= 30 * TUZA_MILLISECOND);
	return NULL;
}

static int sleep_really(void *unused)
{
	pthread_t thread;

	(void)unused;
	tuza_blocking_begin();
	sleep_in_thread(NULL);
	CHECK_EQ(pthread_create(&thread, NULL, sleep_in_thread, NULL), 0);
	pthread_join(thread, NULL);
	tuza_blocking_end();
	return 0;
}

TEST_PLAIN(plain_threads_and_blocking_sections_sleep_really)
{
	CHECK_EQ(tuza_sim_run(1, sleep_really, NULL), 0);
}

// ---- the schedule ------------------------------------------------------------------------------

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

// ---- blocking sections --------------------------------------------------------------------------

static void note_once(struct record *r, tuza_waitgroup *wg)
{
	note(r, 'o');
	tuza_waitgroup_done(wg);
}

static int block(void *record)
{
	struct record *r = record;
	tuza_waitgroup wg = {0};
	int64_t begun = tuza_now();

	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(note_once, r, &wg);
	int before = r->n;
	tuza_blocking_begin();
	usleep(20000);
	CHECK_EQ(r->n, before);
	tuza_blocking_end();
	CHECK_EQ(tuza_now(), begun);
	tuza_waitgroup_wait(&wg);
	return r->n;
}

TEST_PLAIN(a_blocking_section_keeps_the_others_waiting)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct record r = {.n = 0};
		CHECK_EQ(tuza_sim_run(seed, block, &r), 1);
	}
}

// Each is short: it does not matter how long all of them take.
static int block_again_and_again(void *record)
{
	struct record *r = record;
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 1);
	TUZA_GO(note_once, r, &wg);
	int before = r->n;
	for (int i = 0; i < 26; i++) {
		tuza_blocking_begin();
		usleep(50000);
		tuza_blocking_end();
	}
	CHECK_EQ(r->n, before);
	tuza_waitgroup_wait(&wg);
	return r->n;
}

TEST_PLAIN(short_blocking_sections_keep_the_others_waiting_however_many)
{
	struct record r = {.n = 0};

	CHECK_EQ(tuza_sim_run(1, block_again_and_again, &r), 1);
}

static void write_byte(int fd)
{
	tuza_sleep(TUZA_SECOND);
	CHECK_EQ(write(fd, "x", 1), 1);
}

static int wait_for_another(void *fds)
{
	const int *fd = fds;
	char byte = 0;

	TUZA_GO(write_byte, fd[1]);
	tuza_blocking_begin();
	CHECK_EQ(read(fd[0], &byte, 1), 1);
	tuza_blocking_end();
	return byte;
}

TEST_PLAIN(a_blocking_section_that_waits_for_another_goroutine_ends)
{
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(tuza_sim_run(1, wait_for_another, fds), 'x');
	close(fds[0]);
	close(fds[1]);
}

// ---- what is real ------------------------------------------------------------------------------

static int wait_in_vain(void *fds)
{
	const int *fd = fds;
	int64_t begun = tuza_now(), really = real_now(), limit = 30 * TUZA_MILLISECOND;

	CHECK_EQ(tuza_wait_fd(fd[0], POLLIN, begun + limit), TUZA_EIOTIMEOUT);
	CHECK(tuza_now() - begun >= limit);
	CHECK(real_now() - really >= limit);
	return 0;
}

static void *write_later(void *fd)
{
	usleep(10000);
	CHECK_EQ(write(*(int *)fd, "y", 1), 1);
	return NULL;
}

static int wait_for_thread(void *fds)
{
	const int *fd = fds;
	int64_t begun = tuza_now();

	CHECK_EQ(tuza_wait_fd(fd[0], POLLIN, begun + 3600 * TUZA_SECOND), POLLIN);
	CHECK(tuza_now() - begun < 3600 * TUZA_SECOND);
	return 0;
}

// O22
TEST_PLAIN(time_goes_on_really_while_somebody_waits_for_a_descriptor)
{
	pthread_t thread;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(tuza_sim_run(1, wait_in_vain, fds), 0);
	CHECK_EQ(pthread_create(&thread, NULL, write_later, &fds[1]), 0);
	CHECK_EQ(tuza_sim_run(1, wait_for_thread, fds), 0);
	pthread_join(thread, NULL);
	tuza_close(fds[0]);
	close(fds[1]);
}

// An event that nobody waits for ends the wait in the kernel, and nothing else.
static void *write_to_both(void *fds)
{
	const int *fd = fds;

	usleep(10000);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	usleep(10000);
	CHECK_EQ(write(fd[3], "y", 1), 1);
	return NULL;
}

static int wait_for_second(void *fds)
{
	const int *fd = fds;
	int64_t begun = tuza_now();
	pthread_t thread;

	CHECK_EQ(tuza_wait_fd(fd[0], POLLIN, begun + TUZA_MILLISECOND), TUZA_EIOTIMEOUT);
	begun = tuza_now();
	CHECK_EQ(pthread_create(&thread, NULL, write_to_both, fds), 0);
	CHECK_EQ(tuza_wait_fd(fd[2], POLLIN, begun + 3600 * TUZA_SECOND), POLLIN);
	CHECK(tuza_now() - begun < 3600 * TUZA_SECOND);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	return 0;
}

TEST_PLAIN(an_event_that_nobody_waits_for_moves_no_clock)
{
	int fds[4];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(pipe(fds + 2), 0);
	CHECK_EQ(tuza_sim_run(1, wait_for_second, fds), 0);
	tuza_close(fds[0]);
	tuza_close(fds[2]);
	close(fds[1]);
	close(fds[3]);
}

static void *send_from_thread(void *chan)
{
	int value = 5;

	usleep(1000);
	tuza_chan_send(chan, &value);
	return NULL;
}

static int receive_from_thread(void *unused)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	pthread_t thread;
	int value = 0;

	(void)unused;
	CHECK_EQ(pthread_create(&thread, NULL, send_from_thread, c), 0);
	CHECK(tuza_chan_recv(c, &value));
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	tuza_chan_release(c);
	return value;
}

TEST_PLAIN(plain_threads_take_part) { CHECK_EQ(tuza_sim_run(1, receive_from_thread, NULL), 5); }

// ---- beginning and end -------------------------------------------------------------------------

static void *wait_for_timer(void *timer)
{
	int64_t when;

	CHECK(tuza_chan_recv(tuza_timer_chan(timer), &when));
	return NULL;
}

TEST_PLAIN(timers_of_real_time_wait_for_its_return)
{
	int64_t took, begun = tuza_now();
	tuza_timer *t = tuza_timer_new(300 * TUZA_MILLISECOND);

	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &took), 17);
	CHECK(tuza_now() - begun < 3600 * TUZA_SECOND);
	wait_for_timer(t);
	CHECK(tuza_now() - begun >= 300 * TUZA_MILLISECOND);
	tuza_timer_free(t);
	while (tuza_shutdown() != 0)
		usleep(1000);
}

static int leave_timers(void *timer)
{
	*(tuza_timer **)timer = tuza_timer_new(TUZA_SECOND);
	return 0;
}

TEST_PLAIN(timers_of_simulated_time_end_with_it)
{
	tuza_timer *t;
	int64_t when;

	CHECK_EQ(tuza_sim_run(1, leave_timers, &t), 0);
	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &when), 17);
	CHECK_EQ(tuza_chan_try_recv(tuza_timer_chan(t), &when), -EAGAIN);
	CHECK(!tuza_timer_stop(t));
	tuza_timer_free(t);
}

static void *wait_with_limit(void *unused)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int value;

	(void)unused;
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(c, &value), TUZA_AFTER(100 * TUZA_MILLISECOND)), 1);
	tuza_chan_release(c);
	return NULL;
}

static int run_beside(void *thread)
{
	CHECK_EQ(pthread_create(thread, NULL, wait_with_limit, NULL), 0);
	for (int64_t begun = real_now(); real_now() - begun < 20 * TUZA_MILLISECOND;)
		tuza_yield();
	return 0;
}

// Or else for ever: its time limit was of simulated time.
TEST_PLAIN(a_plain_thread_waits_for_the_rest_of_its_time_really)
{
	pthread_t thread;

	CHECK_EQ(tuza_sim_run(1, run_beside, &thread), 0);
	pthread_join(thread, NULL);
	while (tuza_shutdown() != 0)
		usleep(1000);
}

static int run_inside(void *seed)
{
	if (seed)
		return tuza_sim_run(2, sleep_a_day, NULL);
	return tuza_run(sleep_a_day, NULL);
}

static void sim_inside_sim(void *unused)
{
	(void)unused;
	run_inside("");
}

static void run_inside_sim(void *unused)
{
	(void)unused;
	run_inside(NULL);
}

static int try_to_nest(void *unused)
{
	(void)unused;
	CHECK_PANICS("tuza_sim_run: already running", sim_inside_sim, NULL);
	CHECK_PANICS("tuza_run: already running", run_inside_sim, NULL);
	return 0;
}

TEST_PLAIN(runs_do_not_nest)
{
	CHECK_EQ(tuza_sim_run(1, try_to_nest, NULL), 0);
	CHECK_EQ(tuza_run(try_to_nest, NULL), 0);
}

static void drop_me(void) { tuza_chan_recv(NULL, NULL); }

static int leave_goroutines(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10; i++)
		TUZA_GO(drop_me);
	tuza_yield();
	return 0;
}

TEST_PLAIN(goroutines_that_are_left_are_dropped)
{
	for (uint64_t seed = 0; seed < 20; seed++)
		CHECK_EQ(tuza_sim_run(seed, leave_goroutines, NULL), 0);
}

static int now_is_real(void *unused)
{
	int64_t before = real_now(), now = tuza_now();

	(void)unused;
	CHECK(before <= now);
	CHECK(now <= real_now());
	return 0;
}

TEST_PLAIN(afterwards_time_is_real_again)
{
	int64_t took;

	CHECK_EQ(tuza_sim_run(1, sleep_a_day, &took), 17);
	CHECK_EQ(now_is_real(NULL), 0);
	CHECK_EQ(tuza_run(now_is_real, NULL), 0);
}
