// SPDX-License-Identifier: MIT
/*
 * Sleeping, sending and receiving with a context: selects with its done channel.
 */
#include "context/context.h"

#include <tuza/error.h>

EXPORT int tuza_sleep_ctx(tuza_context *ctx, tuza_duration d)
{
	int error = tuza_context_err(ctx);

	if (error || d <= 0)
		return error;
	return TUZA_SELECT(TUZA_DONE(ctx), TUZA_AFTER(d)) == 0 ? tuza_context_err(ctx) : 0;
}

EXPORT int tuza_chan_send_ctx(tuza_chan *c, tuza_context *ctx, const void *v)
{
	int error = tuza_context_err(ctx);

	if (error)
		return error;
	// Untyped: the size is the channel's.
	return TUZA_SELECT(TUZA_DONE(ctx), tuza_select_send_(c, v, UINT32_MAX)) == 0
		       ? tuza_context_err(ctx)
		       : 0;
}

EXPORT int tuza_chan_recv_ctx(tuza_chan *c, tuza_context *ctx, void *v)
{
	bool ok = false;
	int error = tuza_context_err(ctx);

	if (error)
		return error;
	if (TUZA_SELECT(TUZA_DONE(ctx), tuza_select_recv_(c, v, UINT32_MAX, &ok)) == 0)
		return tuza_context_err(ctx);
	return ok ? 0 : TUZA_ECLOSED;
}
