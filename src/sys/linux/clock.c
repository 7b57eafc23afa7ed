// SPDX-License-Identifier: MIT
/*
 * The clock of Linux: CLOCK_MONOTONIC, read through the vDSO. CLOCK_BOOTTIME would go on while the
 * machine is suspended, but timeouts that all expire at the wake-up help nobody; Go made the same
 * choice.
 */
#include "sys/clock.h"

#include "sys/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

enum { NS_PER_SECOND = 1000000000 };

int64_t sys_clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); // cannot fail for this clock
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

int64_t sys_clock_coarse(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t); // cannot fail for this clock
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

int64_t sys_clock_burnt(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); // cannot fail for the caller's
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

bool sys_ticks_are_steady(void)
{
	static const char path[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	char name[32] = "";
	int fd = sys_open(path, O_RDONLY, 0);

	if (fd < 0)
		return false;
	ssize_t n = sys_read(fd, name, sizeof(name) - 1);
	sys_close(fd);
	return n > 0 && (strcmp(name, "tsc\n") == 0 || strcmp(name, "arch_sys_counter\n") == 0);
}

void sys_clock_sleep_until(int64_t when)
{
	struct timespec t = {.tv_sec = when / NS_PER_SECOND, .tv_nsec = when % NS_PER_SECOND};

	if (when <= 0)
		return;
	// It returns its error and leaves errno alone. EINTR: a signal; the time is absolute, so
	// sleep on.
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}
