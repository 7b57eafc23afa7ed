// SPDX-License-Identifier: MIT
/*
 * Once: whoever comes first opens the connection, the others wait until it is there.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static tuza_once once;
static const char *connection; // written by connect_to, read by everybody after the once

static void connect_to(void *host)
{
	printf("connecting to %s\n", (const char *)host);
	tuza_sleep(TUZA_MILLISECOND);
	connection = host;
}

static void query(void *arg)
{
	(void)arg;
	tuza_once_do(&once, connect_to, "db.example");
	printf("query on %s\n", connection);
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < 3; i++)
		tuza_waitgroup_go(&wg, query, NULL);
	tuza_waitgroup_wait(&wg);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
connecting to db.example
query on db.example
query on db.example
query on db.example
 */
