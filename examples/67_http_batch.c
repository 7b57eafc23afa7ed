// SPDX-License-Identifier: MIT
/*
 * A batch of HTTP requests: at most 20 at a time, results by index, the first failure or the
 * deadline ends the rest. apps/tuza-check is the same with all that a program of every day needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tuza/go.h>
#include <tuza/http.h>
#include <tuza/tuza.h>

struct check {
	tuza_errgroup *group;
	char url[160];
	int status;
};

static int check_one(void *arg)
{
	struct check *c = arg;
	tuza_http_response *r;
	int error = tuza_http_get(tuza_errgroup_context(c->group), c->url, &r);
	if (error) // fmt.Errorf("fetch %s: %w", url, err)
		tuza_errgroup_fail(c->group, error, "%s", tuza_http_response_error(r));
	c->status = tuza_http_response_status(r);
	tuza_http_response_free(r);
	return error;
}

static int batch_check(struct check *checks, int n, tuza_duration timeout)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), timeout);
	TUZA_DEFER(tuza_context_free, ctx);
	tuza_errgroup *group = tuza_errgroup_new(ctx);
	TUZA_DEFER(tuza_errgroup_free, group);
	tuza_errgroup_set_limit(group, 20);
	for (int i = 0; i < n; i++) {
		checks[i].group = group;
		tuza_errgroup_go(group, check_one, &checks[i]);
	}
	return tuza_errgroup_wait(group);
}

// "/404" is answered with that status.
static void page(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	(void)arg;
	tuza_http_set_status(w, atoi(tuza_http_path(r) + 1));
}

static void serve(tuza_http_server *s, tuza_listener *l) { (void)!tuza_http_server_serve(s, l); }

static int program(void *arg)
{
	static const int STATUSES[] = {200, 404, 500};
	struct check checks[3] = {{0}};
	char address[TUZA_ADDRESS_TEXT];
	tuza_http_server *s = tuza_http_server_new(&(tuza_http_server_options){.handler = page});
	tuza_listener *l = arg;
	if (tuza_listen("tcp", "127.0.0.1:0", &l) != 0)
		return 1;
	tuza_listener_address(l, address, sizeof address);
	go(serve, s, l);
	for (int i = 0; i < 3; i++)
		snprintf(checks[i].url, sizeof checks[i].url, "http://%s/%d", address, STATUSES[i]);
	printf("%s\n", tuza_strerror(batch_check(checks, 3, 10 * TUZA_SECOND)));
	printf("%d %d %d\n", checks[0].status, checks[1].status, checks[2].status);
	tuza_http_server_free(s);
	printf("%s\n", tuza_strerror(batch_check(checks, 3, 10 * TUZA_SECOND)));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
success
200 404 500
Connection refused
 */
