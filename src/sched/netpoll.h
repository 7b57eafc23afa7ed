// SPDX-License-Identifier: MIT
/*
 * Waiting until a descriptor can be read or written: the door for io/ and net/.
 *
 * Protocol, for a descriptor of one's own:
 *
 *	struct netpoll *n;
 *	uint32_t generation;
 *	netpoll_open(fd, &n, &generation);
 *	for (;;) {
 *		uint64_t seen;
 *		int error = netpoll_begin(n, generation, NETPOLL_READ, &seen);
 *		if (error == 0 && (got = try_to_read(fd)) == -EAGAIN)
 *			error = netpoll_wait(n, generation, NETPOLL_READ, seen);
 *		…
 *	}
 *	netpoll_close(n, fd);            // wakes whoever waits
 *	close(fd);
 *	netpoll_closed(n);
 *
 * Any number of goroutines and plain threads may wait for one direction; an event wakes all of
 * them, and each tries again. Which events count is a word per direction (poll_word.h).
 *
 * The records are one for each descriptor number and stay mapped for good, so a late event finds a
 * record, and its generation tells that it is late. What has no descriptor (a connection in memory)
 * keeps a record of its own and calls netpoll_signal itself.
 */
#ifndef TUZA_SCHED_NETPOLL_H
#define TUZA_SCHED_NETPOLL_H

#include "base/list.h"
#include "sched/lock.h"
#include "sched/poll_word.h"
#include "sched/timer.h"

// Directions, alone or together.
enum {
	NETPOLL_READ = 1,
	NETPOLL_WRITE = 2,
	// Only beside them in an event: it tells of an end, a failure, or urgent data.
	NETPOLL_ENDED = 4,
};

// A zeroed one is valid: generation 0 has no user yet. What each wait uses comes first:
// a cache line, and `armed` and `timer` where there is a deadline.
struct netpoll {
	// any thread, atomic; transitions in poll_word.h. [0] of reading, [1] of writing
	uint64_t word[2];
	// written under lock, read without it as a hint
	int64_t deadline[2]; // absolute, clock_now(); 0: none
	// guarded by lock
	struct link waiters; // struct netpoll_waiter; next is NULL before the first
	struct lock lock;    // the rank of a channel's; held over epoll_ctl of this descriptor
	bool registered;     // the kernel reports its events
	bool outside;        // its waits end by what is outside the process: no deadlock, somebody
			     // must ask the kernel
	bool stays;          // in the common set: whoever looks first shall have it
	bool asks;           // the next event shall note the CPU that its packet came in on
	uint16_t home;       // the poller's set that it is in (poll_set.c)
	int16_t waits;       // POLL_SET_SETTLE of them, and that is looked at: of ours only
	int fd;              // of ours

	uint32_t closing;   // calls of close(fd) under way
	uint32_t always;    // directions reported whoever waits: both for a descriptor of ours
	int cpu;            // the one noted; POLL_SET_CPU_UNKNOWN
	int64_t armed;      // when `timer` fires; 0: not at all. Changed under the heap's lock, too
	struct timer timer; // of the waiters' deadlines
};

// The record of a descriptor number; made if `make`. NULL: nobody ever waited for it, or no memory.
struct netpoll *netpoll_of_fd(int fd, bool make);

/*
 * Begins to watch a descriptor that is not blocking and that the caller has just opened: whatever
 * was known of its number is forgotten.
 *
 * Returns  0; -EPERM for what is always ready (regular files); -EMFILE, -ENFILE, -ENOMEM, -ENOSPC.
 */
MUST_USE int netpoll_open(int fd, struct netpoll **n, uint32_t *generation);

// Of one whose events are for any processor, such as new connections: it does not become one's own.
void netpoll_share(struct netpoll *n);

/*
 * Forgets the descriptor: who waits gets TUZA_EFDCLOSED, deadlines are gone, events under way count
 * no more. Call before close(fd), and netpoll_closed after it: who comes in between must not wait
 * for what nobody will tell.
 */
void netpoll_close(struct netpoll *n, int fd);
void netpoll_closed(struct netpoll *n);

// Begins a generation of a record without a descriptor, zeroed or closed; netpoll_close with fd -1
// ends it.
uint32_t netpoll_open_memory(struct netpoll *n);

// Before such a record's memory is given back, when nobody uses it any more.
void netpoll_destroy_memory(struct netpoll *n);

/*
 * Before an operation is tried. `direction` is one.
 *
 * Returns  0 and what netpoll_wait wants to know in *seen; TUZA_EIOTIMEOUT past the deadline;
 *          TUZA_EFDCLOSED.
 */
MUST_USE int netpoll_begin(
	struct netpoll *n, uint32_t generation, uint32_t direction, uint64_t *seen);

/*
 * Between the two, for whoever keeps *seen of an operation that has used up all there was: whether
 * a try would be in vain, because nothing has come since. NETPOLL_NONE stands for no such
 * operation.
 */
#define NETPOLL_NONE POLL_WORD_NONE
static ALWAYS_INLINE bool netpoll_is_drained(uint64_t kept, uint64_t seen)
{
	return poll_word_is_drained(kept, seen);
}

/*
 * Waits until there was an event of `direction` since *seen. Not inside a blocking section.
 *
 * Returns  0: try again; TUZA_EIOTIMEOUT; TUZA_EFDCLOSED; -ENOMEM: no room for a timer.
 */
MUST_USE int netpoll_wait(
	struct netpoll *n, uint32_t generation, uint32_t direction, uint64_t seen);

/*
 * Waits until the absolute time `until`, whatever events there are.
 *
 * Returns  0; else as netpoll_wait.
 */
MUST_USE int netpoll_pause(
	struct netpoll *n, uint32_t generation, uint32_t direction, int64_t until);

/*
 * Waits until the descriptor, of whatever origin, is ready for one of `directions`.
 *
 *   deadline  absolute, clock_now(); 0: none.
 *
 * Returns  the directions that it is ready for; negative: as netpoll_wait and netpoll_open, and
 *          -EBADF.
 */
MUST_USE int netpoll_wait_fd(int fd, uint32_t directions, int64_t deadline);

// Sets when operations of these directions time out, also those under way. 0: never.
// TUZA_EFDCLOSED if it is.
int netpoll_set_deadline(
	struct netpoll *n, uint32_t generation, uint32_t directions, int64_t deadline);

// Counts an event and wakes who waits for it.
void netpoll_signal(struct netpoll *n, uint32_t generation, uint32_t directions);

// For a goroutine that always finds more to do without waiting: asks the kernel who has become
// ready, and lets all of them and whoever can run go first. Nothing if a processor is idle.
void netpoll_give_way(void);

// Whether sends of several goroutines may be made one system call (net/gather.c): unless
// TUZA_DEBUG=gather=0.
bool netpoll_gathers(void);
bool netpoll_always_gathers(void); // without asking whether it is worth it

// ---- inside sched/ ------------------------------------------------------------------------

// Events from the kernel: appends who must be made ready at *end, returns the new end.
struct goroutine **netpoll_event(
	struct netpoll *n, uint32_t generation, uint32_t events, struct goroutine **end);

// A dropped goroutine's waiter (goroutine.waiting) leaves its list. False: somebody took it out.
bool netpoll_unlink(void *waiting);

// Wakes the plain threads that wait: nobody asks the kernel for them any more, until they start the
// runtime anew.
void netpoll_rouse_threads(void);

#endif
