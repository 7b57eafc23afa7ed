// SPDX-License-Identifier: MIT
// The block and the mutex profile. (O30, O33, O35)
#include "pprof_support.h"

#include <pthread.h>
#include <tuza/context.h>
#include <tuza/go.h>
#include <tuza/sync.h>

#define KEEP __attribute__((noinline))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

enum { COUNT, DELAY };

static const int64_t PAUSE = 5 * TUZA_MILLISECOND;

static uint64_t value(const char *name, int which, const char *const *functions)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_write(fd, name, 0), 0);
	struct decoded *d = decode(fd);
	uint64_t n = value_of(d, which, functions, NULL, NULL);

	decoded_free(d);
	return n;
}

// ---- the block profile -------------------------------------------------------------------------

struct wait {
	void (*wait)(struct wait *w);
	void (*wake)(struct wait *w);
	tuza_chan *c, *done;
	tuza_mutex mutex;
	tuza_rwmutex rwmutex;
	tuza_cond cond;
	tuza_waitgroup wg;
	tuza_semaphore semaphore;
	bool is_woken; // guarded by mutex
};

static void prepare(struct wait *w)
{
	w->c = tuza_chan_new(0, 0);
	w->done = tuza_chan_new(0, 0);
	tuza_semaphore_init(&w->semaphore, 1);
}

KEEP static void waits_recv(struct wait *w)
{
	tuza_chan_recv(w->c, NULL);
	KEEP_FRAME();
}
static void wakes_recv(struct wait *w) { tuza_chan_send(w->c, NULL); }

KEEP static void waits_send(struct wait *w)
{
	tuza_chan_send(w->c, NULL);
	KEEP_FRAME();
}
static void wakes_send(struct wait *w) { tuza_chan_recv(w->c, NULL); }

KEEP static void waits_select(struct wait *w)
{
	CHECK_EQ(TUZA_SELECT(TUZA_RECV(w->c, NULL), TUZA_AFTER(TUZA_HOUR)), 0);
}

KEEP static void waits_mutex(struct wait *w)
{
	tuza_mutex_lock(&w->mutex);
	tuza_mutex_unlock(&w->mutex);
}
static void wakes_mutex(struct wait *w) { tuza_mutex_unlock(&w->mutex); }

KEEP static void waits_rlock(struct wait *w)
{
	tuza_rwmutex_rlock(&w->rwmutex);
	tuza_rwmutex_runlock(&w->rwmutex);
}
KEEP static void waits_wlock(struct wait *w)
{
	tuza_rwmutex_lock(&w->rwmutex);
	tuza_rwmutex_unlock(&w->rwmutex);
}
static void wakes_rwmutex(struct wait *w) { tuza_rwmutex_unlock(&w->rwmutex); }

KEEP static void waits_cond(struct wait *w)
{
	tuza_mutex_lock(&w->mutex);
	while (!w->is_woken)
		tuza_cond_wait(&w->cond, &w->mutex);
	tuza_mutex_unlock(&w->mutex);
}
static void wakes_cond(struct wait *w)
{
	tuza_mutex_lock(&w->mutex);
	w->is_woken = true;
	tuza_mutex_unlock(&w->mutex);
	tuza_cond_signal(&w->cond);
}

KEEP static void waits_waitgroup(struct wait *w)
{
	tuza_waitgroup_wait(&w->wg);
	KEEP_FRAME();
}
static void wakes_waitgroup(struct wait *w) { tuza_waitgroup_done(&w->wg); }

KEEP static void waits_semaphore(struct wait *w)
{
	CHECK_EQ(tuza_semaphore_acquire(&w->semaphore, tuza_context_background(), 1), 0);
}
static void wakes_semaphore(struct wait *w) { tuza_semaphore_release(&w->semaphore, 1); }

static void runs(struct wait *w)
{
	w->wait(w);
	tuza_chan_close(w->done);
}

