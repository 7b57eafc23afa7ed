// SPDX-License-Identifier: MIT
// After a bug of Knative Serving.
#include "kernel.h"

// One place for two requests: the first has it and waits for its lock, whose holder waits for the
// second to be accepted.
struct s2137 {
	tuza_chan *active;
	tuza_mutex locks[2];
	tuza_chan *accepted[2];
	tuza_chan *has_place;
};

static void s2137_request(struct s2137 *b, int i)
{
	put(b->active);
	put(b->has_place);
	lock(&b->locks[i]);
	unlock(&b->locks[i]);
	take(b->active);
	put(b->accepted[i]);
}

KERNEL(serving2137, 3)
{
	struct s2137 *b = NEW(struct s2137);

	b->active = chan(1);
	b->has_place = chan(2);
	for (int i = 0; i < 2; i++) {
		b->accepted[i] = chan(1);
		lock(&b->locks[i]);
		TUZA_GO(s2137_request, b, i);
		if (i == 0)
			take(b->has_place);
	}
	if (is_fixed) // in order
		unlock(&b->locks[0]);
	unlock(&b->locks[1]);
	take(b->accepted[1]);
	if (!is_fixed)
		unlock(&b->locks[0]);
}
