// SPDX-License-Identifier: MIT
/*
 * When sends are gathered, by what came of the batches before.
 */
#include "test.h"

#include "net/gather_account.h"

enum { SENDS = 1000000 };
static const int64_t soon = 1000000, late = 10000000;

// Makes a million sends, in batches of `size` where there may be some, each of which takes `ns` by
// turns with `soon`. Returns how many of the sends were late.
static int late_sends(uint32_t size, int64_t ns, int one_in)
{
	struct gather_account a = {0};
	int lates = 0, batches = 0;

	for (int done = 0; done < SENDS;) {
		if (!gather_account_allows(&a)) {
			done++;
			continue;
		}
		bool is_late = batches++ % one_in == 0 && ns > GATHER_LATE_NS;
		gather_account_note(&a, size, is_late ? ns : soon);
		lates += is_late ? (int)size : 0;
		done += (int)size;
	}
	return lates;
}

TEST_PLAIN(one_send_in_a_hundred_is_late_at_most)
{
	for (uint32_t size = 1; size <= 64; size *= 2)
		for (int one_in = 1; one_in <= 16; one_in *= 2) {
			int lates = late_sends(size, late, one_in);
			CHECK(lates > 0);
			CHECK(lates <= SENDS / 100);
		}
}

TEST_PLAIN(a_few_late_batches_cost_nothing)
{
	struct gather_account a = {0};

	for (int i = 0; i < 4; i++) {
		CHECK(gather_account_allows(&a));
		gather_account_note(&a, 64, late);
	}
	CHECK(gather_account_allows(&a));
	gather_account_note(&a, 64, late);
	CHECK(!gather_account_allows(&a));
}

TEST_PLAIN(debts_are_paid_off_by_sends)
{
	struct gather_account a = {.debt = GATHER_DEBT_MOST + 10};

	for (int i = 0; i < 10; i++)
		CHECK(!gather_account_allows(&a));
	CHECK(gather_account_allows(&a));
	gather_account_note(&a, 64, soon);
	CHECK_EQ(a.debt, (uint32_t)GATHER_DEBT_MOST - 64);
	a.debt = 3;
	gather_account_note(&a, 64, soon);
	CHECK_EQ(a.debt, 0u);
}

// Makes sends until a batch may begin. Returns how many.
static int skipped(struct gather_account *a)
{
	int n = 0;

	while (!gather_account_allows(a))
		n++;
	return n;
}

TEST_PLAIN(batches_in_vain_become_rarer_up_to_a_limit)
{
	struct gather_account a = {0};
	int before = 0, n = 0;

	for (int i = 0; i < 20; i++) {
		gather_account_note(&a, 1, soon);
		before = n;
		n = skipped(&a);
		CHECK(n == before * 2 || i == 0 || i > GATHER_VAIN_DOUBLINGS_MOST);
	}
	CHECK_EQ(n, before);
	gather_account_note(&a, 2, soon);
	CHECK_EQ(skipped(&a), 0);
	gather_account_note(&a, 1, soon);
	CHECK_EQ(skipped(&a), GATHER_VAIN_SENDS);
}
