// SPDX-License-Identifier: MIT
/*
 * Everything at once, from goroutines and plain threads: what one part of the runtime does to
 * another shows here. Sums come out, each thing happens once, order is kept, and nobody sleeps for
 * ever: the harness shows every goroutine when the test does not end.
 */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <tuza/tuza.h>

enum { WORKERS = 24, CHANNELS = 4, PAIRS = 4, PRODUCERS = 4 };

static int64_t end;

static tuza_chan *channels[CHANNELS];
static atomic_llong sent, received; // sums of what went through the channels
static tuza_mutex mutex;
static tuza_rwmutex rwmutex;
static tuza_semaphore semaphore;
static long under_mutex, under_rwmutex, under_semaphore; // changed under the locks alone
static atomic_llong mutex_locked, rwmutex_locked, semaphore_locked, semaphore_inside;
static atomic_llong calls_due, calls_made;        // of timers and of ends of contexts
static atomic_llong values_set, values_destroyed; // goroutine-local
static atomic_llong defers_due, defers_made;
static atomic_llong born, dead;
static tuza_local *key;
static tuza_context *root;
static tuza_map map;
static tuza_singleflight flights;

struct worker {
	uint64_t random;
	int number;
};

static uint64_t below(struct worker *w, uint64_t n) { return test_random(&w->random) % n; }
static bool is_over(void) { return tuza_now() >= end; }
static void note(atomic_llong *count) { atomic_fetch_add(count, 1); }

// ---- what workers do ---------------------------------------------------------------------------

static void do_send(struct worker *w)
{
	tuza_chan *c = channels[below(w, CHANNELS)];
	int v = (int)below(w, 1000);

	if (TUZA_SELECT(TUZA_SEND(c, &v), TUZA_DONE(root),
		    TUZA_AFTER((int64_t)below(w, 200) * TUZA_MICROSECOND)) == 0)
		atomic_fetch_add(&sent, v);
}

static void do_receive(struct worker *w)
{
	int v[CHANNELS] = {0};
	int i = TUZA_SELECT(TUZA_RECV(channels[0], &v[0]), TUZA_RECV(channels[1], &v[1]),
		TUZA_RECV(channels[2], &v[2]), TUZA_RECV(channels[3], &v[3]),
		TUZA_AFTER((int64_t)below(w, 200) * TUZA_MICROSECOND));

	if (i < CHANNELS)
		atomic_fetch_add(&received, v[i]);
}

static void do_try(struct worker *w)
{
	int v = (int)below(w, 1000);

	if (tuza_chan_try_send(channels[below(w, CHANNELS)], &v) == 0)
		atomic_fetch_add(&sent, v);
	if (tuza_chan_try_recv(channels[below(w, CHANNELS)], &v) == 0)
		atomic_fetch_add(&received, v);
}

static void add_under_mutex(void *arg)
{
	TUZA_LOCK(&mutex);
	under_mutex++;
	note(&mutex_locked);
	if (below(arg, 4) == 0)
		tuza_yield();
	if (below(arg, 8) == 0)
		tuza_panic("under the mutex");
}

static void do_mutex(struct worker *w)
{
	tuza_context *ctx;

	if (below(w, 4) != 0) {
		TUZA_IGNORE(tuza_try(add_under_mutex, w, NULL));
		return;
	}
	ctx = tuza_context_with_timeout(root, (int64_t)below(w, 100) * TUZA_MICROSECOND);
	if (tuza_mutex_lock_ctx(&mutex, ctx) == 0) {
		under_mutex++;
		note(&mutex_locked);
		tuza_mutex_unlock(&mutex);
	}
	tuza_context_free(ctx);
}

static void do_rwmutex(struct worker *w)
{
	if (below(w, 4) != 0) {
		tuza_rwmutex_rlock(&rwmutex);
		long seen = under_rwmutex;

		if (below(w, 8) == 0)
			tuza_yield();
		CHECK_EQ(under_rwmutex, seen);
		tuza_rwmutex_runlock(&rwmutex);
	} else if (below(w, 2) ? tuza_rwmutex_try_lock(&rwmutex)
			       : (tuza_rwmutex_lock(&rwmutex), true)) {
		under_rwmutex++;
		note(&rwmutex_locked);
		tuza_rwmutex_unlock(&rwmutex);
	}
}

