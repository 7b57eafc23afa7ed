// SPDX-License-Identifier: MIT
/*
 * client URL PROCESSORS CALLERS REQUESTS: as many goroutines as CALLERS share the requests; prints
 * how many there were in a second. Twin of goclient/client.go.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

static tuza_http_client *client;
static const char *url;
static atomic_long left, failures;

static void call(tuza_waitgroup *wg)
{
	while (atomic_fetch_sub(&left, 1) > 0) {
		tuza_http_response *r;
		tuza_http_call get = {.url = url};
		char bytes[512];
		ssize_t n = tuza_http_do(client, tuza_context_background(), &get, &r);
		if (n != 0 || tuza_http_response_status(r) != 200)
			atomic_fetch_add(&failures, 1);
		while (n >= 0 && (n = tuza_http_response_read(r, bytes, sizeof bytes)) > 0)
			;
		tuza_http_response_free(r);
	}
	tuza_waitgroup_done(wg);
}

static int program(void *arg)
{
	char **argv = arg;
	int callers = atoi(argv[3]);
	long requests = atol(argv[4]);
	tuza_waitgroup wg = {0};

	tuza_gomaxprocs(atoi(argv[2]));
	url = argv[1];
	client = tuza_http_client_new(&(tuza_http_client_options){.max_idle_connections = callers});
	for (int pass = 0; pass < 2; pass++) { // the first opens the connections
		atomic_store(&left, pass ? requests : callers * 10L);
		int64_t start = tuza_now();
		tuza_waitgroup_add(&wg, callers);
		for (int i = 0; i < callers; i++)
			TUZA_GO(call, &wg);
		tuza_waitgroup_wait(&wg);
		if (pass)
			printf("%.0f\n", (double)requests * 1e9 / (double)(tuza_now() - start));
	}
	tuza_http_client_free(client);
	return failures != 0;
}

int main(int argc, char **argv) { return argc == 5 ? tuza_run(program, argv) : 2; }
