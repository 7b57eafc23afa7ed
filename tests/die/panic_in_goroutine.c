// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: elsewhere
// expect-stderr: [running]:
// expect-stderr: worker
// expect-stderr: created by program in goroutine 1
// expect-not-stderr: goroutine 1 [
/*
 * A panic in any goroutine ends the process, and tells who started it; the others are not shown.
 * P3, TB2.
 *
 */
#include <tuza/tuza.h>

static void worker(int n) { tuza_panic("elsewhere %d", n); }

static int program(void *arg)
{
	(void)arg;
	TUZA_GO(worker, 3);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
