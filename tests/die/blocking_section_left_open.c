// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: tuza: goroutine ended inside a blocking section
/*
 * A goroutine ends inside a section.
 */
#include <tuza/tuza.h>

static void worker(void) { tuza_blocking_begin(); }

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(worker);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
