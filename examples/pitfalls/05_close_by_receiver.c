// SPDX-License-Identifier: MIT
/*
 * Pitfall: a receiver that has heard enough closes the channel. Its sender panics, even if it waits
 * already.
 *
 * Fix: only the sender closes. A receiver that wants no more says so on a channel of its own.
 */
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

struct stream {
	tuza_chan *values, *enough; // enough: NULL in the wrong version
};

static void send_all(void *arg)
{
	struct stream *s = arg;

	for (int i = 1; i <= 100; i++)
		if (TUZA_SELECT(TUZA_SEND(s->values, &i), TUZA_RECV(s->enough, NULL)) == 1)
			return;
}

static int receive_two(struct stream *s)
{
	tuza_goroutine *sender = tuza_spawn(send_all, s); // joining it tells how it ended
	int v;

	if (!sender)
		return -1;
	for (int i = 0; i < 2; i++)
		tuza_recv(s->values, &v);
	tuza_chan_close(s->enough ? s->enough : s->values);
	return tuza_join(sender);
}

static int program(void *arg)
{
	struct stream wrong = {.values = tuza_chan_new(sizeof(int), 0)};
	struct stream right = {tuza_chan_new(sizeof(int), 0), tuza_chan_new(0, 0)};

	(void)arg;
	printf("wrong: %s\n", tuza_strerror(receive_two(&wrong))); // send on closed channel
	printf("right: %s\n", tuza_strerror(receive_two(&right)));
	tuza_chan_release(wrong.values);
	tuza_chan_release(right.values);
	tuza_chan_release(right.enough);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: goroutine panicked
right: success
 */
