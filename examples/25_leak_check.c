// SPDX-License-Identifier: MIT
/*
 * A leak check in a test: it tells which goroutines the code under test has left behind, what they
 * wait for and who started them.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void query(int server, tuza_chan *answers)
{
	tuza_send(answers, server); // waits for a receiver, if there is no room
	tuza_chan_release(answers);
}

static tuza_chan *answers; // of the latest questions

// Asks three servers and takes the first answer.
static int first_answer(size_t room)
{
	int server;

	answers = tuza_chan_new(sizeof(int), room);
	for (int i = 1; i <= 3; i++)
		go(query, i, tuza_chan_retain(answers));
	tuza_recv(answers, &server);
	return server;
}

// ---- the test --------------------------------------------------------------------------------

static char report[4096];

// Without options the report goes to standard error, and goroutines get half a second to end.
static tuza_leak_options options = {.fd = -1, .buffer = report, .buffer_bytes = sizeof(report)};

static void test(void *room)
{
	TUZA_LEAK_CHECK(&options); // at the end of the block
	int server = first_answer(*(size_t *)room);

	if (server < 1 || server > 3)
		tuza_panic("no such server");
}

static void run(const char *which, size_t room)
{
	tuza_panic_info info;

	if (tuza_try(test, &room, &info) == 0) {
		printf("%s: passed\n", which);
		return;
	}
	printf("%s: %s\n", which, info.message);
	for (const char *line = strtok(report, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "goroutine ", 10) == 0)
			printf("  a goroutine %s\n", strchr(line, '[')); // without its number
		else if (strncmp(line, "created by ", 11) == 0)
			printf("  %s\n", line);
	}
}

static int program(void *arg)
{
	(void)arg;
	run("no room", 0);
	tuza_recv(answers, NULL); // lets them go, for the sake of what follows
	tuza_recv(answers, NULL);
	tuza_chan_release(answers);

	run("room for all", 3); // the fix: nobody waits to send
	tuza_chan_release(answers);
	tuza_leak_verify(NULL); // of the whole program
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
no room: tuza_leak_verify: 2 left over
  a goroutine [chan send]:
  created by first_answer in goroutine 1
  a goroutine [chan send]:
  created by first_answer in goroutine 1
room for all: passed
 */
