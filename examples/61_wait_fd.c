// SPDX-License-Identifier: MIT
/*
 * A library that knows nothing of goroutines has a descriptor: here, a process started by popen.
 * tuza_wait_fd lets others run until it can be read; a deadline bounds the wait.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>
#include <unistd.h>

static void count(tuza_chan *done, int *turns)
{
	while (tuza_chan_try_recv(done, NULL) == -EAGAIN) {
		++*turns;
		tuza_sleep(TUZA_MILLISECOND);
	}
	tuza_chan_release(done);
}

static int program(void *arg)
{
	FILE *process = popen("sleep 1; echo hello from a process", "r");
	tuza_chan *done = tuza_chan_new(0, 0);
	char line[64];
	int turns = 0;

	(void)arg;
	if (!process)
		return 1;
	go(count, tuza_chan_retain(done), &turns);
	int fd = fileno(process), code = tuza_wait_fd(fd, POLLIN, tuza_now() + TUZA_MILLISECOND);
	printf("after 1 ms: %s\n", code == POLLIN ? "ready" : tuza_strerror(code));
	if (tuza_wait_fd(fd, POLLIN, 0) == POLLIN && fgets(line, sizeof line, process))
		printf("%s", line);
	tuza_chan_send(done, NULL);
	puts(turns > 2 ? "others ran meanwhile" : "others had to wait");
	tuza_chan_release(done);
	return pclose(process);
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
after 1 ms: i/o timeout
hello from a process
others ran meanwhile
 */
