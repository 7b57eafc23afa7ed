// SPDX-License-Identifier: MIT
/*
 * A channel without a limit, which Go lacks: a send never waits. What nobody receives is dropped
 * properly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/tuza.h>

static int dropped;

static void drop(void *elem)
{
	free(*(char **)elem);
	dropped++;
}

static int program(void *arg)
{
	tuza_chan *lines = tuza_chan_new_unbounded(sizeof(char *));
	char *line;

	(void)arg;
	tuza_chan_on_drop(lines, drop); // the channel owns what it holds
	for (int i = 0; i < 1000; i++) {
		line = strdup("a line of the log");
		if (!line)
			tuza_panic("out of memory");
		tuza_send(lines, line); // never waits: watch what grows
	}
	printf("%zu lines wait\n", tuza_chan_len(lines));
	for (int i = 0; i < 10 && tuza_recv(lines, &line); i++)
		free(line); // received: ours
	tuza_chan_release(lines);
	printf("%d were dropped\n", dropped);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
1000 lines wait
990 were dropped
 */
