// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: tuza_goexit on a thread that is no goroutine
/*
 * There is nothing to exit.
 */
#include <tuza/tuza.h>

int main(void)
{
	tuza_goexit();
	return 0;
}