static void do_semaphore(struct worker *w)
{
	tuza_context *ctx =
		tuza_context_with_timeout(root, (int64_t)below(w, 300) * TUZA_MICROSECOND);
	int64_t weight = 1 + (int64_t)below(w, 3);

	if (tuza_semaphore_acquire(&semaphore, ctx, weight) == 0) {
		CHECK(atomic_fetch_add(&semaphore_inside, weight) + weight <= 3);
		if (weight == 3) {
			under_semaphore++;
			note(&semaphore_locked);
		}
		atomic_fetch_sub(&semaphore_inside, weight);
		tuza_semaphore_release(&semaphore, weight);
	}
	tuza_context_free(ctx);
}

static void make_call(void *arg)
{
	(void)arg;
	note(&calls_made);
}

// A call is made, or was prevented: never both, never neither.
static void do_timer(struct worker *w)
{
	tuza_timer *t = tuza_after_func((int64_t)below(w, 300) * TUZA_MICROSECOND, make_call, NULL);

	note(&calls_due);
	for (uint64_t i = below(w, 4); i > 0; i--) {
		if (below(w, 2))
			tuza_yield();
		if (!tuza_timer_reset(t, (int64_t)below(w, 100) * TUZA_MICROSECOND))
			note(&calls_due);
	}
	if (below(w, 2))
		tuza_sleep((int64_t)below(w, 200) * TUZA_MICROSECOND);
	if (tuza_timer_stop(t))
		atomic_fetch_sub(&calls_due, 1);
	tuza_timer_free(t);
}

static void do_context(struct worker *w)
{
	tuza_context *parent = tuza_context_with_cancel(root);
	tuza_context *child =
		tuza_context_with_timeout(parent, (int64_t)below(w, 300) * TUZA_MICROSECOND);
	tuza_context_after *after = tuza_context_after_func(child, make_call, NULL);

	note(&calls_due);
	if (below(w, 2))
		tuza_sleep((int64_t)below(w, 300) * TUZA_MICROSECOND);
	if (below(w, 2))
		tuza_context_cancel_cause(parent, -7);
	if (tuza_context_err(parent) != 0)
		CHECK(tuza_context_err(child) != 0);
	if (tuza_context_after_stop(after))
		atomic_fetch_sub(&calls_due, 1);
	tuza_context_free(parent);
	CHECK(tuza_context_err(child) != 0);
	tuza_context_free(child);
}

// ---- goroutines that workers start -------------------------------------------------------------

static void end_badly(void *arg)
{
	TUZA_DEFER(note, &defers_made);
	note(&defers_due);
	tuza_panic("%d", *(int *)arg);
}

static void live(void *arg)
{
	struct worker w = *(struct worker *)arg;

	TUZA_DEFER(note, &dead);
	if (below(&w, 2)) {
		note(&values_set);
		CHECK_EQ(tuza_local_set(key, &values_destroyed), 0);
	}
	for (int i = (int)below(&w, 3); i > 0; i--) {
		TUZA_DEFER(note, &defers_made);
		note(&defers_due);
		tuza_yield();
	}
	TUZA_DEFER(note, &defers_made);
	note(&defers_due);
	switch (w.number) {
	case 1:
		tuza_goexit();
	case 2:
		end_badly(&w.number);
		break;
	case 3:
		TUZA_IGNORE(tuza_try(end_badly, &w.number, NULL));
		break;
	case 4:
		tuza_lock_os_thread();
		long thread = syscall(SYS_gettid);

		do_send(&w);
		tuza_yield();
		do_receive(&w);
		CHECK_EQ(syscall(SYS_gettid), thread);
		if (below(&w, 4))
			tuza_unlock_os_thread();
	}
}

static void do_spawn(struct worker *w)
{
	struct worker child = {test_random(&w->random), (int)below(w, 5)};
	tuza_goroutine *g = tuza_spawn(live, &child);
	tuza_context *ctx;

	if (!CHECK(g != NULL))
		return;
	note(&born);
	ctx = tuza_context_with_timeout(root, (int64_t)below(w, 100) * TUZA_MICROSECOND);
	int code = tuza_join_ctx(ctx, g);

	if (code != 0 && code != TUZA_EPANIC)
		code = tuza_join(g);
	CHECK_EQ(code, child.number == 2 ? TUZA_EPANIC : 0);
	tuza_context_free(ctx);
}

static void do_detach(struct worker *w)
{
	struct worker child = {test_random(&w->random), (int)below(w, 2)};

	note(&born);
	CHECK_EQ(tuza_go_copy(live, &child, sizeof(child)), 0);
}

static int fly(void *arg, void **result)
{
	*result = arg;
	tuza_yield();
	return 5;
}

