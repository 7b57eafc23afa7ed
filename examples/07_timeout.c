// SPDX-License-Identifier: MIT
/*
 * A timeout: one more case in the select bounds the wait. It allocates nothing and leaves nothing
 * behind.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void fetch(tuza_duration takes, tuza_chan *result)
{
	tuza_sleep(takes);
	tuza_send(result, 42);     // never waits: there is room for one
	tuza_chan_release(result); // fetch's own reference
}

// 0 with the result in *value, or -ETIMEDOUT.
static int fetch_within(tuza_duration takes, tuza_duration limit, int *value)
{
	tuza_chan *result = tuza_chan_new(sizeof(int), 1);
	int code;

	go(fetch, takes, tuza_chan_retain(result));
	code = TUZA_SELECT(TUZA_RECV(result, value), TUZA_AFTER(limit)) == 0 ? 0 : -ETIMEDOUT;
	tuza_chan_release(result);
	return code;
}

static int program(void *arg)
{
	int value, code;

	(void)arg;
	code = fetch_within(0, TUZA_HOUR, &value);
	if (code == 0)
		printf("got %d\n", value);

	code = fetch_within(TUZA_SECOND, TUZA_MILLISECOND, &value);
	printf("the slow one: %s\n", tuza_strerror(code));

	while (tuza_num_goroutine() > 1) // the slow one comes to its end all the same
		tuza_sleep(TUZA_MILLISECOND);
	puts("nobody is left behind");
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
got 42
the slow one: context deadline exceeded
nobody is left behind
 */
