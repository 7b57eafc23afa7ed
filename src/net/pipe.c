// SPDX-License-Identifier: MIT
/*
 * Connections in memory: what is written to one end is read from the other, straight from the
 * writer's memory into the reader's.
 *
 * Each direction is a `flow`: the bytes that a writer offers, until they are read or the writer
 * gives up. One writer at a time: it has its end's turn. An end waits on its own record
 * (netpoll.h), which has the deadlines; whoever changes a flow signals the other end's.
 *
 * Locks: a flow's, held while bytes are copied: a piece at a time. Go: src/net/pipe.go
 */
#include "net/conn.h"

#include "base/race_hooks.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { COPY_MOST = 16384 }; // bytes under the lock: a microsecond

struct flow {
	// guarded by lock
	struct lock lock;
	const char *offered; // by the writer, who waits; NULL: nothing
	size_t left;         // of it
	bool written_off;    // the writing end is closed, or shut for writing
	bool read_off;       // the reading end
};

struct pipe {
	uint32_t references; // atomic: ends
	struct netpoll end[2];
	uint32_t generation[2]; // constant
	struct flow flow[2];    // [i] is written by end i and read by the other
};

// ---- reading and writing ----------------------------------------------------------------------

static void signal(struct pipe *p, int side, uint32_t directions)
{
	netpoll_signal(&p->end[side], p->generation[side], directions);
}

// TUZA_EFDCLOSED if our own end is what was closed.
static int why_closed(struct conn *c)
{
	uint64_t seen;
	int error = netpoll_begin(c->poll, c->generation, NETPOLL_READ, &seen);
	return error == TUZA_EFDCLOSED ? error : TUZA_EPIPECLOSED;
}

// Takes what is offered, or only copies it. -EAGAIN: nothing; 0: the end.
static ssize_t take(struct flow *f, char *bytes, size_t count, bool keep, bool *all)
{
	ssize_t n = -EAGAIN;
	lock_acquire(&f->lock);
	if (f->read_off) {
		n = TUZA_EPIPECLOSED;
	} else if (f->offered) {
		n = (ssize_t)(f->left < count ? f->left : count);
		if (n > COPY_MOST)
			n = COPY_MOST;
		race_acquire(f);
		memcpy(bytes, f->offered, (size_t)n);
		race_release(f);
		if (!keep) {
			f->offered += n;
			f->left -= (size_t)n;
			if (f->left == 0)
				f->offered = NULL;
		}
	} else if (f->written_off) {
		n = 0;
	}
	*all = f->offered == NULL;
	lock_release(&f->lock);
	return n;
}

static ssize_t receive(struct conn *c, void *bytes, size_t count, bool keep)
{
	struct pipe *p = c->pipe;
	bool all;
	for (;;) {
		uint64_t seen;
		int error = netpoll_begin(c->poll, c->generation, NETPOLL_READ, &seen);
		if (error)
			return error;
		ssize_t n = take(&p->flow[!c->side], bytes, count, keep, &all);
		if (n >= 0 && all && !keep)
			signal(p, !c->side, NETPOLL_WRITE);
		if (n == TUZA_EPIPECLOSED)
			return why_closed(c);
		if (n != -EAGAIN)
			return n;
		error = netpoll_wait(c->poll, c->generation, NETPOLL_READ, seen);
		if (error)
			return error;
	}
}

static ssize_t pipe_read(struct conn *c, void *bytes, size_t count, tuza_address *from)
{
	if (from)
		memset(from, 0, sizeof *from);
	return receive(c, bytes, count, false);
}

static ssize_t pipe_peek(struct conn *c, void *bytes, size_t count)
{
	char one;
	ssize_t n = receive(c, count ? bytes : &one, count ? count : 1, true);
	return n < 0 || count ? n : 0;
}

// Takes the offer back. Returns how much of it was not read.
static size_t withdraw(struct flow *f)
{
	lock_acquire(&f->lock);
	size_t left = f->offered ? f->left : 0;
	f->offered = NULL;
	f->left = 0;
	lock_release(&f->lock);
	race_acquire(f);
	return left;
}

