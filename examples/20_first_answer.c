// SPDX-License-Identifier: MIT
/*
 * Whoever answers first: two services are asked, and a select takes the earlier answer. Each
 * channel has room for one, so the later one is not kept waiting.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void service(const char *name, tuza_duration takes, tuza_chan *answers)
{
	tuza_sleep(takes);
	tuza_send(answers, name);
	tuza_chan_release(answers);
}

static int program(void *arg)
{
	tuza_chan *slow = tuza_chan_new(sizeof(char *), 1),
		  *fast = tuza_chan_new(sizeof(char *), 1);
	int heads = 0, tosses = 1000;
	const char *answer;

	(void)arg;
	go(service, "service A", 2 * TUZA_SECOND, tuza_chan_retain(slow));
	go(service, "service B", TUZA_MILLISECOND, tuza_chan_retain(fast));
	TUZA_SELECT(TUZA_RECV(slow, &answer), TUZA_RECV(fast, &answer));
	printf("response from %s\n", answer);

	// When both are there already, the select tosses a coin.
	tuza_chan_close(fast);
	for (int i = 0; i < tosses; i++)
		heads += TUZA_SELECT(TUZA_RECV(fast, NULL), TUZA_RECV(fast, NULL)) == 0;
	printf("both ready: each is taken now and then: %s\n",
		heads > 0 && heads < tosses ? "true" : "false");
	tuza_chan_release(slow);
	tuza_chan_release(fast);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
response from service B
both ready: each is taken now and then: true
 */
