// SPDX-License-Identifier: MIT
/*
 * Deferred calls, panics and tuza_goexit.
 *
 * The deferred calls of a goroutine are a list of records that lie in the frames of their blocks,
 * innermost first. A record is unlinked before its call, so a call that panics is not made again. A
 * panic makes the calls on the panicking stack, on top of the frame that raised it, and gives the
 * frames up at the end: that is why a report shows where the panic was raised, and why its record
 * may lie in its own frame.
 *
 * tuza_goexit is a panic that no try contains. Where a panic meets a try whose frame a tuza_goexit
 * is about to give up, the try's caller will not run again: the panic ends there and the exit goes
 * on (P8).
 *
 * Go: src/runtime/panic.go, gopanic, Goexit, printpanics
 */
#define _GNU_SOURCE
#include "panic/panic.h"

#include "base/fatal.h"
#include "debug/dump.h"
#include "debug/own_stack.h"
#include "debug/symbol.h"
#include "sched/current.h"
#include "sched/park.h"
#include "sched/probes.h"
#include "sched/schedule.h"
#include "sched/timer.h"
#include "sched/upcalls.h"
#include "sys/clock.h"
#include "sys/sys.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <tuza/errno.h>

// Goroutines that make the deferred calls of a panic; any thread, atomic. For panic_settle.
static uint32_t goroutines_panicking;

// A guess: as long as the end of a run waits for whoever is running.
static const int64_t SETTLE_LIMIT = TUZA_SECOND;

static const char nil_dereference[] =
	"runtime error: invalid memory address or nil pointer dereference";

// ---- the list of deferred calls --------------------------------------------------------------

EXPORT void tuza_defer_push_(tuza_defer_record *record)
{
	struct goroutine *g = goroutine_current();

	record->outer = g->defers;
	record->owner = g;
	g->defers = record;
}

static ALWAYS_INLINE void defer_call(struct goroutine *g, tuza_defer_record *record)
{
	g->defers = record->outer;
	if (unlikely(!record->fn))
		tuza_panic("%s", nil_dereference); // P1: when it is made, not when it is deferred
	((void (*)(uintptr_t))record->fn)(record->arg);
}

EXPORT void tuza_defer_run_(tuza_defer_record *record)
{
	struct goroutine *g = record->owner;

	if (unlikely(g->defers != record))
		panic_defer_lost();
	defer_call(g, record);
}

void panic_defer_lost(void) { fatal("tuza: longjmp over a TUZA_DEFER"); }

// ---- panics ----------------------------------------------------------------------------------

void panic_set_state(struct goroutine *g, struct panic_state *p)
{
	uint32_t flags = g->flags & ~(uint32_t)(GOROUTINE_PANICKING | GOROUTINE_EXITING);

	g->panics = p;
	for (; p; p = p->older)
		flags |= p->is_exit ? GOROUTINE_EXITING : GOROUTINE_PANICKING;
	// Relaxed: a hint for panic_settle.
	if (flags & ~g->flags & GOROUTINE_PANICKING)
		add_relaxed(&goroutines_panicking, 1);
	else if (~flags & g->flags & GOROUTINE_PANICKING)
		sub_relaxed(&goroutines_panicking, 1);
	g->flags = flags;
}

// Whether `p` ends at this try. May turn it into the tuza_goexit in whose way it came.
static bool panic_ends_at(struct goroutine *g, struct panic_state *p, const struct try_frame *try)
{
	if (p->is_exit || (p->fault.signal && !(try->flags & TUZA_RECOVER_FAULTS)))
		return false;
	for (struct panic_state *older = p->older; older != try->panics; older = older->older) {
		if (older->is_exit) {
			p->is_exit = true;
			panic_set_state(g, p);
			return false;
		}
	}
	return true;
}

// Makes the deferred calls. Returns the try that contains the panic, or NULL when no frame is left.
static struct try_frame *panic_run_defers(struct goroutine *g, struct panic_state *p)
{
	for (;;) {
		struct try_frame *try = g->tries;

		if (try && g->defers == try->defers) {
			if (panic_ends_at(g, p, try))
				return try;
			g->tries = try->outer;
		} else if (g->defers) {
			defer_call(g, g->defers);
		} else {
			return NULL;
		}
	}
}

const char *panic_contained_text(const struct goroutine *g)
{
	const struct panic_state *p = g->panics;

	if (!p || p->is_exit || !try_find(g, p->fault.signal != 0))
		return NULL;
	return p->message;
}