static uint64_t waiting(void)
{
	tuza_statistics s;

	tuza_stats(&s);
	return s.waiting;
}

// One waits for PAUSE at least; its stack is told, how often and for how long.
static void check_wait(struct wait *w, const char *function)
{

	prepare(w);
	if (w->wait == waits_mutex)
		tuza_mutex_lock(&w->mutex);
	if (w->wait == waits_rlock || w->wait == waits_wlock)
		tuza_rwmutex_lock(&w->rwmutex);
	if (w->wait == waits_waitgroup)
		tuza_waitgroup_add(&w->wg, 1);
	if (w->wait == waits_semaphore)
		CHECK_EQ(tuza_semaphore_acquire(&w->semaphore, tuza_context_background(), 1), 0);
	tuza_set_block_profile_rate(1);
	go(runs, w);
	WAIT_UNTIL(waiting() == 1);
	tuza_sleep(PAUSE);
	w->wake(w);
	tuza_recv(w->done, NULL);
	tuza_set_block_profile_rate(0);
	CHECK(value("block", COUNT, FUNCTIONS(function)) == 1);
	CHECK(value("block", DELAY, FUNCTIONS(function)) >= (uint64_t)PAUSE);
	CHECK_EQ(value("block", COUNT, FUNCTIONS("tuza_sleep")), 0);
	tuza_chan_release(w->c);
	tuza_chan_release(w->done);
}

TEST(waits_are_told_with_their_stacks)
{
#define CHECK_WAIT(waits, wakes)                                                                   \
	check_wait(&(struct wait){.wait = waits_##waits, .wake = wakes_##wakes}, "waits_" #waits)
	CHECK_WAIT(recv, recv);
	CHECK_WAIT(send, send);
	CHECK_WAIT(select, recv);
	CHECK_WAIT(mutex, mutex);
	CHECK_WAIT(rlock, rwmutex);
	CHECK_WAIT(wlock, rwmutex);
	CHECK_WAIT(cond, cond);
	CHECK_WAIT(waitgroup, waitgroup);
	CHECK_WAIT(semaphore, semaphore);
}

KEEP static void answers(tuza_chan *in, tuza_chan *out)
{
	while (tuza_chan_recv(in, NULL))
		tuza_chan_send(out, NULL);
	tuza_chan_close(out);
}

TEST(nothing_is_told_while_it_is_off)
{
	tuza_chan *in = tuza_chan_new(0, 0), *out = tuza_chan_new(0, 0);

	go(answers, in, out);
	for (int i = 0; i < 1000; i++) {
		tuza_chan_send(in, NULL);
		tuza_chan_recv(out, NULL);
	}
	CHECK_EQ(value("block", COUNT, FUNCTIONS("answers")), 0);
	tuza_chan_close(in);
	tuza_chan_recv(out, NULL);
	tuza_chan_release(in);
	tuza_chan_release(out);
}

enum { WAITS = 1000 };

// Of each wait: from where it may count, and between where it ends.
static int64_t receives_at[WAITS], sends_at[WAITS], sent_at[WAITS];

KEEP static void sleeps_between(tuza_chan *c)
{
	for (int i = 0; i < WAITS; i++) {
		tuza_sleep(50 * TUZA_MICROSECOND);
		sends_at[i] = tuza_now();
		tuza_chan_send(c, NULL);
		sent_at[i] = tuza_now();
	}
	tuza_chan_close(c);
}

KEEP static void waits_often(tuza_chan *c)
{
	for (int i = 0; i < WAITS; i++) {
		receives_at[i] = tuza_now();
		CHECK(tuza_chan_recv(c, NULL));
	}
	CHECK(!tuza_chan_recv(c, NULL));
}

// 1000 waits of some 50 us or more, sampled at 200 us: about 250 samples and more, which stand for
// the time that has passed. Off by 5 % as a rule, and by half once in 10^17 times. A wait ends
// when it is over, not when the waiter runs again. A thread that the system stops next to a reading
// of the clock makes one wait look long, which counts for little below and all of it above.
TEST(samples_stand_for_the_time_of_all)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	const int64_t rate = 200 * TUZA_MICROSECOND;
	int64_t least = 0, most = 0;
	double told;

	tuza_set_block_profile_rate(rate);
	go(sleeps_between, c);
	waits_often(c);
	tuza_set_block_profile_rate(0);
	for (int i = 0; i < WAITS; i++) {
		int64_t waited = sends_at[i] - receives_at[i];

		least += waited < 0 ? 0 : waited < rate ? waited : rate;
		most += sent_at[i] - receives_at[i];
	}
	told = (double)value("block", DELAY, FUNCTIONS("waits_often"));
	CHECK(told > 0.5 * (double)least);
	CHECK(told < 1.5 * (double)most);
	tuza_chan_release(c);
}

KEEP static void *waits_as_thread(void *arg)
{
	tuza_chan_recv(arg, NULL);
	KEEP_FRAME();
	return NULL;
}

static void lets_thread_wait(tuza_chan *c)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, waits_as_thread, c), 0);
	while (tuza_chan_try_send(c, NULL) != 0) // works once it waits
		tuza_sleep(TUZA_MILLISECOND);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
}