static void do_shared(struct worker *w)
{
	static char keys[8];
	const void *k = &keys[below(w, 8)];
	void *value;

	tuza_map_store(&map, k, (void *)k);
	if (tuza_map_load(&map, &keys[below(w, 8)], &value) && value)
		CHECK((char *)value >= keys && (char *)value < keys + 8);
	if (below(w, 2))
		tuza_map_delete(&map, k);
	CHECK_EQ(tuza_singleflight_do(&flights, below(w, 2) ? "a" : "b", fly, keys, &value, NULL),
		5);
	CHECK(value == keys);
}

static void do_section(struct worker *w)
{
	tuza_blocking_begin();
	usleep((useconds_t)below(w, 200));
	do_try(w);
	tuza_blocking_end();
}

static int fail_one(tuza_context *ctx, size_t i, void *arg)
{
	(void)arg;
	if (i == 3)
		return -3;
	return tuza_sleep_ctx(ctx, 20 * TUZA_MICROSECOND);
}

static void do_parallel(struct worker *w)
{
	CHECK_EQ(tuza_parallel(root, 6, 1 + below(w, 4), fail_one, NULL), -3);
}

static void do_runtime(struct worker *w)
{
	static const int null_kinds[] = {0, 1, 2};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char text[4000];
	tuza_statistics s;

	switch (below(w, 8)) {
	case 0:
		tuza_gomaxprocs(1 + (int)below(w, 8));
		break;
	case 1:
		tuza_dump(null);
		break;
	case 2:
		CHECK(tuza_stack(text, sizeof(text)) > 0);
		break;
	case 3:
		tuza_stats(&s);
		break;
	case 4:
		tuza_pprof_write(null, "goroutine", null_kinds[below(w, 3)]);
		break;
	case 5:
		tuza_set_block_profile_rate(below(w, 2) ? 1000 : 0);
		tuza_set_mutex_profile_fraction(below(w, 2) ? 3 : 0);
		break;
	case 6:
		kill(getpid(), SIGUSR1);
		break;
	case 7:
		if (!TEST_SANITIZED && tuza_pprof_cpu_start(null) == 0) {
			tuza_sleep(TUZA_MILLISECOND);
			tuza_pprof_cpu_stop();
		}
	}
	close(null);
}

static void act(struct worker *w, bool is_goroutine)
{
	static void (*const acts[])(struct worker *) = {do_send, do_receive, do_try, do_mutex,
		do_rwmutex, do_semaphore, do_timer, do_context, do_shared, do_section, do_spawn,
		do_detach, do_parallel, do_runtime};

	uint64_t n = sizeof(acts) / sizeof(acts[0]);

	// Reports cost much more than the rest.
	if (below(w, 16) != 0)
		n--;
	acts[below(w, n)](w);
	if (is_goroutine && below(w, 8) == 0)
		tuza_sleep((int64_t)below(w, 50) * TUZA_MICROSECOND);
}

static void work(struct worker w, tuza_waitgroup *group)
{
	TUZA_DEFER(tuza_waitgroup_done, group);
	tuza_set_name("worker %d", w.number);
	tuza_set_label("kind", "worker");
	while (!is_over())
		act(&w, true);
}

static void *work_on_thread(void *arg)
{
	struct worker w = *(struct worker *)arg;

	while (!is_over())
		act(&w, false);
	return NULL;
}

// ---- those who wait without a limit: nobody may be forgotten -----------------------------------

struct pair {
	tuza_chan *there, *back;
	tuza_mutex lock;
	tuza_cond changed;
	int turn; // under the lock
	bool is_over;
};

static void answer(struct pair *p, tuza_waitgroup *group)
{
	int v;

	TUZA_DEFER(tuza_waitgroup_done, group);
	while (tuza_recv(p->there, &v)) {
		TUZA_LOCK(&p->lock);
		while (p->turn != v)
			tuza_cond_wait(&p->changed, &p->lock);
		p->turn = -v;
		tuza_cond_signal(&p->changed);
		if (v % 3)
			tuza_send(p->back, v);
	}
}

static void ask(struct pair *p, tuza_waitgroup *group)
{
	int back;

	TUZA_DEFER(tuza_waitgroup_done, group);
	for (int v = 1; !is_over(); v++) {
		tuza_send(p->there, v);
		tuza_mutex_lock(&p->lock);
		p->turn = v;
		tuza_cond_broadcast(&p->changed);
		tuza_mutex_unlock(&p->lock);
		if (v % 3) {
			tuza_recv(p->back, &back);
			CHECK_EQ(back, v);
		}
		tuza_mutex_lock(&p->lock);
		while (p->turn != -v)
			tuza_cond_wait(&p->changed, &p->lock);
		tuza_mutex_unlock(&p->lock);
		if (v % 32 == 0) // leaves the processor to others
			tuza_sleep(100 * TUZA_MICROSECOND);
	}
	tuza_chan_close(p->there);
}

