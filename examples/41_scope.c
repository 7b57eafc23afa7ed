// SPDX-License-Identifier: MIT
/*
 * A scope: goroutines that cannot outlive the block. The first failure cancels the others, and
 * closing waits for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/tuza.h>

struct request {
	const char *host;
	tuza_duration takes;
	int fails; // with this code
	int answer;
};

static int fetch(tuza_context *ctx, void *arg)
{
	struct request *r = arg;
	int code = tuza_sleep_ctx(ctx, r->takes);

	if (code == 0)
		code = r->fails;
	r->answer = code == 0 ? 42 : 0;
	return code;
}

static int fetch_all(tuza_context *ctx, struct request *requests, int n)
{
	tuza_scope *s = tuza_scope_open(ctx);
	TUZA_DEFER(tuza_scope_close, s); // by return, by panic: nobody stays behind

	for (int i = 0; i < n; i++)
		tuza_scope_go(s, fetch, &requests[i]);
	return tuza_scope_wait(s);
}

static int program(void *arg)
{
	struct request good[] = {
		{"left", TUZA_MILLISECOND, 0, 0}, {"right", 2 * TUZA_MILLISECOND, 0, 0}};
	struct request bad[] = {
		{"down", TUZA_MILLISECOND, -ECONNREFUSED, 0}, {"slow", TUZA_HOUR, 0, 0}};
	tuza_context *ctx = tuza_context_background();

	(void)arg;
	printf("good: %s\n", tuza_strerror(fetch_all(ctx, good, 2)));
	printf("%s %d, %s %d\n", good[0].host, good[0].answer, good[1].host, good[1].answer);
	printf("bad: %s\n", tuza_strerror(fetch_all(ctx, bad, 2))); // not an hour later
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
good: success
left 42, right 42
bad: Connection refused
 */
