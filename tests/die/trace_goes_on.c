// SPDX-License-Identifier: MIT
// expect-status: 0
// expect-stdout: the first run, the second run
// expect-stdout: the runtime of a thread
// expect-not-stderr: trace
/*
 * What TUZA_TRACE names has all that the process did: later runs, and a runtime that a plain thread
 * starts, do not begin it anew.
 */
#define _GNU_SOURCE
#include <tuza/trace.h>
#include <tuza/tuza.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void remove_file(void) { unlink(path); }

static void look_for(const char *text)
{
	static char bytes[1 << 20];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;

	if (memmem(bytes, n, text, strlen(text)))
		printf("%s", text);
	if (f)
		fclose(f);
}

static int program(void *text)
{
	tuza_trace_log(0, "text", "%s", (const char *)text);
	tuza_sleep(TUZA_MILLISECOND);
	return 0;
}

static void send(void *c)
{
	tuza_trace_log(0, "text", "the runtime of a thread");
	tuza_send((tuza_chan *)c, 1);
}

static void look_at_exit(void) { look_for("the runtime of a thread"); }

int main(void)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int v;

	snprintf(path, sizeof path, "/tmp/tuza-trace-goes-on.%d", (int)getpid());
	setenv("TUZA_TRACE", path, 1);
	atexit(remove_file); // the last of these three
	atexit(look_at_exit);
	tuza_run(program, "the first run");
	tuza_run(program, "the second run");
	look_for("the first run");
	printf(", ");
	look_for("the second run");
	printf("\n");
	tuza_go(send, c);
	tuza_recv(c, &v);
	tuza_chan_release(c);
	return 0;
}