struct message {
	int producer, number;
};

static void produce(tuza_chan *c, int producer, tuza_waitgroup *group)
{
	TUZA_DEFER(tuza_waitgroup_done, group);
	for (int i = 0; !is_over(); i++) {
		tuza_send(c, ((struct message){producer, i}));
		if (i % 32 == 31)
			tuza_sleep(100 * TUZA_MICROSECOND);
	}
}

static void consume(tuza_chan *c, tuza_waitgroup *group)
{
	int next[PRODUCERS] = {0};
	struct message m;

	TUZA_DEFER(tuza_waitgroup_done, group);
	while (tuza_recv(c, &m)) {
		if (!CHECK_EQ(m.number, next[m.producer]))
			break;
		next[m.producer]++;
	}
}

TEST(everything_at_once)
{
	uint64_t seed = test_seed();
	tuza_waitgroup group = {0}, producers = {0}, consumers = {0};
	tuza_chan *signals = tuza_chan_new(sizeof(int), 1);
	tuza_chan *line = tuza_chan_new(sizeof(struct message), seed % 3 * 5);
	struct pair pairs[PAIRS] = {{0}};
	struct worker threads[2];
	pthread_t thread[2];
	char text[1000];
	int number = 0, v;

	tuza_stack(text, sizeof(text)); // reads the names of functions, which takes long, in peace
	end = test_stress_end();
	root = tuza_context_with_cancel(tuza_context_background());
	key = tuza_local_new((void (*)(void *))note);
	tuza_semaphore_init(&semaphore, 3);
	for (int i = 0; i < CHANNELS; i++)
		channels[i] = i == 3 ? tuza_chan_new_unbounded(sizeof(int))
				     : tuza_chan_new(sizeof(int), (size_t)i * 4);
	tuza_signal_notify(signals, SIGUSR1);

	for (int i = 0; i < 2; i++) {
		threads[i] = (struct worker){test_random(&seed), number++};
		pthread_create(&thread[i], NULL, work_on_thread, &threads[i]);
	}
	tuza_waitgroup_add(&group, WORKERS - 2 + 2 * PAIRS);
	while (number < WORKERS) {
		struct worker w = {test_random(&seed), number++};

		TUZA_GO(work, w, &group);
	}
	for (int i = 0; i < PAIRS; i++) {
		pairs[i].there = tuza_chan_new(sizeof(int), (size_t)i % 2);
		pairs[i].back = tuza_chan_new(sizeof(int), 0);
		TUZA_GO(answer, &pairs[i], &group);
		TUZA_GO(ask, &pairs[i], &group);
	}
	tuza_waitgroup_add(&producers, PRODUCERS);
	for (int i = 0; i < PRODUCERS; i++)
		TUZA_GO(produce, line, i, &producers);
	tuza_waitgroup_add(&consumers, 1);
	TUZA_GO(consume, line, &consumers);

	tuza_waitgroup_wait(&producers);
	tuza_chan_close(line);
	tuza_waitgroup_wait(&consumers);
	tuza_waitgroup_wait(&group);
	tuza_blocking_begin();
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tuza_blocking_end();
	tuza_signal_stop(signals);

	for (int i = 0; i < CHANNELS; i++) {
		while (tuza_chan_try_recv(channels[i], &v) == 0)
			atomic_fetch_add(&received, v);
		tuza_chan_release(channels[i]);
	}
	CHECK_EQ(received, sent);
	CHECK_EQ(under_mutex, mutex_locked);
	CHECK_EQ(under_rwmutex, rwmutex_locked);
	CHECK_EQ(under_semaphore, semaphore_locked);
	WAIT_UNTIL(dead == born);
	WAIT_UNTIL(calls_made == calls_due);
	WAIT_UNTIL(values_destroyed == values_set);
	CHECK_EQ(defers_made, defers_due);
	printf("  %lld born, %lld calls, %lld sent, %lld locked\n", (long long)born,
		(long long)calls_made, (long long)sent, (long long)mutex_locked);
	for (int i = 0; i < PAIRS; i++) {
		tuza_chan_release(pairs[i].there);
		tuza_chan_release(pairs[i].back);
	}
	tuza_chan_release(line);
	tuza_chan_release(signals);
	tuza_local_free(key);
	tuza_map_free(&map);
	tuza_context_free(root);
	tuza_set_block_profile_rate(0);
	tuza_set_mutex_profile_fraction(0);
}
