// SPDX-License-Identifier: MIT
/*
 * Whoever answers first: two services are asked, and a select takes the earlier answer. The other
 * one is told that nobody waits for it any more.
 */
#include <stdio.h>
#include <tuza/tuza.h>

struct service {
	const char *name;
	tuza_duration takes;
	tuza_chan *answers, *enough; // enough: closed when nobody waits any more
};

static void serve(void *arg)
{
	struct service *s = arg;

	if (TUZA_SELECT(TUZA_RECV(s->enough, NULL), TUZA_AFTER(s->takes)) == 1)
		tuza_send(s->answers, s->name); // there is room
}

static int program(void *arg)
{
	tuza_chan *enough = tuza_chan_new(0, 0);
	tuza_chan *slow = tuza_chan_new(sizeof(char *), 1);
	tuza_chan *fast = tuza_chan_new(sizeof(char *), 1);
	struct service a = {"service A", TUZA_HOUR, slow, enough};
	struct service b = {"service B", TUZA_MILLISECOND, fast, enough};
	tuza_waitgroup wg = {0};
	const char *answer;
	int heads = 0, tosses = 1000;

	(void)arg;
	tuza_waitgroup_go(&wg, serve, &a);
	tuza_waitgroup_go(&wg, serve, &b);
	TUZA_SELECT(TUZA_RECV(slow, &answer), TUZA_RECV(fast, &answer));
	printf("response from %s\n", answer);
	tuza_chan_close(enough);
	tuza_waitgroup_wait(&wg);

	// When both are there already, the select tosses a coin.
	tuza_chan_close(fast);
	for (int i = 0; i < tosses; i++)
		heads += TUZA_SELECT(TUZA_RECV(fast, NULL), TUZA_RECV(fast, NULL)) == 0;
	printf("both ready: each is taken now and then: %s\n",
		heads > 0 && heads < tosses ? "true" : "false");
	tuza_chan_release(slow);
	tuza_chan_release(fast);
	tuza_chan_release(enough);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
response from service B
both ready: each is taken now and then: true
 */