TEST(plain_threads_waits_are_told)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	tuza_set_block_profile_rate(1);
	for (int i = 0; i < 10; i++)
		lets_thread_wait(c);
	tuza_set_block_profile_rate(0);
	CHECK_EQ(value("block", COUNT, FUNCTIONS("waits_as_thread")), 10);
	tuza_chan_release(c);
}

// ---- the mutex profile -------------------------------------------------------------------------

enum { WAITERS = 5 };

struct crowd {
	tuza_mutex mutex;
	tuza_rwmutex rwmutex;
	tuza_waitgroup wg;
};

static void wants_mutex(struct crowd *c)
{
	tuza_mutex_lock(&c->mutex);
	tuza_mutex_unlock(&c->mutex);
	tuza_waitgroup_done(&c->wg);
}

static void wants_read(struct crowd *c)
{
	tuza_rwmutex_rlock(&c->rwmutex);
	tuza_rwmutex_runlock(&c->rwmutex);
	tuza_waitgroup_done(&c->wg);
}

static void wants_write(struct crowd *c)
{
	tuza_rwmutex_lock(&c->rwmutex);
	tuza_rwmutex_unlock(&c->rwmutex);
	tuza_waitgroup_done(&c->wg);
}

KEEP static void keeps_mutex(struct crowd *c)
{
	tuza_mutex_lock(&c->mutex);
	for (int i = 0; i < WAITERS; i++)
		go(wants_mutex, c);
	WAIT_UNTIL(waiting() == WAITERS);
	tuza_sleep(PAUSE);
	tuza_mutex_unlock(&c->mutex);
	tuza_waitgroup_wait(&c->wg);
}

KEEP static void keeps_from_reading(struct crowd *c)
{
	tuza_rwmutex_lock(&c->rwmutex);
	for (int i = 0; i < WAITERS; i++)
		go(wants_read, c);
	WAIT_UNTIL(waiting() == WAITERS);
	tuza_sleep(PAUSE);
	tuza_rwmutex_unlock(&c->rwmutex);
	tuza_waitgroup_wait(&c->wg);
}

KEEP static void keeps_from_writing(struct crowd *c)
{
	tuza_rwmutex_rlock(&c->rwmutex);
	for (int i = 0; i < WAITERS; i++)
		go(wants_write, c);
	WAIT_UNTIL(waiting() == WAITERS);
	tuza_sleep(PAUSE);
	tuza_rwmutex_runlock(&c->rwmutex);
	tuza_waitgroup_wait(&c->wg);
}

