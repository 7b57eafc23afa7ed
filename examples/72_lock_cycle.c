// SPDX-License-Identifier: MIT
/*
 * Two transfers lock two accounts in different order and wait for each other. The rest of the
 * program runs on: the runtime finds the cycle and reports it on standard error, once. The cure:
 * one order for all, such as by address.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

struct account {
	tuza_mutex lock;
	long cents;
};

static struct account anna = {.cents = 100}, bert = {.cents = 100};
static tuza_waitgroup both;

static void transfer(struct account *from, struct account *to, long cents)
{
	tuza_mutex_lock(&from->lock);
	tuza_waitgroup_done(&both); // the unlucky moment, every time
	tuza_waitgroup_wait(&both);
	tuza_mutex_lock(&to->lock);
	from->cents -= cents;
	to->cents += cents;
	tuza_mutex_unlock(&to->lock);
	tuza_mutex_unlock(&from->lock);
}

// The lines of the report that begin so; prints those that are wanted.
static int show(FILE *report, const char *begin, bool prints)
{
	char line[256];
	int n = 0;

	rewind(report);
	while (fgets(line, sizeof(line), report))
		if (strncmp(line, begin, strlen(begin)) == 0 && n++ >= 0 && prints)
			printf("%.*s\n", (int)strcspn(line, " ("), line);
	return n;
}

static int program(void *arg)
{
	FILE *report = tmpfile();

	(void)arg;
	if (!report)
		return 1;
	dup2(fileno(report), STDERR_FILENO);
	tuza_waitgroup_add(&both, 2);
	go(transfer, &anna, &bert, 10);
	go(transfer, &bert, &anna, 10);
	while (show(report, "created by", false) < 2) // the last line of each goroutine
		tuza_sleep(10 * TUZA_MILLISECOND);    // other work
	show(report, "goroutine", true);
	show(report, "transfer", true);
	fclose(report);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
goroutine
goroutine
goroutine
goroutine
transfer
transfer
 */
