// SPDX-License-Identifier: MIT
/*
 * A token bucket: two hundred events a second, three at once. What is too much is refused, or waits
 * for its turn, but not beyond its deadline.
 */
#include <stdio.h>
#include <tuza/tuza.h>

static int program(void *arg)
{
	tuza_context *background = tuza_context_background();
	tuza_context *hurry = tuza_context_with_timeout(background, 10 * TUZA_MINUTE);
	tuza_limiter limiter, slow;
	int64_t start = tuza_now();
	int allowed = 0;

	(void)arg;
	TUZA_DEFER(tuza_context_free, hurry);
	tuza_limiter_init(&limiter, 200, 3);
	for (int i = 0; i < 3; i++)
		allowed += tuza_limiter_allow(&limiter);
	printf("%d at once\n", allowed);

	for (int i = 0; i < 5; i++) // the bucket is empty: 5 ms each
		if (tuza_limiter_wait(&limiter, background, 1) != 0)
			return 1;
	puts(tuza_now() - start >= 24 * TUZA_MILLISECOND ? "5 more in 25 ms" : "too fast");

	tuza_limiter_init(&slow, tuza_limiter_every(TUZA_HOUR), 1);
	printf("one now: %s\n", tuza_strerror(tuza_limiter_wait(&slow, hurry, 1)));
	printf("another: %s\n", tuza_strerror(tuza_limiter_wait(&slow, hurry, 1)));

	tuza_reservation turn = tuza_limiter_reserve(&slow);
	printf("its turn comes in %.0f minutes\n", (double)tuza_reservation_delay(&turn) / 6e10);
	tuza_reservation_cancel(&turn);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
3 at once
5 more in 25 ms
one now: success
another: rate: Wait would exceed context deadline
its turn comes in 60 minutes
 */
