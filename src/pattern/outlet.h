// SPDX-License-Identifier: MIT
/*
 * An outlet: the channel that a pattern hands out, with a slot for each goroutine that sends to it.
 *
 * A value is made, or received, in the slot, and sent from there. When the context ends before
 * anybody takes it, it stays, and is dropped with the channel: by then the owner has had the time
 * to say how (tuza_chan_on_drop), which when the goroutine ends may not be so yet.
 */
#ifndef TUZA_PATTERN_OUTLET_H
#define TUZA_PATTERN_OUTLET_H

#include "pattern/flow.h"

// Touched by one goroutine only, then by whoever releases the channel last.
struct outlet_slot {
	bool held; // a value that must be sent or dropped
	_Alignas(max_align_t) char value[];
};

/*
 *   like           the input whose capacity it gets, within limits
 *   slots          how many goroutines send to it
 *   scratch_bytes  for each of them, besides
 *
 * Returns  the channel with one reference; NULL without memory.
 * Panics   "makechan: size out of range".
 */
MUST_USE tuza_chan *outlet_new(
	size_t elem_bytes, const tuza_chan *like, size_t slots, size_t scratch_bytes);

struct outlet_slot *outlet_slot(tuza_chan *out, size_t i);
void *outlet_scratch(tuza_chan *out, size_t i);

// Sends the value in the slot. 0, or the context's code: then the slot holds it for good.
static inline int outlet_send(tuza_chan *out, struct outlet_slot *slot, const struct until *u)
{
	slot->held = true;
	int code = until_send(u, out, slot->value);
	slot->held = code != 0;
	return code;
}

#endif
