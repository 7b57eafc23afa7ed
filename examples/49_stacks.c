// SPDX-License-Identifier: MIT
/*
 * Stacks: a goroutine has 256 KiB of addresses, and as much memory as it has touched. Whoever
 * recurses deeper asks for more. A pointer into a stack stays true, since a stack never moves.
 */
#include <stdio.h>
#include <string.h>
#include <tuza/tuza.h>

static tuza_chan *depths;

// Uses more than a kilobyte a level.
static int recurse(int levels, const int *bottom)
{
	volatile char frame[1024];

	memset((char *)frame, levels, sizeof(frame));
	if (levels == 0)
		return *bottom; // a pointer to the first frame, from the last
	return recurse(levels - 1, bottom) + (frame[0] == (char)levels);
}

static void shallow(void *arg)
{
	int bottom = 0;

	(void)arg;
	tuza_send(depths, recurse(100, &bottom));
}

static void deep(void *arg)
{
	int bottom = 0;

	(void)arg;
	tuza_send(depths, recurse(10000, &bottom)); // 256 KiB would be a "stack overflow", fatal
}

static int program(void *arg)
{
	tuza_go_options large = {.name = "deep", .stack_bytes = 64 << 20};
	int depth;

	(void)arg;
	depths = tuza_chan_new(sizeof(int), 0);
	if (tuza_go(shallow, NULL) != 0)
		return 1;
	tuza_recv(depths, &depth);
	printf("%d levels\n", depth);
	if (tuza_go_with(&large, deep, NULL) != 0)
		return 1;
	tuza_recv(depths, &depth);
	printf("%d levels\n", depth);
	tuza_chan_release(depths);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
100 levels
10000 levels
 */
