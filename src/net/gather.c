// SPDX-License-Identifier: MIT
/*
 * Sends of several goroutines in one system call.
 *
 * A server with many busy connections reads a request, answers it with a send, and goes on to the
 * next goroutine, which does the same. A send is the dearest part of that, and costs a third less
 * as one of many in a call (figures: docs/ARCHITECTURE.md). So where others wait to run, the first
 * goroutine that would send becomes a *leader*: it leaves an open batch at its processor and lets
 * all who are in the ring go first, by a yield. Whoever would send meanwhile adds itself to the
 * batch and parks. When the leader's turn comes again it closes the batch, does all the sends by
 * one call, and wakes the others; unless the batch was full before: then who filled it does. With a
 * thousand connections in the ring nobody waits for all of them, and what is sent, and what a
 * program keeps for it, is a batch's and still in the cache.
 *
 * The leader stays runnable all the time, in a run queue like any other: so nothing here needs the
 * scheduler's attention, whoever steals it or takes over its processor, and a batch waits no longer
 * than anything else that can run. But that may be long where others compute: gather_account.h has
 * when there are no batches.
 *
 * No send is under way in the kernel when the call returns: each is told not to block (sends.h). A
 * connection's turn to write is held meanwhile, and its operation goes on: bytes stay in order, and
 * a close waits.
 *
 * Locks: a place's; the one of its kernel object is only ever tried, and held over the call.
 */
#include "net/gather.h"

#include "net/gather_account.h"
#include "net/gather_trial.h"
#include "sched/lock.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/upcalls.h"
#include "sys/clock.h"
#include "sys/sends.h"
#include "sys/sockets.h"
#include "sys/sys.h"

enum {
	PLACES = 64,       // processors share them beyond that
	OTHERS = 4,        // that must wait to run before somebody leads
	BYTES_MOST = 4096, // larger sends would keep the others waiting, and gain little
};

// Lies on the sender's stack, which is parked.
struct gathered {
	struct gathered *next;
	struct goroutine *g;
	const void *bytes;
	size_t count;
	int fd;
	ssize_t result;
	bool done; // the leader's, guarded by the place's lock: somebody else has made its send
};

// When a leader gave way, on which thread, and what that had spent until then.
struct gave_way {
	const struct machine *thread;
	int64_t spent;
};

// On the leader's stack.
struct batch {
	struct gathered *first, **end; // the leader is the first; NULL: somebody else makes them
	uint32_t count;
	struct gave_way before;
};

enum kernel_state { UNTRIED, HERE, NONE };

struct place {
	struct lock lock;
	uint32_t kernel;    // enum kernel_state; written under kernel_lock, read without as a hint
	struct batch *open; // guarded by lock; read without it as a hint
	struct gather_account account;
	struct gather_trial trial;
	struct lock kernel_lock;
	struct sys_sends sends; // guarded by kernel_lock
} CACHE_ALIGNED;

static struct place places[PLACES] APART;

static struct place *place_here(void) { return &places[processor_index() % PLACES]; }

static ssize_t send_now(int fd, const void *bytes, size_t count)
{
	return sys_send(fd, bytes, count, NULL, 0);
}

// ---- a batch ----------------------------------------------------------------------------------

// The kernel's object, for the caller alone; NULL: there is none, or it is in use.
static struct sys_sends *take_kernel(struct place *p)
{
	if (!lock_try(&p->kernel_lock))
		return NULL;
	if (unlikely(load_relaxed(&p->kernel) == UNTRIED)) // under the lock
		store_relaxed(&p->kernel,
			netpoll_gathers() && sys_sends_open(&p->sends) == 0 ? HERE : NONE);
	if (load_relaxed(&p->kernel) == HERE)
		return &p->sends;
	lock_release(&p->kernel_lock);
	return NULL;
}

static void send_all(struct batch *b)
{
	struct place *p = place_here(); // it may be another than before the yield
	struct sys_sends *s = b->count > 1 ? take_kernel(p) : NULL;
	int64_t began = sys_clock_now();
	if (!s) {
		for (struct gathered *one = b->first; one; one = one->next)
			one->result = send_now(one->fd, one->bytes, one->count);
		return;
	}
	for (struct gathered *one = b->first; one; one = one->next)
		sys_sends_add(s, one->fd, one->bytes, one->count, &one->result);
	sys_sends_submit(s);
	lock_release(&p->kernel_lock);
	gather_trial_note_batch(&p->trial, b->count, sys_clock_now() - began);
}

// All that wait but `mine`, the caller's own. The leader may not wait yet.
static void wake_others(struct place *p, const struct batch *b, const struct gathered *mine)
{
	struct goroutine *woken = NULL, **end = &woken;
	// A link is read before the one that it is in may run.
	for (struct gathered *one = b->first->next; one; one = one->next) {
		if (one == mine)
			continue;
		*end = one->g;
		end = &one->g->next;
	}
	if (b->first != mine) {
		lock_acquire(&p->lock);
		b->first->done = true;
		if (b->first->g) {
			*end = b->first->g;
			end = &b->first->g->next;
		}
		lock_release(&p->lock); // its stack may be gone from here on
	}
	*end = NULL;
	if (woken)
		ready_list(woken);
}