// One piece, until all of it is read. *done is how much was.
static int offer(struct conn *c, const struct iovec *piece, ssize_t *done)
{
	struct pipe *p = c->pipe;
	struct flow *f = &p->flow[c->side];
	uint64_t seen;
	int error = netpoll_begin(c->poll, c->generation, NETPOLL_WRITE, &seen);
	if (error)
		return error;
	race_release(f);
	lock_acquire(&f->lock);
	bool closed = f->written_off || f->read_off;
	if (!closed && piece->iov_len > 0) {
		f->offered = piece->iov_base;
		f->left = piece->iov_len;
	}
	lock_release(&f->lock);
	if (closed)
		return why_closed(c);
	signal(p, !c->side, NETPOLL_READ);
	for (;;) {
		lock_acquire(&f->lock);
		bool read = f->offered == NULL;
		closed = f->written_off || f->read_off;
		lock_release(&f->lock);
		if (read || closed)
			break;
		error = netpoll_wait(c->poll, c->generation, NETPOLL_WRITE, seen);
		if (!error)
			error = netpoll_begin(c->poll, c->generation, NETPOLL_WRITE, &seen);
		if (error)
			break;
	}
	size_t left = withdraw(f);
	*done += (ssize_t)(piece->iov_len - left);
	if (left == 0)
		return 0;
	return error ? error : why_closed(c);
}

static ssize_t pipe_write(struct conn *c, struct iovec *pieces, size_t count)
{
	ssize_t done = 0;
	for (size_t i = 0; i < count; i++) {
		int error = offer(c, &pieces[i], &done);
		if (error)
			return done ? done : error;
	}
	return done;
}

// ---- closing ----------------------------------------------------------------------------------

static int pipe_shut(struct conn *c, int how)
{
	struct pipe *p = c->pipe;
	struct flow *f = &p->flow[how == SHUT_WR ? c->side : !c->side];
	race_release(f);
	lock_acquire(&f->lock);
	if (how == SHUT_WR)
		f->written_off = true;
	else
		f->read_off = true;
	lock_release(&f->lock);
	for (int side = 0; side < 2; side++)
		signal(p, side, NETPOLL_READ | NETPOLL_WRITE);
	return 0;
}

static void pipe_close(struct conn *c)
{
	netpoll_close(c->poll, -1);
	(void)pipe_shut(c, SHUT_WR);
	(void)pipe_shut(c, SHUT_RD);
}

static void pipe_destroy(struct conn *c)
{
	struct pipe *p = c->pipe;
	race_release(p);
	// (pipe-release) pairs with the other end's: what it did is done.
	if (sub_acq_rel(&p->references, 1) != 1) // (pipe-release)
		return;
	race_acquire(p);
	for (int i = 0; i < 2; i++)
		netpoll_destroy_memory(&p->end[i]);
	free(p);
}

static int pipe_address(struct conn *c, bool remote, tuza_address *a)
{
	(void)c;
	(void)remote;
	memset(a, 0, sizeof *a); // it has no name
	return 0;
}

// What a dropped goroutine offered lay on its stack, most likely.
static void pipe_forget(struct conn *c, uint32_t turns)
{
	if (turns & 1u << TURN_WRITE)
		(void)withdraw(&c->pipe->flow[c->side]);
}

static const struct conn_kind pipe_kind = {
	.read = pipe_read,
	.peek = pipe_peek,
	.write = pipe_write,
	.shut = pipe_shut,
	.address = pipe_address,
	.close = pipe_close,
	.destroy = pipe_destroy,
	.forget = pipe_forget,
};

// ---- making -----------------------------------------------------------------------------------

EXPORT int tuza_pipe(tuza_conn **a, tuza_conn **b)
{
	struct conn *ends[2] = {conn_new(&pipe_kind), conn_new(&pipe_kind)};
	struct pipe *p = calloc(1, sizeof *p);
	*a = *b = NULL;
	if (!p || !ends[0] || !ends[1]) {
		for (int i = 0; i < 2; i++)
			if (ends[i])
				conn_discard(ends[i]);
		free(p);
		return -ENOMEM;
	}
	store_relaxed(&p->references, 2); // nobody knows it yet
	for (int i = 0; i < 2; i++) {
		p->generation[i] = netpoll_open_memory(&p->end[i]);
		ends[i]->poll = &p->end[i];
		ends[i]->generation = p->generation[i];
		ends[i]->pipe = p;
		ends[i]->side = i;
	}
	*a = conn_open(ends[0]);
	*b = conn_open(ends[1]);
	return 0;
}
