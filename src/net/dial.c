// SPDX-License-Identifier: MIT
/*
 * Dialling: one address after another, and the two families of a name side by side (RFC 6555,
 * "Happy Eyeballs").
 *
 * A racer tries the addresses of one family. tuza_dial starts the first, then, after a delay or
 * when the first has failed, the second; it takes the first connection that there is, stops whoever
 * is left and waits for it: so nothing outlives the call, and all lies on its stack. A racer is
 * stopped by a deadline in the past on the socket that it connects.
 *
 * dial.mutex guards `over` and the sockets that are being connected. Go: src/net/dial.go
 */
#include "net/socket.h"

#include <tuza/chan.h>
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/time.h>

#include <errno.h>
#include <string.h>

enum { RACERS = 2, SELF_CONNECTS = 3 };
static const int64_t FALLBACK_DELAY = 300 * TUZA_MILLISECOND; // Go's, RFC 6555's
static const int64_t LEAST_SHARE = 2 * TUZA_SECOND;           // Go: what an address gets at least

struct racer {
	struct dial *dial;
	struct addresses addresses;
	// guarded by dial->mutex
	struct conn *connecting; // or NULL
	// written before the racer says that it is done
	struct conn *connected;
	int error;
	bool started, done; // main's
};

struct dial {
	// constant
	tuza_context *ctx;
	struct network network;
	tuza_chan *finished; // a racer's number, when it is done: room for all
	tuza_mutex mutex;
	bool over; // guarded by mutex
	struct racer racers[RACERS];
};

// ---- one address ------------------------------------------------------------------------------

// When the attempt at an address ends if `left` more come after it: a share of the time. 0: with
// the context.
static int64_t deadline_of(tuza_context *ctx, int left)
{
	int64_t deadline, now = tuza_now();
	if (left == 0 || !tuza_context_deadline(ctx, &deadline))
		return 0;
	int64_t share = (deadline - now) / (left + 1);
	if (share < LEAST_SHARE)
		share = LEAST_SHARE;
	return now + share < deadline ? now + share : 0;
}

// Makes the socket one that tuza_dial may stop. False: it has stopped us already.
static bool begin_connecting(struct racer *r, struct conn *c)
{
	tuza_mutex_lock(&r->dial->mutex);
	bool go_on = !r->dial->over;
	r->connecting = go_on ? c : NULL;
	tuza_mutex_unlock(&r->dial->mutex);
	return go_on;
}

static bool end_connecting(struct racer *r)
{
	tuza_mutex_lock(&r->dial->mutex);
	r->connecting = NULL;
	bool go_on = !r->dial->over;
	tuza_mutex_unlock(&r->dial->mutex);
	return go_on;
}

static bool is_connected_to_itself(struct conn *c)
{
	tuza_address local, remote;
	return c->type == SOCK_STREAM && c->family != AF_UNIX &&
	       c->kind->address(c, false, &local) == 0 && c->kind->address(c, true, &remote) == 0 &&
	       memcmp(&local, &remote, sizeof local) == 0;
}

// Connects to one address. *result on success.
static int try_address(
	struct racer *r, const tuza_address *to, int64_t deadline, struct conn **result)
{
	for (int i = 0; i < SELF_CONNECTS; i++) {
		struct conn *c;
		int error = socket_make(address_family(to), r->dial->network.type, &c);
		if (error)
			return error;
		(void)netpoll_set_deadline(c->poll, c->generation, NETPOLL_WRITE, deadline);
		if (!begin_connecting(r, c)) {
			socket_discard(c);
			return -ECANCELED;
		}
		error = socket_connect(c, to);
		if (!end_connecting(r) && !error)
			error = -ECANCELED;
		if (!error && !is_connected_to_itself(c)) {
			(void)netpoll_set_deadline(c->poll, c->generation, NETPOLL_WRITE, 0);
			*result = c;
			return 0;
		}
		socket_discard(c);
		if (error)
			return error;
		// The system gave it the very port that it dialled, where nobody listens.
	}
	return -ECONNREFUSED;
}

// ---- a racer ----------------------------------------------------------------------------------

static void race(struct racer *r)
{
	int n = r->addresses.count;
	r->error = 0;
	for (int i = 0; i < n && !r->connected; i++) {
		int64_t deadline = deadline_of(r->dial->ctx, n - 1 - i);
		int error = try_address(r, &r->addresses.at[i], deadline, &r->connected);
		// The first failure is the one that tells most.
		if (error && !r->error)
			r->error = error;
		if (error == -ECANCELED)
			break;
	}
	if (r->connected)
		r->error = 0;
}

