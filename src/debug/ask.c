// SPDX-License-Identifier: MIT
/*
 * One question at a time: its words lie in `ask`, and the answer, too.
 *
 *   IDLE ─▶ ASKED ─▶ ANSWERING ─▶ ANSWERED ─▶ IDLE       (ask.word, with the question's number)
 *             └──────── too late ─────────────▶ IDLE
 *
 * The handler of the thread that is asked swaps ASKED to ANSWERING, and from then on the answer is
 * its own; who asked swaps ASKED to IDLE when it has waited enough. So a handler that comes too
 * late finds another word, or another number, and does nothing. One that stops midway (its thread
 * gets no CPU) is waited for; if it is as good as dead, nobody is asked any more.
 *
 * Rejected: asking all threads at once (a goroutine moves on meanwhile, and a hundred threads are
 * interrupted for the one that matters); ptrace (needs another process).
 *
 * Go: src/runtime/mprof.go stops the world instead.
 */
#define _GNU_SOURCE
#include "debug/ask.h"

#include "arch_signal.h"
#include "base/race_hooks.h"
#include "debug/dump.h"
#include "debug/profile_signal.h"
#include "debug/unwind.h"
#include "sched/timer.h"
#include "sched/goroutine_extra.h"
#include "sys/clock.h"
#include "sys/profile.h"
#include "sys/sys.h"
#include "sys/valgrind.h"

#include <string.h>

// A guess: twice a time slice of Linux's scheduler.
static const int64_t ANSWER_LIMIT = 20 * TUZA_MILLISECOND;
// One that has begun to answer: it only lacks a CPU.
static const int64_t ANSWERING_LIMIT = TUZA_SECOND;
// All who do not answer, of one look at goroutines.
static const int64_t LOOK_LIMIT = 200 * TUZA_MILLISECOND;
static const int TRIES = 3; // it may be on its way to another thread

enum { IDLE, ASKED, ANSWERING, ANSWERED, STATES };

static void handle(const siginfo_t *info, const ucontext_t *context);

static struct profile_signal ask_signal = {.handle = handle};

static struct {
	// any thread, atomic
	uint32_t lock;   // 1: somebody asks
	uint32_t word;   // number * STATES + state; futex
	uint32_t broken; // somebody began to answer and never ended

	// who asks, while IDLE; who is asked, while ANSWERING
	const struct goroutine *g;
	uint64_t id;
	int thread; // atomic: any thread may look whether it is the one
	bool is_there;
	struct asked answer;
} ask;

// ---- in the handler ----------------------------------------------------------------------------

static bool stands_on_its_stack(const struct goroutine *g, const ucontext_t *context)
{
	struct stack_bounds b;
	uintptr_t sp = arch_signal_sp(context);

	return inspect_running_stack(g, &b) && sp >= (uintptr_t)b.low && sp < (uintptr_t)b.top;
}

// A deep stack's outer frames are left out: the walk is bounded by the room for it.
static void fill(struct asked *a, const struct goroutine *g, const ucontext_t *context)
{
	const char *labels = goroutine_extra_labels(g);
	size_t n = 0;

	a->b.count = unwind_interrupted(context, a->b.frames, BACKTRACE_MAX);
	a->b.elided = 0;
	a->b.is_cut = false;
	// Relaxed: the goroutine's own thread is here. A text that it was changing ends with 0.
	for (; n < ASK_LABELS_BYTES - 1 && load_relaxed(&labels[n]); n++)
		a->labels[n] = load_relaxed(&labels[n]); // as above
	a->labels[n] = 0;
}

static void handle(const siginfo_t *info, const ucontext_t *context)
{
	const struct goroutine *g = goroutine_current_or_null();
	// (ask) pairs with the store in put_question: what is asked is seen.
	uint32_t seen = load_acquire(&ask.word);

	(void)info;
	// A signal that comes too late may find another question, or the next one; relaxed: if so
	// the cas fails.
	if (seen % STATES != ASKED || load_relaxed(&ask.thread) != sys_thread_id())
		return;
	// (ask) as above
	if (!cas_acquire(&ask.word, &seen, seen - ASKED + ANSWERING))
		return;
	ask.is_there = g && g == ask.g && g->id == ask.id && stands_on_its_stack(g, context);
	if (ask.is_there)
		fill(&ask.answer, g, context);
	// (ask) pairs with the load in wait_for_answer: the answer is complete.
	store_release(&ask.word, seen - ASKED + ANSWERED);
	sys_futex_wake(&ask.word, 1);
}

// ---- who asks ----------------------------------------------------------------------------------

static uint32_t put_question(const struct inspected *i, int thread)
{
	uint32_t number = load_relaxed(&ask.word) / STATES + 1; // under ask.lock

	ask.g = i->g;
	ask.id = i->id;
	store_relaxed(&ask.thread, thread); // ordered by the release below
	// (ask) pairs with the cas in handle.
	store_release(&ask.word, number * STATES + ASKED);
	return number * STATES;
}

// Whether there is an answer. The question is over then, or else nobody is asked any more.
static bool wait_for_answer(uint32_t base, int64_t limit)
{
	int64_t deadline = sys_clock_now() + limit;
	uint32_t seen;

	// (ask) pairs with the store in handle.
	while ((seen = load_acquire(&ask.word)) != base + ANSWERED) {
		uint32_t asked = base + ASKED;

		if (sys_clock_now() < deadline) {
			sys_futex_wait(&ask.word, seen, deadline);
		} else if (seen == base + ANSWERING) {
			if (limit == ANSWERING_LIMIT) {
				store_relaxed(&ask.broken, 1); // for good
				return false;
			}
			limit = ANSWERING_LIMIT;
			deadline = sys_clock_now() + limit;
		} else if (cas_relaxed(&ask.word, &asked, base + IDLE)) { // nothing to hand over
			return false;
		}
	}
	store_relaxed(&ask.word, base + IDLE); // ours
	return true;
}

static bool ask_thread(const struct inspected *i, int thread, struct ask_patience *p)
{
	uint32_t base = put_question(i, thread);
	int64_t began = sys_clock_now();
	bool is_answered =
		sys_thread_ask(thread, &ask_signal) && wait_for_answer(base, ANSWER_LIMIT);

	if (is_answered)
		return ask.is_there;
	p->spent += sys_clock_now() - began;
	if (load_relaxed(&ask.word) == base + ASKED)   // there is no such thread
		store_relaxed(&ask.word, base + IDLE); // no signal is under way
	return false;
}

static bool may_ask(const struct ask_patience *p)
{
	return !race_is_on() && !RUNNING_ON_VALGRIND && p->spent < LOOK_LIMIT &&
	       !load_relaxed(&ask.broken) && // for good
	       profile_signal_use(&ask_signal) == 0;
}

bool ask_running(const struct inspected *i, struct ask_patience *p, struct asked *a, unsigned flags)
{
	uint32_t nobody = 0;
	bool is_there = false;

	if (!may_ask(p))
		return false;
	// (ask-lock) pairs with the release below. Two reports at a time are rare.
	if (!cas_acquire(&ask.lock, &nobody, 1))
		return false;
	if (!(flags & REPORT_FATAL))
		sys_unwind_refresh();
	for (int tries = TRIES; tries > 0 && !is_there && may_ask(p); tries--) {
		int thread = inspect_thread_of(i->g, flags & REPORT_FATAL);

		if (thread != 0 && sys_thread_may_be_asked(thread))
			is_there = ask_thread(i, thread, p);
	}
	if (is_there)
		*a = ask.answer;
	store_release(&ask.lock, 0); // (ask-lock)
	return is_there;
}
