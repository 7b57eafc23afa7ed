// SPDX-License-Identifier: MIT
/*
 * What the workers of everything_stress.c do, each at random until the time is up, and what they
 * count: sums that have to come out in the end.
 */
#ifndef TUZA_EVERYTHING_WORK_H
#define TUZA_EVERYTHING_WORK_H

#include "stress.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <tuza/tuza.h>

enum { CHANNELS = 4 };

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

#endif
