// SPDX-License-Identifier: MIT
/*
 * A connection over a connection: what its slot does not hold.
 */
#ifndef TUZA_NET_LAYER_H
#define TUZA_NET_LAYER_H

#include "net/conn.h"
#include <tuza/layer.h>

struct tuza_layer {
	// constant
	struct conn *conn;
	const tuza_layer_methods *methods;
	void *state;
	tuza_conn *under;

	int64_t deadline[2]; // any thread, atomic; [TURN_READ] and [TURN_WRITE]. 0: none

	tuza_mutex turn;
};

// Sets deadlines of the layer and of what is under it.
int layer_set_deadline(struct conn *c, uint32_t directions, int64_t deadline);

#endif
