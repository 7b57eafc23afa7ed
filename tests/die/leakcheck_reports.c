// SPDX-License-Identifier: MIT
// expect-status: 3
// env: TUZA_DEBUG=leakcheck
// expect-stderr: found unexpected goroutines:
// expect-stderr: [chan receive, name "forgotten"]:
// expect-stderr: in goroutine 1
// expect-not-stderr: goroutine 1 [
// expect-stdout: the end
/*
 * TUZA_DEBUG=leakcheck reports what is left when the main function has returned; tuza_run's value
 * stands.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static void waits(void *arg)
{
	tuza_set_name("forgotten");
	tuza_chan_send(arg, NULL);
	tuza_chan_recv(arg, NULL);
}

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	(void)arg;
	TUZA_GO(waits, c);
	tuza_chan_recv(c, NULL);
	return 3;
}

int main(void)
{
	int status = tuza_run(program, NULL);

	puts("the end");
	return status;
}
