// SPDX-License-Identifier: MIT
/*
 * Whether sends are gathered, by what they cost in either way.
 */
#include "test.h"

#include "net/gather_trial.h"

enum { SENDS = 1000000, BATCH = 32 };

// Makes a million sends that take so long, in ns. One batch in `disturbed` (0: none) and as many
// sends alone are interrupted for so long. Returns how many of them were gathered.
static int gathered_sends(
	struct gather_trial *t, int64_t in_batch, int64_t alone, int disturbed, int64_t lasts)
{
	int gathered = 0;

	for (int done = 0; done < SENDS;) {
		int64_t more = disturbed && done / BATCH % disturbed == 0 ? lasts : 0;
		if (gather_trial_rests(t)) {
			done++;
		} else if (gather_trial_allows(t)) {
			gather_trial_note_batch(t, BATCH, in_batch * BATCH + more);
			gathered += BATCH;
			done += BATCH;
		} else {
			CHECK(gather_trial_times(t));
			gather_trial_note_alone(t, alone + more);
			done++;
		}
	}
	return gathered;
}

TEST_PLAIN(sends_that_are_a_third_cheaper_in_batches_are_gathered)
{
	struct gather_trial t = {0};

	CHECK(gathered_sends(&t, 2000, 3000, 0, 0) > SENDS / 100 * 95);
}

TEST_PLAIN(sends_that_are_hardly_cheaper_in_batches_are_not)
{
	struct gather_trial t = {0};

	CHECK(gathered_sends(&t, 2900, 3000, 0, 0) < SENDS / 100);
	CHECK(gathered_sends(&t, 4000, 3000, 0, 0) < SENDS / 500); // its rests have become long
}

TEST_PLAIN(what_is_cheaper_now_is_found_out)
{
	struct gather_trial t = {0};

	(void)gathered_sends(&t, 3000, 3000, 0, 0);
	(void)gathered_sends(&t, 2000, 3000, 0, 0); // the longest rest is as long
	CHECK(gathered_sends(&t, 2000, 3000, 0, 0) > SENDS / 100 * 95);
	(void)gathered_sends(&t, 3000, 3000, 0, 0);
	CHECK(gathered_sends(&t, 3000, 3000, 0, 0) < SENDS / 100);
}

TEST_PLAIN(interruptions_do_not_count)
{
	static const int64_t lasts[] = {20000, 1000000, 5000000};

	for (size_t i = 0; i < COUNT_OF(lasts); i++) {
		struct gather_trial t = {0};

		CHECK(gathered_sends(&t, 2000, 3000, 7, lasts[i]) > SENDS / 100 * 90);
		t = (struct gather_trial){0};
		CHECK(gathered_sends(&t, 3000, 3000, 7, lasts[i]) < SENDS / 100);
	}
}

TEST_PLAIN(a_trial_of_nothing_but_interruptions_ends_too)
{
	struct gather_trial t = {0};

	CHECK(gathered_sends(&t, 3000, 3000, 1, INT64_MAX / 2) < SENDS);
}
