// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: unexpected fault address
// expect-stderr: fatal error: fault
// expect-stderr: [signal SIGSEGV: segmentation violation
// expect-stderr: write_it
/*
 * An address that is no nil pointer's.
 */
#include <tuza/tuza.h>

static void write_it(volatile char *p) { *p = 1; }

static int program(void *arg)
{
	(void)arg;
	write_it((volatile char *)(uintptr_t)0x123456789000);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }
