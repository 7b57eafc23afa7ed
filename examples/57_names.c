// SPDX-License-Identifier: MIT
/*
 * Names and labels, and a dump of every goroutine: what it waits for, since when, and where.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void consumer(int number, tuza_chan *jobs, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	tuza_set_name("consumer %d", number); // as printf
	while (tuza_recv(jobs, NULL))
		puts("a job");
}

// Prints what stands in the brackets of the first goroutine that waits and has a name.
static bool print_named(void)
{
	FILE *dump = tmpfile();
	char line[512];
	bool found = false;

	if (!dump)
		tuza_panic("no temporary file");
	TUZA_DEFER(fclose, dump);
	tuza_dump(fileno(dump)); // every goroutine with its stack, in the words of Go's traceback
	rewind(dump);
	while (!found && fgets(line, sizeof(line), dump)) {
		found = strncmp(line, "goroutine ", 10) == 0 && strstr(line, "[chan receive, name");
		if (found)
			printf("%s", strchr(line, '['));
	}
	return found;
}

static int program(void *arg)
{
	tuza_chan *jobs = tuza_chan_new(sizeof(int), 0);
	tuza_waitgroup wg = {0};

	(void)arg;
	if (tuza_set_label("queue", "mail") != 0) // inherited by those it starts
		return 1;
	tuza_waitgroup_add(&wg, 1);
	go(consumer, 1, jobs, &wg);
	while (!print_named()) // perhaps it has not got there yet
		tuza_yield();
	tuza_chan_close(jobs);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(jobs);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
[chan receive, name "consumer 1" labels:{"queue": "mail"}]:
 */