// "panic: first", and below, indented, those that superseded it.
static void write_panics(struct writer *w, struct panic_state *newest)
{
	struct panic_state *oldest_first = NULL;

	// In the order in which they are told; the stack is given up anyway.
	while (newest) {
		struct panic_state *older = newest->older;

		newest->older = oldest_first;
		oldest_first = newest;
		newest = older;
	}
	for (struct panic_state *p = oldest_first; p; p = p->older) {
		if (!p->is_exit) {
			writer_text(w, "panic: ");
			die_write_indented(w, p->message);
			writer_text(w, "\n");
			if (p->older)
				writer_text(w, "\t");
		}
		if (!p->older && p->fault.signal)
			die_write_fault(w, &p->fault);
	}
}

static NORETURN void panic_die(struct panic_state *p)
{
	if (die_begin()) {
		struct writer w;

		die_writer(&w);
		write_panics(&w, p);
		writer_text(&w, "\n");
		writer_flush(&w);
	}
	die_with_stacks(false, REPORT_FATAL);
}

struct cleanup_place {
	uintptr_t pc;
	const char *function;
};

// The outermost of the functions at a program counter has the cleanup, or inlined the one that has.
static void keep_function(const struct symbol *s, void *arg)
{
	struct cleanup_place *place = arg;

	if (s->function)
		place->function = s->function;
}

static void find_function(const struct arch_saved *caller, void *arg)
{
	struct cleanup_place *place = arg;

	(void)caller;
	symbol_each((struct backtrace_frame){place->pc, false}, keep_function, place);
}

// Fatal when giving up the frames below `limit` would be silently wrong.
static void panic_check_frames(const void *limit, const char *what)
{
	struct cleanup_place place = {0, "?"};

	if (likely(!cleanups_find_foreign(limit, &place.pc)))
		return;
	own_stack_call(find_function, &place); // symbols need more stack than there may be
	fatal("tuza: %s would skip a C++ destructor or other cleanup of %s", what, place.function);
}

// Makes `p` the newest panic and makes the deferred calls.
static NORETURN void panic_raise(struct goroutine *g, struct panic_state *p)
{
	struct try_frame *try = try_find(g, p->fault.signal != 0);

	if (p->is_exit)
		panic_check_frames(NULL, "tuza_goexit");
	else if (try)
		panic_check_frames(try, "a panic inside tuza_try");
	if (try && try->info && !p->is_exit) {
		struct writer w;

		writer_to_text(&w, try->info->message, sizeof(try->info->message));
		writer_text(&w, p->message);
		report_stack_text(try->info->stack, sizeof(try->info->stack), 0);
	}
	if (events_are_for(EVENTS_FOR_PROBES) && !p->is_exit)
		probes_panicking(g, p->message);
	p->older = g->panics;
	panic_set_state(g, p);
	try = panic_run_defers(g, p);
	errno = p->saved_errno;
	if (try)
		try_land(g, try);
	if (!p->is_exit)
		panic_die(p);
	panic_set_state(g, NULL);
	while (g->blocking > 0)
		tuza_blocking_end();
	goroutine_finish();
}

EXPORT void tuza_panic(const char *format, ...)
{
	struct panic_state p = {.saved_errno = errno};
	char message[PANIC_MESSAGE_BYTES];
	va_list arguments;

	if (!format)
		format = "panic called with nil argument"; // P5
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	p.message = message;
	panic_raise(goroutine_current(), &p);
}

const char *panic_fault_text(const struct fault *fault)
{
	if (fault->signal != SIGFPE)
		return nil_dereference;
	if (fault->code == FPE_INTDIV)
		return "runtime error: integer divide by zero";
	if (fault->code == FPE_INTOVF)
		return "runtime error: integer overflow";
	return "runtime error: floating point error";
}

void panic_fault(const struct fault *fault)
{
	struct panic_state p = {.fault = *fault, .saved_errno = errno};

	p.message = panic_fault_text(fault);
	panic_raise(goroutine_current(), &p);
}

EXPORT void tuza_goexit(void)
{
	struct goroutine *g = goroutine_current();
	struct panic_state p = {.is_exit = true, .saved_errno = errno};

	if (g->flags & GOROUTINE_THREAD)
		tuza_panic("tuza_goexit on a thread that is no goroutine");
	panic_raise(g, &p);
}

/*
 * Go: src/runtime/proc.go, main: 1,000 turns. They are over in less than a time slice of the
 * kernel's, in which the thread that panics may have no CPU: so time counts here.
 */
void panic_settle(void)
{
	int64_t deadline = 0;

	// Relaxed: a hint; a panic that begins later is too late in Go as well.
	while (load_relaxed(&goroutines_panicking) != 0) {
		int64_t now = sys_clock_now();

		if (deadline == 0)
			deadline = now + SETTLE_LIMIT;
		if (now >= deadline)
			break;
		yield_to_others();
		sys_yield();
	}
	die_await_other();
}
