// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: through everything
/*
 * A panic ends the process though other threads sit in read(2), in a blocking section and in an
 * endless loop.
 */
#include <tuza/tuza.h>

#include <unistd.h>

static void read_for_ever(int fd)
{
	char c;

	(void)!read(fd, &c, 1);
}

static void read_in_a_section(int fd)
{
	tuza_blocking_begin();
	read_for_ever(fd);
	tuza_blocking_end();
}

static void spin(void)
{
	for (volatile int i = 0;; i = i + 1)
		;
}

static int program(void *arg)
{
	int fds[2];

	(void)arg;
	if (pipe(fds) != 0)
		return 1;
	TUZA_GO(read_for_ever, fds[0]);
	TUZA_GO(read_in_a_section, fds[0]);
	TUZA_GO(spin);
	tuza_sleep(5 * TUZA_MILLISECOND);
	tuza_panic("through everything");
}

int main(void) { return tuza_run(program, NULL); }
