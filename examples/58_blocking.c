// SPDX-License-Identifier: MIT
/*
 * A blocking section: a call that may block the thread hands its processor on, so the others run
 * meanwhile, even if there is one processor only.
 */
#include <stdio.h>
#include <unistd.h>
#include <tuza/errno.h> // errno that stays this goroutine's
#include <tuza/go.h>
#include <tuza/tuza.h>

static void reader(int fd, tuza_chan *done)
{
	char text[16];
	ssize_t n;

	tuza_blocking_begin();
	n = read(fd, text, sizeof(text) - 1); // not pollable, or a library's: it just blocks
	tuza_blocking_end();
	if (n < 0)
		fprintf(stderr, "read: error %d\n", errno);
	else
		printf("read %.*s\n", (int)n, text);
	tuza_chan_close(done);
}

static int program(void *arg)
{
	tuza_chan *done = tuza_chan_new(0, 0);
	int fds[2];

	(void)arg;
	if (pipe(fds) != 0)
		return 1;
	go(reader, fds[0], done);
	for (int i = 0; i < 3; i++) {
		puts("the others run");
		tuza_yield();
	}
	if (write(fds[1], "hello", 5) != 5)
		return 1;
	tuza_recv(done, NULL);
	tuza_chan_release(done);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
the others run
the others run
the others run
read hello
 */
