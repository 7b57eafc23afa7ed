// SPDX-License-Identifier: MIT
/*
 * Where CPU time goes, and where goroutines are: two profiles for `go tool pprof`, told apart by
 * labels, and one as text.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

static void count_primes(int limit, tuza_waitgroup *wg)
{
	volatile int found = 0;

	tuza_set_label("work", "primes");
	for (int n = 2, d; n < limit; n++) {
		for (d = 2; d * d <= n && n % d != 0; d++)
			;
		found = found + (d * d > n);
	}
	tuza_waitgroup_done(wg);
}

static void wait_for_work(tuza_chan *jobs, tuza_waitgroup *wg)
{
	int job;

	while (tuza_recv(jobs, &job))
		printf("job %d\n", job);
	tuza_waitgroup_done(wg);
}

static int program(void *name)
{
	tuza_chan *jobs = tuza_chan_new(sizeof(int), 0);
	tuza_waitgroup wg = {0};
	tuza_statistics s;
	int cpu = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666), text = memfd_create("text", 0);

	if (cpu < 0 || tuza_pprof_cpu_start(cpu) != 0) // look at it: go tool pprof -top NAME
		return 1;
	tuza_waitgroup_add(&wg, 5);
	for (int i = 0; i < 4; i++)
		go(wait_for_work, jobs, &wg);
	go(count_primes, 300000, &wg);
	do
		tuza_sleep(TUZA_MILLISECOND);
	while (tuza_stats(&s), s.goroutines > 5 || s.waiting < 4); // until the primes are counted
	if (tuza_pprof_cpu_stop() != 0 || tuza_pprof_write(text, "goroutine", 1) != 0)
		return 1;
	FILE *lines = fdopen(text, "r");
	char line[512];
	rewind(lines);
	for (int n = 0; n < 2 && fgets(line, sizeof line, lines); n++)
		printf("%.*s\n", n == 0 ? 26 : 3, line); // without addresses
	fclose(lines);
	close(cpu);
	tuza_chan_close(jobs);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(jobs);
	return 0;
}

int main(int argc, char **argv) { return tuza_run(program, argc > 1 ? argv[1] : "/dev/null"); }

/* Output:
goroutine profile: total 5
4 @
 */
