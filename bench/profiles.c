// SPDX-License-Identifier: MIT
/*
 * What profiles and traces cost those whom they measure: the same work with one off and on, in
 * turn. Built and started by profiles.sh; its tables are in docs/PROFILING.md and docs/TRACING.md.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

enum { ROUNDS = 7, ROUND_TRIPS = 1000000, LOCKS = 200000, ALLOCATIONS = 10000000 };

static volatile uint64_t sink;

static int64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * TUZA_SECOND + t.tv_nsec;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(values[0]), compare);
	return values[ROUNDS / 2];
}

// ---- the CPU profile: four goroutines that only calculate, 13 frames deep -----------------------

static __attribute__((noinline)) void calculate(int depth)
{
	uint64_t x = sink;

	if (depth > 0)
		calculate(depth - 1);
	else
		for (int i = 0; i < 20000; i++)
			x = x * UINT64_C(6364136223846793005) + 1;
	sink = x;
}

static void calculates(tuza_waitgroup *wg)
{
	for (int i = 0; i < 3000; i++)
		calculate(12);
	tuza_waitgroup_done(wg);
}

static int64_t work(void)
{
	tuza_waitgroup wg = {0};
	int64_t began = cpu_time();

	tuza_waitgroup_add(&wg, 4);
	for (int i = 0; i < 4; i++)
		go(calculates, &wg);
	tuza_waitgroup_wait(&wg);
	return cpu_time() - began;
}

static int cpu_profile(int nowhere)
{
	double ratios[ROUNDS];

	work();
	for (int i = 0; i < ROUNDS; i++) {
		int64_t off = work(), on;

		if (tuza_pprof_cpu_start(nowhere) != 0)
			return 1;
		on = work();
		if (tuza_pprof_cpu_stop() != 0)
			return 1;
		ratios[i] = (double)on / (double)off;
	}
	printf("CPU profile, busy: %+.2f %% CPU time\n", (median(ratios) - 1) * 100);
	return 0;
}

// ---- the block profile: a round trip over two channels ------------------------------------------

static void answers(tuza_chan *in, tuza_chan *out)
{
	for (int i = 0; i < ROUND_TRIPS; i++) {
		tuza_chan_recv(in, NULL);
		tuza_chan_send(out, NULL);
	}
	tuza_chan_release(in);
	tuza_chan_release(out);
}

static double round_trips(int64_t rate)
{
	tuza_chan *in = tuza_chan_new(0, 0), *out = tuza_chan_new(0, 0);
	int64_t began = tuza_now();

	tuza_set_block_profile_rate(rate);
	go(answers, tuza_chan_retain(in), tuza_chan_retain(out));
	for (int i = 0; i < ROUND_TRIPS; i++) {
		tuza_chan_send(in, NULL);
		tuza_chan_recv(out, NULL);
	}
	tuza_set_block_profile_rate(0);
	began = tuza_now() - began;
	tuza_chan_release(in);
	tuza_chan_release(out);
	return (double)began / ROUND_TRIPS;
}

// ---- traces: the same round trip ----------------------------------------------------------------

enum { RECORDER = 1, TRACE };

static int begin_trace(int how, int nowhere)
{
	if (how == RECORDER)
		return tuza_flight_recorder_start(NULL);
	return how == TRACE ? tuza_trace_start(nowhere) : 0;
}

static void end_trace(int how)
{
	if (how == RECORDER)
		tuza_flight_recorder_stop();
	else if (how == TRACE)
		(void)!tuza_trace_stop();
}

// ns of CPU time for each round trip: others' programs do not count.
static double traced_trips(int how, int nowhere)
{
	int64_t began = 0;

	if (begin_trace(how, nowhere) != 0)
		return 0;
	if (how == RECORDER)
		(void)round_trips(0); // until its memory is there
	began = cpu_time();
	(void)round_trips(0);
	began = cpu_time() - began;
	end_trace(how);
	return (double)began / ROUND_TRIPS;
}

static void traces(int nowhere)
{
	double t[3][ROUNDS];

	for (int i = 0; i < ROUNDS * 3; i++)
		t[i % 3][i / 3] = traced_trips(i % 3, nowhere);
	printf("round trip over channels, CPU time: off %.0f ns, flight recorder %.0f ns, trace "
	       "%.0f ns\n",
		median(t[0]), median(t[1]), median(t[2]));
}

// ---- the mutex profile: four who fight for a lock -----------------------------------------------

struct fight {
	tuza_mutex mutex;
	tuza_waitgroup wg;
};

static void fights(struct fight *f)
{
	for (int i = 0; i < LOCKS; i++) {
		tuza_mutex_lock(&f->mutex);
		sink++;
		if (i % 16 == 0)
			tuza_yield();
		tuza_mutex_unlock(&f->mutex);
	}
	tuza_waitgroup_done(&f->wg);
}

static double locks(int fraction)
{
	struct fight f = {.wg = {0}};
	int64_t began = tuza_now();

	tuza_set_mutex_profile_fraction(fraction);
	tuza_waitgroup_add(&f.wg, 4);
	for (int i = 0; i < 4; i++)
		go(fights, &f);
	tuza_waitgroup_wait(&f.wg);
	tuza_set_mutex_profile_fraction(0);
	return (double)(tuza_now() - began) / LOCKS / 4;
}

// ---- the heap profile ---------------------------------------------------------------------------

static double allocations(bool ours)
{
	int64_t began = tuza_now();
	void *volatile p;

	for (int i = 0; i < ALLOCATIONS; i++) {
		if (ours) {
			p = tuza_malloc(64);
			tuza_free(p);
		} else {
			p = malloc(64);
			free(p);
		}
	}
	return (double)(tuza_now() - began) / ALLOCATIONS;
}

static int program(void *arg)
{
	double t[3][ROUNDS], ours[ROUNDS], libc[ROUNDS];
	static const int64_t rates[] = {0, 10 * TUZA_MICROSECOND, 1};
	static const int fractions[] = {0, 100, 1};

	(void)arg;
	if (cpu_profile(open("/dev/null", O_WRONLY)) != 0)
		return 1;
	traces(open("/dev/null", O_WRONLY));
	for (int i = 0; i < ROUNDS * 3; i++)
		t[i % 3][i / 3] = round_trips(rates[i % 3]);
	printf("round trip over channels, two waits: off %.0f ns, rate 10 us %.0f ns, all %.0f "
	       "ns\n",
		median(t[0]), median(t[1]), median(t[2]));
	for (int i = 0; i < ROUNDS * 3; i++)
		t[i % 3][i / 3] = locks(fractions[i % 3]);
	printf("lock and unlock, four fight: off %.0f ns, one in 100 %.0f ns, all %.0f ns\n",
		median(t[0]), median(t[1]), median(t[2]));
	for (int i = 0; i < ROUNDS; i++) {
		libc[i] = allocations(false);
		ours[i] = allocations(true);
	}
	printf("malloc and free of 64 bytes: the C library's %.1f ns, tuza's %.1f ns\n",
		median(libc), median(ours));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
