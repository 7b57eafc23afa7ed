// SPDX-License-Identifier: MIT
/*
 * The probes, and the word that switches them on.
 *
 * A tracer counts a 16-bit "semaphore" up while it listens to a probe. That of all of tuza's is the
 * upper half of events_on, so the test that the scheduler makes anyway, of the whole word, is
 * theirs too. The lower half is events.c's, the upper one the kernel's or the tracer's: the runtime
 * changes the word by atomic read-modify-writes, which leave the upper half as it is, the tracer
 * writes its own 16 bits only.
 *
 * To be counted up from outside the word has to lie in the file, hence the section. While any probe
 * is on, the hooks of all are called; one that is not on is a no-op there.
 */
#include "sched/probes.h"

#include "sched/runtime.h"
#include "sys/probe.h"

CACHE_ALIGNED __attribute__((section(".probes"))) uint32_t events_on = 0;
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the upper half lies two bytes behind");

PROBE_SEMAPHORE(goroutine__create, "events_on + 2")
PROBE_SEMAPHORE(goroutine__ready, "events_on + 2")
PROBE_SEMAPHORE(goroutine__start, "events_on + 2")
PROBE_SEMAPHORE(goroutine__run, "events_on + 2")
PROBE_SEMAPHORE(goroutine__park, "events_on + 2")
PROBE_SEMAPHORE(goroutine__yield, "events_on + 2")
PROBE_SEMAPHORE(goroutine__end, "events_on + 2")
PROBE_SEMAPHORE(chan__block, "events_on + 2")
PROBE_SEMAPHORE(lock__block, "events_on + 2")
PROBE_SEMAPHORE(blocking__begin, "events_on + 2")
PROBE_SEMAPHORE(blocking__end, "events_on + 2")
PROBE_SEMAPHORE(panic, "events_on + 2")

void probes_created(const struct goroutine *g)
{
	// A handle's goroutine gets its function as an argument of the library's own.
	uintptr_t fn = g->handle ? (uintptr_t)g->capture.gpr[1] : (uintptr_t)g->capture.fn;

	PROBE4(goroutine__create, g->id, g->creator_id, g->creation_pc, fn);
}

void probes_readied(const struct machine *by, const struct goroutine *g, enum event_cause cause)
{
	static const char *const causes[] = {[EVENT_BY_GOROUTINE] = "goroutine",
		[EVENT_BY_TIMER] = "timer",
		[EVENT_BY_NETPOLL] = "netpoll",
		[EVENT_BY_SCHEDULER] = "scheduler"};
	const char *text = causes[cause];
	uint64_t waker = cause == EVENT_BY_GOROUTINE && by && by->current ? by->current->id : 0;

	__asm__("" : "+r"(text)); // tracers do not know how to read an element of an array
	// The first time it is made known by that.
	if (!(g->flags & (GOROUTINE_STARTED | GOROUTINE_THREAD)) && cause != EVENT_BY_SCHEDULER)
		probes_created(g);
	else
		PROBE3(goroutine__ready, g->id, waker, text);
}

void probes_running(const struct goroutine *g, bool first)
{
	if (first)
		PROBE1(goroutine__start, g->id);
	PROBE1(goroutine__run, g->id);
}

void probes_parking(const struct goroutine *g)
{
	const char *reason = wait_reason_text(g->wait_reason);

	PROBE3(goroutine__park, g->id, reason, g->wait_object);
	switch (g->wait_reason) {
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_SEND:
	case WAIT_CHAN_RECV_NIL:
	case WAIT_CHAN_SEND_NIL:
	case WAIT_SELECT:
	case WAIT_SELECT_NONE:
		PROBE3(chan__block, g->id, g->wait_object, reason);
		break;
	case WAIT_MUTEX:
	case WAIT_RWMUTEX_R:
	case WAIT_RWMUTEX_W:
	case WAIT_SEMAPHORE:
		PROBE3(lock__block, g->id, g->wait_object, reason);
		break;
	default:
		break;
	}
}

void probes_yielding(const struct goroutine *g) { PROBE1(goroutine__yield, g->id); }

void probes_ended(const struct goroutine *g) { PROBE1(goroutine__end, g->id); }

void probes_blocking(const struct goroutine *g, bool begins)
{
	if (begins)
		PROBE1(blocking__begin, g->id);
	else
		PROBE1(blocking__end, g->id);
}

void probes_panicking(const struct goroutine *g, const char *message)
{
	PROBE2(panic, g->id, message);
}
