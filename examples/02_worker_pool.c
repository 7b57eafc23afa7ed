// SPDX-License-Identifier: MIT
// A worker pool: four goroutines square the numbers that come through a channel.
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void worker(tuza_chan *jobs, tuza_chan *results, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg); // defer wg.Done()
	int n;
	while (tuza_recv(jobs, &n))        // for n := range jobs {
		tuza_send(results, n * n); //	results <- n * n
}

static void close_when_done(tuza_chan *results, tuza_waitgroup *wg)
{
	tuza_waitgroup_wait(wg);
	tuza_chan_close(results);
}

static int program(void *arg)
{
	tuza_chan *jobs = tuza_chan_new(sizeof(int), 100); // make(chan int, 100)
	tuza_chan *results = tuza_chan_new(sizeof(int), 0);
	tuza_waitgroup wg = {0};
	int square, sum = 0;

	(void)arg;
	tuza_waitgroup_add(&wg, 4);
	for (int i = 0; i < 4; i++)
		go(worker, jobs, results, &wg); // go worker(jobs, results, &wg)
	go(close_when_done, results, &wg);
	for (int n = 1; n <= 100; n++)
		tuza_send(jobs, n);
	tuza_chan_close(jobs);
	for (bool ok = true; ok; sum += square) // a closed channel gives zeros
		if (TUZA_SELECT(TUZA_RECV_OK(results, &square, &ok), TUZA_AFTER(TUZA_MINUTE)))
			tuza_panic("no result for a minute");
	printf("the sum of 100 squares is %d\n", sum);
	tuza_chan_release(jobs);
	tuza_chan_release(results);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
the sum of 100 squares is 338350
 */
