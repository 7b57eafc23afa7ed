// SPDX-License-Identifier: MIT
/*
 * A timer of somebody else, while a blocking section leaves its processor behind.
 */
#include "sync_support.h"

static int64_t late; // how late the thread's timer fired, ns; ordered by its end

// The timers of a plain thread are kept by the first processor, whoever runs there.
static void *sleep_with_a_timer(void *arg)
{
	int64_t due = tuza_now() + *(const tuza_duration *)arg;

	TUZA_SELECT(TUZA_UNTIL(due));
	late = tuza_now() - due;
	return NULL;
}

static void sleep_a_little(void *d) { tuza_sleep(*(const tuza_duration *)d); }

/*
 * The machine that sleeps until the next timer takes a processor, runs goroutine 1, and loses the
 * processor to the section: then all processors are idle, and somebody has to keep the time.
 */
TEST(a_timer_fires_when_a_section_leaves_all_processors_idle)
{
	for (int i = 0; i < 100; i++) {
		tuza_duration little = (1 + i % 5) * TUZA_MILLISECOND, more = 5 * little;
		pthread_t thread;

		pthread_create(&thread, NULL, sleep_with_a_timer, &more);
		run_goroutines(3, sleep_a_little, &little);
		tuza_blocking_begin();
		pthread_join(thread, NULL);
		tuza_blocking_end();
		// With nobody to look it takes 5 s, the age at which idle threads end.
		if (!CHECK(late < 4 * TUZA_SECOND)) {
			printf("  %lld ms late\n", (long long)(late / TUZA_MILLISECOND));
			return;
		}
	}
}
