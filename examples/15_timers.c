// SPDX-License-Identifier: MIT
/*
 * Timers: a value on a channel, or a call, in the future; stopped and set anew without leftovers.
 */
#include <errno.h>
#include <stdio.h>
#include <tuza/tuza.h>

static void ring(void *rung)
{
	puts("ring!"); // in a goroutine of its own
	tuza_chan_close(rung);
}

static int program(void *arg)
{
	tuza_timer *idle = tuza_timer_new(TUZA_HOUR);
	tuza_chan *rung = tuza_chan_new(0, 0);
	int64_t asked = tuza_now(), due;
	tuza_timer *alarm;

	(void)arg;
	// Set anew: the hour is forgotten.
	printf("it was running: %s\n", tuza_timer_reset(idle, TUZA_MILLISECOND) ? "true" : "false");
	tuza_recv(tuza_timer_chan(idle), &due);
	printf("fired, not early: %s\n", due >= asked + TUZA_MILLISECOND ? "true" : "false");

	// Stopped after its time has come and before anybody received the value: the value is gone.
	tuza_timer_reset(idle, 0);
	tuza_sleep(TUZA_MILLISECOND);
	printf("stop prevented it: %s\n", tuza_timer_stop(idle) ? "true" : "false");
	if (tuza_chan_try_recv(tuza_timer_chan(idle), &due) == -EAGAIN)
		puts("nothing stale is left on the channel");
	tuza_timer_free(idle);

	alarm = tuza_after_func(TUZA_MILLISECOND, ring, rung);
	tuza_recv(rung, NULL);
	printf("too late to stop it: %s\n", tuza_timer_stop(alarm) ? "false" : "true");
	tuza_timer_free(alarm);
	tuza_chan_release(rung);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
it was running: true
fired, not early: true
stop prevented it: true
nothing stale is left on the channel
ring!
too late to stop it: true
 */
