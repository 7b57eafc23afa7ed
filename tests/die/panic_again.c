// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: first
// expect-stderr: 	panic: second
// expect-stderr: 	panic: third
// expect-stderr: goroutine 1 [running]:
/*
 * T4.5.
 * Panics raised by deferred calls of a panic: the chain, oldest first, the later ones indented. P6,
 */
#include <tuza/tuza.h>

static void panic_once_more(const char *text) { tuza_panic("%s", text); }

static int program(void *arg)
{
	(void)arg;
	TUZA_DEFER(panic_once_more, "third");
	TUZA_DEFER(panic_once_more, "second");
	tuza_panic("first");
}

int main(void) { return tuza_run(program, NULL); }
