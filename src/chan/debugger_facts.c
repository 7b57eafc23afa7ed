// SPDX-License-Identifier: MIT
/*
 * The facts of channels for debuggers.
 */
#include "base/debugger_facts.h"

#include "chan/chan.h"

EXPORT const struct tuza_debugger_fact_ tuza_debugger_chan_[] = {
	FACT_OFFSET(tuza_chan, elem_bytes),
	FACT_OFFSET(tuza_chan, kind),
	FACT_OFFSET(tuza_chan, closed),
	FACT_OFFSET(tuza_chan, count),
	FACT_OFFSET(tuza_chan, capacity),
	FACT_OFFSET(tuza_chan, receivers),
	FACT_OFFSET(tuza_chan, senders),
	FACT_OFFSET(tuza_chan, references),
	FACT_OFFSET(chan_waiter, link),
	FACT_OFFSET(chan_waiter, g),
	FACT_OFFSET(link, next),
	FACT("chan_kind.chan", CHAN_PLAIN),
	FACT("chan_kind.unbounded chan", CHAN_UNBOUNDED),
	FACT("chan_kind.timer chan", CHAN_TIMER),
	FACT("chan_kind.context chan", CHAN_CONTEXT),
	FACTS_END,
};