static struct gave_way spent_until_now(void)
{
	return (struct gave_way){machine_current(), sys_own_cpu_time()};
}

// What the others took. It is the thread's own time: that it stood still because the kernel ran
// somebody else is no fault of theirs.
static int64_t spent_since(struct gave_way before)
{
	if (machine_current() != before.thread)
		return 0; // a thief had nothing else to do
	return sys_own_cpu_time() - before.spent;
}

// Makes the sends of a batch that nobody else knows of any more.
static void finish(struct place *p, struct batch *b, const struct gathered *mine)
{
	gather_account_note(&p->account, b->count, spent_since(b->before));
	send_all(b);
	wake_others(p, b, mine);
}

// Needs: p->lock, which it drops.
static void await_send(struct place *p, struct gathered *mine)
{
	mine->g = goroutine_current();
	mine->g->waiting = NULL; // it is in no queue that outlives a run
	park_unlocking(&p->lock, WAIT_IO, NULL);
}

// ---- the others -------------------------------------------------------------------------------

// Adds the caller to the batch that is open here, and waits, or makes the sends if it is full now.
// False: there is none.
static bool join(struct place *p, struct gathered *mine)
{
	lock_acquire(&p->lock);
	struct batch *b = p->open;
	if (!b) {
		lock_release(&p->lock);
		return false;
	}
	*b->end = mine;
	b->end = &mine->next;
	if (++b->count < SYS_SENDS_MOST) {
		await_send(p, mine);
		return true;
	}
	struct batch full = *b;
	b->first = NULL;
	store_relaxed(&p->open, NULL); // under the lock
	lock_release(&p->lock);
	finish(p, &full, mine);
	return true;
}

// ---- the leader -------------------------------------------------------------------------------

// Where there could have been a batch.
static ssize_t send_alone(struct place *p, const struct gathered *mine)
{
	if (!gather_trial_times(&p->trial))
		return send_now(mine->fd, mine->bytes, mine->count);
	int64_t began = sys_clock_now();
	ssize_t n = send_now(mine->fd, mine->bytes, mine->count);
	gather_trial_note_alone(&p->trial, sys_clock_now() - began);
	return n;
}

static ssize_t lead(struct place *p, struct gathered *mine)
{
	struct batch b = {.first = mine, .end = &mine->next, .count = 1};
	bool worth = netpoll_always_gathers() || gather_trial_allows(&p->trial);
	if (!worth || !gather_account_allows(&p->account))
		return send_alone(p, mine);
	b.before = spent_until_now();
	lock_acquire(&p->lock);
	bool is_first = !p->open; // processors may share a place
	if (is_first)
		store_relaxed(&p->open, &b); // under the lock
	lock_release(&p->lock);
	if (!is_first)
		return send_now(mine->fd, mine->bytes, mine->count);
	yield_to_others();
	lock_acquire(&p->lock);
	if (!b.first && !mine->done) {
		await_send(p, mine);
	} else if (!b.first) {
		lock_release(&p->lock);
	} else {
		if (p->open == &b)
			store_relaxed(&p->open, NULL); // under the lock; nobody else knows of it
		lock_release(&p->lock);
		finish(p, &b, mine);
	}
	return mine->result;
}

// ---- both -------------------------------------------------------------------------------------

static NOINLINE ssize_t gather(struct place *p, int fd, const void *bytes, size_t count)
{
	struct gathered mine = {.next = NULL, .bytes = bytes, .count = count, .fd = fd};
	return load_relaxed(&p->open) && join(p, &mine) ? mine.result : lead(p, &mine); // a hint
}

ssize_t gather_send(int fd, const void *bytes, size_t count)
{
	uint32_t others = park_others();
	if (others == 0 || count == 0 || count > BYTES_MOST)
		return send_now(fd, bytes, count);
	struct place *p = place_here();
	// Hints, both. An open batch will be done at once, a new one when the others have run.
	if (load_relaxed(&p->kernel) == NONE || (others < OTHERS && !load_relaxed(&p->open)))
		return send_now(fd, bytes, count);
	if (gather_trial_rests(&p->trial) && !load_relaxed(&p->open) && !netpoll_always_gathers())
		return send_now(fd, bytes, count);
	return gather(p, fd, bytes, count);
}

void net_forget_sends(void)
{
	for (int i = 0; i < PLACES; i++) {
		lock_acquire(&places[i].lock);
		store_relaxed(&places[i].open, NULL); // its leader was dropped
		lock_release(&places[i].lock);
	}
}
