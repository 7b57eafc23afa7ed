// SPDX-License-Identifier: MIT
/*
 * Whether loops that take turns on one processor run one at a time. One that does not hear that
 * others want its processor gets a thread at its side, and two run.
 *
 * So does one that the kernel counts half a millisecond of CPU time for between two calls in which
 * it could hear: where a host stops a CPU, its time may count. Then all is as it should be.
 */
#ifndef TUZA_TEST_ONE_AT_A_TIME_H
#define TUZA_TEST_ONE_AT_A_TIME_H

#include "test.h"

enum { LOOPS_MAX = 4 };
#define DEAF (400 * TUZA_MICROSECOND)

struct one_at_a_time {
	struct turn_of_loop {
		atomic_llong since; // when its last turn but one was over: it could hear after that
		atomic_llong begun;
		atomic_int is_inside;
	} loops[LOOPS_MAX];
	atomic_int at_a_side; // how often two ran, and neither had been stopped
};

// Before the loop's first turn.
TEST_UNUSED_ static void loop_begins(struct one_at_a_time *o, int me)
{
	o->loops[me].begun = tuza_now();
}

// Around a part of each turn; a call that can hear is in each turn, too.
TEST_UNUSED_ static void turn_begins(struct one_at_a_time *o, int me)
{
	struct turn_of_loop *mine = &o->loops[me];

	mine->since = mine->begun;
	mine->begun = tuza_now();
	mine->is_inside = 1;
}

TEST_UNUSED_ static void turn_ends(struct one_at_a_time *o, int me)
{
	struct turn_of_loop *mine = &o->loops[me];

	for (int i = 0; i < LOOPS_MAX; i++) {
		int64_t since = o->loops[i].since; // before the next: it may go on meanwhile
		if (i == me || !o->loops[i].is_inside)
			continue;
		int64_t now = tuza_now();
		if (now - since < DEAF && now - mine->since < DEAF)
			o->at_a_side++;
	}
	mine->is_inside = 0;
}

#endif
