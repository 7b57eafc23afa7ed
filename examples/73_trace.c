// SPDX-License-Identifier: MIT
/*
 * What happened, and when: a flight recorder that is written when a request took too long, with
 * the program's own words in it, for `go tool trace` or Perfetto.
 */
#include <fcntl.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

static tuza_mutex table; // what all requests need

static void serve(int number, tuza_waitgroup *wg)
{
	uint64_t task = tuza_trace_task_begin(0, "request");

	tuza_trace_log(task, "number", "%d", number);
	tuza_trace_region_begin(task, "look up");
	tuza_mutex_lock(&table);
	if (number == 3)
		tuza_sleep(20 * TUZA_MILLISECOND); // with the lock: who finds that?
	tuza_mutex_unlock(&table);
	tuza_trace_region_end(task, "look up");
	tuza_trace_task_end(task);
	tuza_waitgroup_done(wg);
}

static int program(void *path)
{
	tuza_flight_recorder_options options = {.age = 10 * TUZA_SECOND, .max_bytes = 1 << 20};
	tuza_waitgroup wg = {0};

	if (tuza_flight_recorder_start(&options) != 0)
		return 1;
	int64_t begun = tuza_now();
	for (int i = 0; i < 10; i++) {
		tuza_waitgroup_add(&wg, 1);
		go(serve, i, &wg);
	}
	tuza_waitgroup_wait(&wg);
	if (tuza_now() - begun >= 10 * TUZA_MILLISECOND) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		// Look at it: go tool trace NAME, "User-defined tasks"; or -pprof=sync
		if (fd < 0 || tuza_flight_recorder_write(fd) != 0)
			return 1;
		close(fd);
		printf("too slow: there is a trace of it\n");
	}
	tuza_flight_recorder_stop();
	return 0;
}

int main(int argc, char **argv) { return tuza_run(program, argc > 1 ? argv[1] : "/dev/null"); }

/* Output:
too slow: there is a trace of it
 */
