// SPDX-License-Identifier: MIT
/*
 * Goroutine-local storage, which Go lacks: a log line knows its request without being told through
 * every function.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_local *request; // one value per goroutine

static void log_line(const char *text)
{
	const char *name = tuza_local_get(request);

	printf("[%s] %s\n", name ? name : "no request", text);
}

static void query(void) { log_line("query"); }

static void serve(const char *name, tuza_waitgroup *wg)
{
	TUZA_DEFER(tuza_waitgroup_done, wg);
	char *copy = strdup(name);

	if (!copy || tuza_local_set(request, copy) != 0)
		tuza_panic("out of memory");
	tuza_yield(); // perhaps goes on on another thread: a thread-local would be a stranger's
	query();
}

static int program(void *arg)
{
	tuza_waitgroup wg = {0};

	(void)arg;
	request = tuza_local_new(free); // called with each value when its goroutine ends
	if (!request)
		return 1;
	tuza_waitgroup_add(&wg, 2);
	go(serve, "GET /", &wg);
	go(serve, "POST /orders", &wg);
	tuza_waitgroup_wait(&wg);
	log_line("served");
	tuza_local_free(request);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output (any order):
[GET /] query
[POST /orders] query
[no request] served
 */
