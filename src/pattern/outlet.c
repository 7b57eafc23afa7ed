// SPDX-License-Identifier: MIT
/*
 * Outlets: the slots lie in the tail of the channel's own memory, each in cache lines of its own.
 */
#include "pattern/outlet.h"

// A long buffer at the source need not be repeated at each stage. A guess.
enum { CAPACITY_MAX = 256 };

struct outlet {
	// constant
	size_t slots;
	size_t stride;     // from slot to slot
	size_t scratch_at; // in a slot
};

static struct outlet *outlet_of(tuza_chan *out)
{
	return (struct outlet *)align_up((uintptr_t)chan_tail(out), CACHE_LINE);
}

struct outlet_slot *outlet_slot(tuza_chan *out, size_t i)
{
	struct outlet *o = outlet_of(out);

	return (struct outlet_slot *)(void *)((char *)o + CACHE_LINE + i * o->stride);
}

void *outlet_scratch(tuza_chan *out, size_t i)
{
	return (char *)outlet_slot(out, i) + outlet_of(out)->scratch_at;
}

static void outlet_drop_held(tuza_chan *out)
{
	for (size_t i = 0, n = outlet_of(out)->slots; i < n; i++) {
		struct outlet_slot *slot = outlet_slot(out, i);

		if (slot->held)
			flow_drop(out, slot->value);
	}
}

tuza_chan *outlet_new(size_t elem_bytes, const tuza_chan *like, size_t slots, size_t scratch_bytes)
{
	struct outlet o = {.slots = slots};
	size_t capacity = tuza_chan_cap(like), bytes;

	o.scratch_at = sizeof(struct outlet_slot) + align_up(elem_bytes, _Alignof(max_align_t));
	o.stride = align_up(o.scratch_at + scratch_bytes, CACHE_LINE);
	if (__builtin_mul_overflow(slots, o.stride, &bytes) || bytes > PTRDIFF_MAX)
		return NULL;
	if (capacity > CAPACITY_MAX)
		capacity = CAPACITY_MAX;
	tuza_chan *out = chan_new_with_tail(
		elem_bytes, capacity, bytes + 2 * (size_t)CACHE_LINE, outlet_drop_held);
	if (!out)
		return NULL;
	*outlet_of(out) = o;
	for (size_t i = 0; i < slots; i++)
		outlet_slot(out, i)->held = false;
	return out;
}
