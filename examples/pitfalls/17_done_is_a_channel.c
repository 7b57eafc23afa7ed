// SPDX-License-Identifier: MIT
/*
 * Pitfall: tuza_context_done gives a channel, not an answer: as a condition it is true from the
 * start, and the work never begins.
 *
 * Fix: tuza_context_err, which is 0 as long as the context goes on; or TUZA_DONE in a select.
 */
#include <stdio.h>
#include <tuza/tuza.h>

enum { UNITS = 3 };

static int wrong(tuza_context *ctx)
{
	int units = 0;

	while (units < UNITS) {
		if (tuza_context_done(ctx)) // a pointer, and not NULL
			break;
		units++;
	}
	return units;
}

static int right(tuza_context *ctx)
{
	int units = 0;

	while (units < UNITS && tuza_context_err(ctx) == 0)
		units++;
	return units;
}

static int program(void *arg)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	(void)arg;
	TUZA_DEFER(tuza_context_free, ctx);
	printf("wrong: %d units done\n", wrong(ctx));
	printf("right: %d units done\n", right(ctx));
	tuza_context_cancel(ctx);
	printf("cancelled: %d units done\n", right(ctx));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
wrong: 0 units done
right: 3 units done
cancelled: 0 units done
 */
