// SPDX-License-Identifier: MIT
/*
 * Receiving and sending until a context ends, for goroutines that do little else.
 *
 * The context's done channel is looked up once. Each call asks the context first, so what has ended
 * is never passed by for a channel that happens to be ready; then the channel, which mostly is; and
 * only then selects.
 */
#ifndef TUZA_PATTERN_FLOW_H
#define TUZA_PATTERN_FLOW_H

#include "base/compiler.h"
#include "base/fatal.h"
#include "chan/chan.h"
#include <tuza/context.h>
#include <tuza/pattern.h>

#include <errno.h>

struct until {
	tuza_context *ctx;
	tuza_chan *done; // its done channel; NULL: it never ends
};

// 0 with a value; TUZA_ECLOSED when c is closed and drained; the context's code.
static inline int until_recv(const struct until *u, tuza_chan *c, void *v)
{
	bool ok = false;

	if (!u->done)
		return tuza_chan_recv(c, v) ? 0 : TUZA_ECLOSED;
	int code = tuza_context_err(u->ctx);
	if (unlikely(code != 0))
		return code;
	code = tuza_chan_try_recv(c, v);
	if (code != -EAGAIN)
		return code;
	if (TUZA_SELECT(tuza_select_recv_(u->done, NULL, 0, NULL),
		    tuza_select_recv_(c, v, UINT32_MAX, &ok)) == 0)
		return tuza_context_err(u->ctx);
	return ok ? 0 : TUZA_ECLOSED;
}

// 0; the context's code, and then the value was not sent.
static inline int until_send(const struct until *u, tuza_chan *c, const void *v)
{
	if (!u->done) {
		tuza_chan_send(c, v);
		return 0;
	}
	int code = tuza_context_err(u->ctx);
	if (unlikely(code != 0))
		return code;
	code = tuza_chan_try_send(c, v);
	if (code != -EAGAIN)
		return code;
	if (TUZA_SELECT(tuza_select_recv_(u->done, NULL, 0, NULL),
		    tuza_select_send_(c, v, UINT32_MAX)) == 0)
		return tuza_context_err(u->ctx);
	return 0;
}

// A value that will not be received.
static inline void flow_drop(const tuza_chan *c, void *v)
{
	if (c->drop)
		c->drop(v);
}

// ---- what every pattern checks -------------------------------------------------------------

static inline void flow_check_input(const tuza_chan *c, const char *function)
{
	if (unlikely(!c))
		tuza_panic("%s of nil channel", function);
}

#define FLOW_CHECK_FUNCTION(fn)                                                                    \
	do {                                                                                       \
		if (unlikely(!(fn)))                                                               \
			fatal("go of nil func value");                                             \
	} while (0)

#endif
