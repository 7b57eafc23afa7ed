// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: fatal error: all goroutines are asleep - deadlock!
// expect-stderr: goroutine 1 [select (no cases)]:
/*
 * S3, D3.
 *
 */
#include <tuza/tuza.h>

static int program(void *arg) { return tuza_select(arg, 0); }

int main(void) { return tuza_run(program, NULL); }
