// SPDX-License-Identifier: MIT
/*
 * A batch of HTTP requests: at most 20 at a time, results by index, the first failure or the
 * deadline ends the rest. apps/tuza-check is the same with all that a program of every day needs.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/http_client.h>
#include <tuza/http_server.h>
#include <tuza/tuza.h>

enum { URLS = 5 };
struct check {
	tuza_errgroup *group;
	char url[160];
	int status;
	tuza_duration latency;
};

static int check_one(void *arg)
{
	struct check *c = arg;
	int64_t start = tuza_now();
	tuza_http_response *r;
	int error = tuza_http_get(tuza_errgroup_context(c->group), c->url, &r);

	TUZA_DEFER(tuza_http_response_free, r);
	if (error) // fmt.Errorf("fetch %s: %w", url, err)
		return tuza_errgroup_fail(c->group, error, "%s", tuza_http_response_error(r));
	c->status = tuza_http_response_status(r);
	c->latency = tuza_now() - start;
	return 0;
}

static int batch_check(struct check checks[URLS], tuza_duration timeout)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), timeout);
	TUZA_DEFER(tuza_context_free, ctx);
	tuza_errgroup *group = tuza_errgroup_new(ctx);
	TUZA_DEFER(tuza_errgroup_free, group);

	tuza_errgroup_set_limit(group, 20);
	for (int i = 0; i < URLS; i++) {
		checks[i].group = group;
		tuza_errgroup_go(group, check_one, &checks[i]);
	}
	return tuza_errgroup_wait(group);
}

// "/200" is answered with that status; "/0" is not answered.
static void page(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	int status = 0;

	(void)arg;
	sscanf(tuza_http_path(r), "/%d", &status);
	if (status == 0)
		tuza_chan_recv(tuza_context_done(tuza_http_context(r)), NULL);
	tuza_http_set_status(w, status);
}

static void serve(tuza_http_server *server, tuza_listener *l)
{
	if (tuza_http_server_serve(server, l) != 0)
		tuza_panic("serve");
}

static int program(void *arg)
{
	static const int STATUSES[] = {200, 404, 204, 500, 200};
	struct check checks[URLS] = {{0}};
	char address[TUZA_ADDRESS_TEXT];
	tuza_listener *l;
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = page});

	(void)arg;
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0 ||
		tuza_listener_address(l, address, sizeof address) != 0)
		return 1;
	go(serve, server, l);
	for (int i = 0; i < URLS; i++)
		snprintf(checks[i].url, sizeof checks[i].url, "http://%s/%d", address, STATUSES[i]);
	printf("batch: %s\n", tuza_strerror(batch_check(checks, 10 * TUZA_SECOND)));
	for (int i = 0; i < URLS; i++)
		printf("%d as asked: %d\n", STATUSES[i], checks[i].status == STATUSES[i]);
	snprintf(checks[2].url, sizeof checks[2].url, "http://%s/0", address);
	printf("batch: %s\n", tuza_strerror(batch_check(checks, 100 * TUZA_MILLISECOND)));
	tuza_http_client_close_idle(tuza_http_client_default());
	tuza_http_server_free(server);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
batch: success
200 as asked: 1
404 as asked: 1
204 as asked: 1
500 as asked: 1
200 as asked: 1
batch: context deadline exceeded
 */
