// SPDX-License-Identifier: MIT
/*
 * What the members of a crew share: a context and the first failure.
 *
 * The failure is written before the context is ended: a member that leaves because the context has
 * ended, and reports that, comes second.
 */
#include "pattern/crew.h"

static void crew_derive(void *arg)
{
	struct crew *crew = arg;

	crew->until.ctx = tuza_context_with_cancel(crew->until.ctx);
	crew->until.done = tuza_context_done(crew->until.ctx);
}

int crew_begin(struct crew *crew, tuza_context *ctx)
{
	*crew = (struct crew){.until.ctx = ctx};
	// Nothing but the lack of memory panics there.
	if (likely(tuza_try(crew_derive, crew, NULL) == 0))
		return 0;
	if (crew->until.ctx != ctx)
		tuza_context_free(crew->until.ctx);
	return -ENOMEM;
}

void crew_fail(struct crew *crew, int code)
{
	int32_t none = 0;

	// Relaxed: read when all have ended, which orders it.
	if (cas_relaxed(&crew->failure, &none, code))
		tuza_context_cancel_cause(crew->until.ctx, code);
}

int crew_result(const struct crew *crew) { return load_relaxed(&crew->failure); }

void crew_end(struct crew *crew) { tuza_context_free(crew->until.ctx); }
