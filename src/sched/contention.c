// SPDX-License-Identifier: MIT
/*
 * Go: src/runtime/sema.go, semacquire1, semrelease1; src/runtime/mprof.go, blockevent, mutexevent
 */
#include "sched/contention.h"

#include "sched/events.h"
#include "sys/clock.h"

contention_told *contention_mutexes;
static contention_told *blocked; // any thread, atomic; set before events are

void contention_tell_blocked(contention_told *told)
{
	if (!told) {
		events_end(EVENTS_FOR_BLOCK);
		return; // `blocked` stays for those who wait now
	}
	store_relaxed(&blocked, told); // functions are constant
	events_begin(EVENTS_FOR_BLOCK);
}

void contention_tell_mutexes(contention_told *told)
{
	store_relaxed(&contention_mutexes, told); // a request
}

// ---- waits --------------------------------------------------------------------------------

// Go counts channels, selects and whatever is made of its semaphores.
bool contention_is_reason(enum wait_reason reason)
{
	switch (reason) {
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_SEND:
	case WAIT_SELECT:
	case WAIT_MUTEX:
	case WAIT_RWMUTEX_R:
	case WAIT_RWMUTEX_W:
	case WAIT_COND:
	case WAIT_WAITGROUP:
	case WAIT_SEMAPHORE:
	case WAIT_ONCE:
	case WAIT_SINGLEFLIGHT:
	case WAIT_JOIN:
		return true;
	default:
		return false;
	}
}

int64_t contention_begin(const struct goroutine *g)
{
	return contention_is_reason((enum wait_reason)g->wait_reason) ? sys_clock_now() : 0;
}

// The beginning of the wait is known to contention_begin's caller: here its end takes its place.
void contention_readied(struct goroutine *g)
{
	if (g->flags & GOROUTINE_STARTED)                       // others wait for a stack
		store_relaxed(&g->wait_since, sys_clock_now()); // dumps may look
}

void contention_end(const struct goroutine *g, int64_t since)
{
	int64_t until = g->wait_since;
	contention_told *told = load_relaxed(&blocked); // functions are constant

	// Not set by contention_readied: a plain thread, or nobody wanted to know at that moment.
	if (until <= since)
		until = sys_clock_now();
	if (told && events_are_for(EVENTS_FOR_BLOCK))
		told(until - since);
}

// ---- locks --------------------------------------------------------------------------------

// Exact, and yet bounded: who stands further behind is charged later, to the same stack as a rule.
enum { CHARGED_MOST = 256 };

NOINLINE int64_t contention_sum(struct queued *first, int64_t now)
{
	int64_t sum = 0;
	int left = CHARGED_MOST;

	for (struct queued *w = first; w && left > 0; w = w->next, left--) {
		if (w->charged != 0 && now > w->charged)
			sum += now - w->charged;
		w->charged = now;
	}
	return sum;
}

NOINLINE void contention_tell(int64_t ns)
{
	contention_told *told = load_relaxed(&contention_mutexes); // functions are constant

	if (told)
		told(ns);
}
