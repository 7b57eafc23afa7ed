// SPDX-License-Identifier: MIT
/*
 * A million goroutines that sleep: what each weighs, how fast they start and end, how late they
 * wake.
 */
#include "bench.h"

#include <stdatomic.h>
#include <tuza/tuza.h>

enum { million = 1000000 };

// What a million sleepers share. Statistics, relaxed: the waitgroup orders them.
struct dormitory {
	tuza_waitgroup wg;
	atomic_llong asleep;
	atomic_llong late;  // ns, the sum
	atomic_llong worst; // ns
	atomic_llong early; // how many woke before their time
};

static void add(atomic_llong *to, int64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static int64_t get(atomic_llong *from) { return atomic_load_explicit(from, memory_order_relaxed); }

// Notes when a sleeper woke that wanted to at `due`.
static void woken(struct dormitory *d, int64_t due)
{
	int64_t late = tuza_now() - due;
	if (late < 0)
		add(&d->early, 1);
	add(&d->late, late);
	long long worst = get(&d->worst);
	while (late > worst && !atomic_compare_exchange_weak_explicit(&d->worst, &worst, late,
				       memory_order_relaxed, memory_order_relaxed))
		;
	tuza_waitgroup_done(&d->wg);
}

static void sleep_until(struct dormitory *d, int64_t due)
{
	add(&d->asleep, 1);
	tuza_sleep(due - tuza_now());
	woken(d, due);
}

static void sleep_for(struct dormitory *d, int64_t length)
{
	int64_t due = tuza_now() + length;
	tuza_sleep(length);
	woken(d, due);
}

// Starts n goroutines that sleep until the same instant, weighs them while all are asleep, and
// times start and end. When the machine was too slow to start all before that instant, it tries
// again with twice the time. The start is that of the first try, when no stack was in a cache, and
// sizes count from before it.
static double sleepers(void)
{
	int64_t n = scaled(million, 1000), before = memory_now(), starting = 0;
	for (int64_t night = 12 * TUZA_SECOND * n / million;; night *= 2) {
		struct dormitory d = {0};
		int64_t start = tuza_now(), due = start + night + 50 * TUZA_MILLISECOND;
		tuza_waitgroup_add(&d.wg, (int)n);
		for (int64_t i = 0; i < n; i++)
			TUZA_GO(sleep_until, &d, due);
		while (get(&d.asleep) < n)
			tuza_sleep(TUZA_MILLISECOND);
		if (starting == 0)
			starting = tuza_now() - start;
		int64_t weight = memory_now() - before;
		bool in_time = tuza_now() < due;
		tuza_waitgroup_wait(&d.wg);
		if (!in_time)
			continue;
		int64_t ending = tuza_now() - due;
		check(get(&d.early) == 0, "%lld woke early", (long long)get(&d.early));
		note("start_ms", "%.2f", (double)starting / 1e6);
		note("end_ms", "%.2f", (double)ending / 1e6);
		note("bytes_each", "%.2f", (double)weight / (double)n);
		return (double)(starting + ending) / (double)n;
	}
}

// Spreads i over 64 bits: splitmix64.
static uint64_t mix(uint64_t i)
{
	i += 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return i ^ i >> 31;
}

static double sleepers_random(void)
{
	int64_t n = scaled(million, 1000);
	struct dormitory d = {0};
	int64_t start = tuza_now();
	tuza_waitgroup_add(&d.wg, (int)n);
	for (int64_t i = 0; i < n; i++)
		TUZA_GO(sleep_for, &d, (int64_t)(mix((uint64_t)i) % TUZA_SECOND));
	tuza_waitgroup_wait(&d.wg);
	int64_t wall = tuza_now() - start;
	check(get(&d.early) == 0, "%lld woke early", (long long)get(&d.early));
	note("wall_ms", "%.2f", (double)wall / 1e6);
	note("late_mean_us", "%.2f", (double)get(&d.late) / (double)n / 1e3);
	note("late_worst_us", "%.2f", (double)get(&d.worst) / 1e3);
	return (double)wall / (double)n;
}

const struct workload sleep_workloads[] = {
	{.name = "sleepers",
		.operation =
			"one of 1M goroutines that sleep until the same instant: start and end",
		.measure = sleepers},
	{.name = "sleepers-random",
		.operation = "one of 1M goroutines that sleep 0 to 1 s each: wall time",
		.measure = sleepers_random},
	{0},
};
