// SPDX-License-Identifier: MIT
// not-under: address thread valgrind emulator whose malloc the scan does not know
/*
 * Goroutines that can never go on, found while the program runs: nobody who may still run can reach
 * what they wait for. One that waits for a channel that somebody knows is no leak, however long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/testing.h>
#include <tuza/tuza.h>
#include <unistd.h>

static void answer(tuza_chan *answers, int value)
{
	tuza_send(answers, value); // for ever, if the one who asked has gone
	tuza_chan_release(answers);
}

// Takes the first of two answers and forgets the other. (As a part of its caller it might leave the
// channel's address behind in a register: then the scan takes it for known.)
__attribute__((noinline)) static int ask(void)
{
	tuza_chan *answers = tuza_chan_new(sizeof(int), 0);
	int first;

	go(answer, tuza_chan_retain(answers), 1);
	go(answer, tuza_chan_retain(answers), 1);
	tuza_recv(answers, &first);
	tuza_chan_release(answers);
	return first;
}

static tuza_chan *_Atomic events; // for whoever wants to send some

static void listen_for_events(tuza_chan *c) { tuza_recv(c, NULL); }

static int program(void *arg)
{
	FILE *report = tmpfile();
	char line[256];

	(void)arg;
	if (!report)
		return 1;
	events = tuza_chan_new(sizeof(int), 0);
	go(listen_for_events, events);
	ask();
	for (int i = 0; i < 1000 && tuza_leak_scan(-1) == 0; i++)
		tuza_sleep(TUZA_MILLISECOND); // the other one is still on its way
	printf("leaked: %d\n", tuza_leak_scan(fileno(report)));
	lseek(fileno(report), 0, SEEK_SET);
	while (fgets(line, sizeof(line), report))
		if (strncmp(line, "goroutine ", 10) == 0 || strncmp(line, "created", 7) == 0)
			printf("%s", strchr(line, '[') ? strchr(line, '[') : line);
	fclose(report);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
leaked: 1
[chan send (leaked)]:
created by ask in goroutine 1
 */