static void run_racer(void *arg)
{
	struct racer *r = arg;
	struct dial *d = r->dial;
	uint8_t number = (uint8_t)(r - d->racers);
	race(r);
	tuza_chan_send(d->finished, &number); // has room. *d may be gone afterwards
}

static int start_racer(struct racer *r)
{
	static const tuza_go_options options = {.name = "dial"};
	int error = tuza_go_with(&options, run_racer, r);
	r->started = error == 0;
	r->done = !r->started;
	if (error) // else it has begun, and may have failed already
		r->error = error;
	return error;
}

// Ends what is being connected, and keeps it from starting anew.
static void stop_racers(struct dial *d)
{
	tuza_mutex_lock(&d->mutex);
	d->over = true;
	for (int i = 0; i < RACERS; i++) {
		struct conn *c = d->racers[i].connecting;
		if (c) // the past
			(void)netpoll_set_deadline(c->poll, c->generation, NETPOLL_WRITE, 1);
	}
	tuza_mutex_unlock(&d->mutex);
}

static bool under_way(const struct racer *r) { return r->started && !r->done; }

// Starts the racers and waits for the first connection or the last failure. The result is in them.
static void race_all(struct dial *d)
{
	struct racer *first = &d->racers[0], *second = &d->racers[1];
	int64_t fallback_at = tuza_now() + FALLBACK_DELAY;
	uint8_t number;
	bool connected = false;
	(void)start_racer(first);
	while (!connected) {
		bool may_start = second->addresses.count > 0 && !second->started && !second->done;
		if (may_start && (!under_way(first) || tuza_now() >= fallback_at)) {
			(void)start_racer(second);
			continue;
		}
		if (!under_way(first) && !under_way(second))
			break;
		switch (TUZA_SELECT(TUZA_RECV(d->finished, &number), TUZA_DONE(d->ctx),
			TUZA_UNTIL(may_start ? fallback_at : INT64_MAX))) {
		case 0:
			d->racers[number].done = true;
			connected = d->racers[number].connected != NULL;
			break;
		case 1:
			connected = true; // nothing more is of interest
			break;
		}
	}
	stop_racers(d);
	while (under_way(first) || under_way(second)) {
		tuza_chan_recv(d->finished, &number);
		d->racers[number].done = true;
	}
}

// ---- the call ---------------------------------------------------------------------------------

// The family of the first address goes first, the other one second.
static void divide(const struct addresses *all, struct dial *d)
{
	bool first_is_ip4 = address_is_ip4(&all->at[0]);
	for (int i = 0; i < all->count; i++) {
		bool second = d->network.family == AF_UNSPEC &&
			      address_is_ip4(&all->at[i]) != first_is_ip4;
		struct addresses *to = &d->racers[second].addresses;
		to->at[to->count++] = all->at[i];
	}
}

static int dial_all(tuza_context *ctx, const struct network *network, const struct addresses *all,
	struct conn **result)
{
	struct dial d = {.ctx = ctx, .network = *network};
	for (int i = 0; i < RACERS; i++)
		d.racers[i].dial = &d;
	divide(all, &d);
	if (d.racers[1].addresses.count == 0 && tuza_context_done(ctx) == NULL) {
		race(&d.racers[0]); // nothing can end it early
	} else {
		if (tuza_chan_try_new(sizeof(uint8_t), RACERS, &d.finished) != 0)
			return -ENOMEM;
		race_all(&d);
		tuza_chan_release(d.finished);
	}
	int error = tuza_context_err(ctx);
	*result = NULL;
	for (int i = 0; i < RACERS; i++) {
		struct conn *c = d.racers[i].connected;
		if (c && !*result && !error)
			*result = c;
		else if (c)
			socket_discard(c);
	}
	if (error || *result)
		return error;
	return d.racers[0].error ? d.racers[0].error : d.racers[1].error;
}

EXPORT int tuza_dial(
	tuza_context *ctx, const char *network_text, const char *address, tuza_conn **conn)
{
	struct network network;
	struct addresses all;
	struct conn *c = NULL;
	*conn = NULL;
	int error = tuza_context_err(ctx); // panics for NULL
	if (!error)
		error = network_parse(network_text, &network);
	if (!error)
		error = address_resolve(ctx, &network, address, false, &all);
	if (!error) {
		error = dial_all(ctx, &network, &all, &c);
		// A code of the context is none of the kernel's.
		if (error && error != tuza_context_err(ctx))
			error = (int)conn_result(error);
	}
	if (error)
		return error;
	socket_set_defaults(c);
	*conn = conn_open(c);
	return 0;
}
