// SPDX-License-Identifier: MIT
// expect-status: 0
// expect-stdout: alarm
/*
 * D3, D8: a program that waits for a signal is not deadlocked, though all its goroutines are
 * asleep.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	struct itimerval later = {.it_value = {.tv_usec = 300000}};
	int sig = 0;

	(void)arg;
	tuza_signal_notify(c, SIGALRM);
	setitimer(ITIMER_REAL, &later, NULL);
	tuza_recv(c, &sig);
	puts(sig == SIGALRM ? "alarm" : "another");
	tuza_signal_stop(c);
	tuza_chan_release(c);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