static void check_crowd(void (*keeps)(struct crowd *), const char *function)
{
	struct crowd c = {.wg = {0}};

	tuza_waitgroup_add(&c.wg, WAITERS);
	CHECK_EQ(tuza_set_mutex_profile_fraction(1), 0);
	keeps(&c);
	CHECK_EQ(tuza_set_mutex_profile_fraction(0), 1);
	CHECK_EQ(value("mutex", COUNT, FUNCTIONS(function)), 1);
	CHECK(value("mutex", DELAY, FUNCTIONS(function)) >= WAITERS * (uint64_t)PAUSE);
}

TEST(unlocks_are_blamed_for_all_who_waited)
{
	check_crowd(keeps_mutex, "keeps_mutex");
	check_crowd(keeps_from_reading, "keeps_from_reading");
	check_crowd(keeps_from_writing, "keeps_from_writing");
}

TEST(fraction_only_asked_for_stays)
{
	CHECK_EQ(tuza_set_mutex_profile_fraction(-1), 0);
	CHECK_EQ(tuza_set_mutex_profile_fraction(7), 0);
	CHECK_EQ(tuza_set_mutex_profile_fraction(-1), 7);
	CHECK_EQ(tuza_set_mutex_profile_fraction(0), 7);
}

struct fight {
	tuza_mutex mutex;
	tuza_waitgroup wg;
	int64_t sum; // guarded by mutex
};

static void fights(struct fight *f)
{
	for (int i = 0; i < 300; i++) {
		tuza_mutex_lock(&f->mutex);
		f->sum++;
		if (i % 10 == 0)
			tuza_yield(); // others run into it
		tuza_mutex_unlock(&f->mutex);
	}
	tuza_waitgroup_done(&f->wg);
}

TEST(both_may_be_on_while_many_fight)
{
	struct fight f = {.sum = 0};

	tuza_set_block_profile_rate(1);
	tuza_set_mutex_profile_fraction(1);
	tuza_waitgroup_add(&f.wg, 20);
	for (int i = 0; i < 20; i++)
		go(fights, &f);
	for (int i = 0; i < 3; i++)
		CHECK(value("mutex", COUNT, ALL_FUNCTIONS) + value("block", COUNT, ALL_FUNCTIONS) >
			0);
	tuza_waitgroup_wait(&f.wg);
	tuza_set_block_profile_rate(0);
	tuza_set_mutex_profile_fraction(0);
	CHECK_EQ(f.sum, 6000);
	CHECK(value("block", COUNT, FUNCTIONS("fights")) > 0);
	CHECK(value("mutex", COUNT, FUNCTIONS("fights")) > 0);
}

// ---- text --------------------------------------------------------------------------------------

TEST(text_has_gos_words)
{
	size_t n;
	int fd = scratch();
	char *text;
	struct crowd c = {.wg = {0}};

	tuza_waitgroup_add(&c.wg, WAITERS);
	tuza_set_mutex_profile_fraction(1);
	tuza_set_block_profile_rate(1);
	keeps_mutex(&c);
	tuza_set_block_profile_rate(0);
	CHECK_EQ(tuza_pprof_write(fd, "mutex", 1), 0);
	tuza_set_mutex_profile_fraction(0);
	text = read_back(fd, &n);
	close(fd);
	CHECK(strncmp(text, "--- mutex:\ncycles/second=1000000000\nsampling period=1\n", 53) == 0);
	CHECK_CONTAINS(text, " 1 @ 0x");
	CHECK_CONTAINS(text, "keeps_mutex+0x");
	free(text);
	fd = scratch();
	CHECK_EQ(tuza_pprof_write(fd, "block", 1), 0);
	text = read_back(fd, &n);
	close(fd);
	CHECK(strncmp(text, "--- contention:\ncycles/second=1000000000\n", 41) == 0);
	CHECK_CONTAINS(text, "wants_mutex+0x");
	free(text);
}
