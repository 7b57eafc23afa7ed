// SPDX-License-Identifier: MIT
// expect-status: 0
// expect-stdout: the panic is whole and the last
/*
 * Dumps on other threads and a second panic do not get into the report of a panic: dumps under way
 * are waited for, later ones do not begin. D7.
 *
 * The child dumps to its standard error without a pause and panics; the parent reads it all.
 */
#define _GNU_SOURCE
#include <tuza/tuza.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20, PARKED = 50 };

static void *dump_for_ever(void *arg)
{
	for (;;)
		tuza_dump(STDERR_FILENO);
	return arg;
}

static void panic_soon(tuza_chan *go_on)
{
	tuza_chan_recv(go_on, NULL);
	tuza_panic("this is it");
}

static int program(void *arg)
{
	tuza_chan *never = tuza_chan_new(0, 0), *go_on = tuza_chan_new(0, 0);
	pthread_t thread;

	(void)arg;
	for (int i = 0; i < PARKED; i++)
		TUZA_GO(tuza_chan_recv, never, NULL);
	TUZA_GO(panic_soon, go_on);
	TUZA_GO(panic_soon, go_on);
	pthread_create(&thread, NULL, dump_for_ever, NULL);
	TUZA_GO(dump_for_ever, NULL);
	tuza_sleep(5 * TUZA_MILLISECOND);
	tuza_chan_close(go_on);
	tuza_sleep(TUZA_MINUTE);
	return 0;
}

static int count(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

// What the child wrote: dumps, then one report, of one goroutine, to the end.
static int judge(const char *text)
{
	const char *report = strstr(text, "panic: this is it\n\ngoroutine ");

	if (!report || (report > text && report[-1] != '\n'))
		return printf("no panic, or in the midst of a line\n");
	if (count(report, "panic: ") != 1 || count(report, "\ngoroutine ") != 1)
		return printf("something else in the report:\n%s\n", report);
	if (count(report, "created by program in goroutine 1") != 1)
		return printf("the report is cut:\n%s\n", report);
	return 0;
}

static int one_round(void)
{
	static char text[64 << 20];
	size_t length = 0;
	int ends[2], status = 0;
	ssize_t n;

	fflush(stdout);
	if (pipe(ends) != 0)
		return 1;
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		exit(tuza_run(program, NULL));
	}
	close(ends[1]);
	while ((n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0) {
		length += (size_t)n;
		if (length == sizeof(text) - 1) { // on a busy machine there may be many dumps
			memmove(text, text + length / 2, length - length / 2);
			length -= length / 2;
		}
	}
	close(ends[0]);
	text[length] = 0;
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
		return printf("status %x\n", (unsigned)status);
	return judge(text);
}

int main(void)
{
	for (int i = 0; i < ROUNDS; i++)
		if (one_round() != 0)
			return 1;
	printf("the panic is whole and the last\n");
	return 0;
}
