// SPDX-License-Identifier: MIT
/*
 * A select with priority, which Go lacks: of several ready cases the first is taken, so what is
 * urgent goes before what is not.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *urgent = tuza_chan_new(sizeof(int), 3), *normal = tuza_chan_new(sizeof(int), 3);

	(void)arg;
	for (int i = 1; i <= 3; i++) {
		tuza_send(normal, i);
		tuza_send(urgent, i);
	}
	for (int i = 0; i < 6; i++) {
		int job;
		tuza_select_case cases[] = {TUZA_RECV(urgent, &job), TUZA_RECV(normal, &job)};

		switch (tuza_select_ordered(cases, 2)) {
		case 0:
			printf("urgent %d\n", job);
			break;
		case 1:
			printf("normal %d\n", job);
			break;
		}
	}
	tuza_chan_release(urgent);
	tuza_chan_release(normal);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
urgent 1
urgent 2
urgent 3
normal 1
normal 2
normal 3
 */
