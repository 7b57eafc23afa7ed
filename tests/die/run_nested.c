// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: tuza_run: already running
/*
 * tuza_run inside tuza_run.
 */
#include <tuza/tuza.h>

static int program(void *arg) { return tuza_run(program, arg); }

int main(void) { return tuza_run(program, NULL); }
