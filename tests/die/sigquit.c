// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: SIGQUIT: quit
// expect-stderr: goroutine 1 [
// expect-stderr: [chan receive, name "the-named-one"]:
// expect-stderr: [sleep]:
// expect-stderr: [chan send (nil chan)]:
// expect-stderr: created by program in goroutine 1
// expect-stderr: [running]:
/*
 * SIGQUIT shows every goroutine, running ones included, and ends with status 2. D5.
 */
#include <tuza/tuza.h>

#include <signal.h>
#include <unistd.h>

static void spin(void)
{
	for (volatile int i = 0;; i = i + 1)
		;
}

static void be_named(tuza_chan *c)
{
	tuza_set_name("the-named-one");
	tuza_chan_recv(c, NULL);
}

static int program(void *arg)
{
	tuza_statistics s;

	(void)arg;
	tuza_gomaxprocs(4);
	TUZA_GO(be_named, tuza_chan_new(0, 0));
	TUZA_GO(tuza_sleep, TUZA_HOUR);
	TUZA_GO(tuza_chan_send, NULL, NULL);
	TUZA_GO(spin);
	do {
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&s);
	} while (s.waiting < 3 || s.running < 2);
	kill(getpid(), SIGQUIT);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
