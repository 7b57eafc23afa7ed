// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: runtime error: invalid memory address or nil pointer dereference
// expect-stderr: [signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x
// expect-stderr: read_it
// expect-stderr: created by program in goroutine 1
/*
 * P11: a NULL dereference names the signal, the goroutine and its stack.
 */
#include <tuza/tuza.h>

static volatile int sink;

__attribute__((noinline)) static void read_it(const volatile int *p) { sink = *p; }

static void worker(const volatile int *p)
{
	read_it(p);
	sink = 1;
}

static int program(void *arg)
{
	TUZA_GO(worker, arg);
	tuza_sleep(10 * TUZA_SECOND);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
