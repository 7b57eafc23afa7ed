// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [chan receive (nil chan)]:
/*
 * C13, D3.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg) { return tuza_chan_recv(arg, NULL); }

int main(void) { return tuza_run(program, NULL); }
