// SPDX-License-Identifier: MIT
/*
 * An error group: fetches at the same time. The first failure tells the others to stop, and is what
 * the wait returns, with the words that it left.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/tuza.h>

struct fetch {
	tuza_errgroup *group;
	const char *url;
	tuza_duration takes;
	int status; // stands for the network
	const char *outcome;
};

static int fetch(void *arg)
{
	struct fetch *f = arg;
	int code = tuza_sleep_ctx(tuza_errgroup_context(f->group), f->takes);

	f->outcome = code ? tuza_strerror(code) : "answered";
	if (code == 0 && f->status != 200)
		return tuza_errgroup_fail(f->group, -EPROTO, "%s: status %d", f->url, f->status);
	return code;
}

static int program(void *arg)
{
	struct fetch fetches[] = {
		{.url = "/slow", .takes = TUZA_MINUTE, .status = 200},
		{.url = "/gone", .takes = 10 * TUZA_MILLISECOND, .status = 404},
		{.url = "/slower", .takes = TUZA_HOUR, .status = 200},
	};
	tuza_errgroup *group = tuza_errgroup_new(tuza_context_background());

	(void)arg;
	TUZA_DEFER(tuza_errgroup_free, group);
	for (int i = 0; i < 3; i++) {
		fetches[i].group = group;
		tuza_errgroup_go(group, fetch, &fetches[i]);
	}
	int code = tuza_errgroup_wait(group);
	printf("%s (%s)\n", tuza_errgroup_message(group), tuza_error_name(code));
	for (int i = 0; i < 3; i++)
		printf("%s: %s\n", fetches[i].url, fetches[i].outcome);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
/gone: status 404 (EPROTO)
/slow: context canceled
/gone: answered
/slower: context canceled
 */
