// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: all goroutines are asleep - deadlock!
// expect-stderr: tuza_sim_run: seed
/*
 * Two locks in two orders: some seed finds that both wait for each other for ever.
 */
#define TUZA_WATCH_LOCKS 1
#include <tuza/tuza.h>

static tuza_mutex first, second;

static void lock_both(tuza_mutex *one, tuza_mutex *other, tuza_waitgroup *wg)
{
	tuza_mutex_lock(one);
	tuza_mutex_lock(other);
	tuza_mutex_unlock(other);
	tuza_mutex_unlock(one);
	tuza_waitgroup_done(wg);
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	tuza_waitgroup_add(&wg, 2);
	TUZA_GO(lock_both, &first, &second, &wg);
	TUZA_GO(lock_both, &second, &first, &wg);
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(void)
{
	for (uint64_t seed = 1; seed <= 1000; seed++)
		tuza_sim_run(seed, program, NULL);
	return 0;
}
