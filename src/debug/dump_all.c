// SPDX-License-Identifier: MIT
/*
 * All goroutines as text, and the lock that keeps two reports apart.
 *
 * An ordinary dump first takes a snapshot (each goroutine is held for some microseconds), then
 * orders and writes it. All that in a blocking section: whoever reads the other end of a pipe may
 * be a goroutine. A fatal one writes each goroutine as it finds it, so that what was written stays
 * if the rest is in ruins.
 *
 * Lock: report_word, taken after inspect_each's, never with a runtime lock held.
 */
#define _GNU_SOURCE // gettid
#include "debug/dump.h"

#include "base/atomic.h"
#include "base/race_hooks.h"
#include "debug/ask.h"
#include "debug/own_stack.h"
#include "debug/snapshot.h"
#include "sched/blocking.h"
#include "sched/current.h"
#include "sched/timer.h"
#include "sys/clock.h"
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>
#include <unistd.h>

// ---- the lock --------------------------------------------------------------------------------

// In which a report goes on, or its thread runs; else its reader does not read. Guesses, both.
static const int64_t FATAL_PATIENCE = 2 * TUZA_SECOND;
static const int64_t FATAL_PATIENCE_MOST = 20 * TUZA_SECOND;

static uint32_t report_word;           // 0 free, 1 held, 2 held and somebody may sleep
static uint32_t report_closed;         // any thread, atomic: 1 while none but a fatal one begins
static const void *report_owner;       // the holder's mark; any thread may compare it with its own
static int report_thread;              // the holder's id, atomic; others look at it
static unsigned report_depth;          // holder only
static bool report_reopens;            // holder only: with its end others begin again
static char report_buffer[4096] APART; // holder only

// An address that only this thread has.
static NOINLINE const void *thread_mark(void)
{
	static __thread char mark;

	return &mark;
}

// False: it is too late.
static bool lock_word(int64_t deadline)
{
	uint32_t expected = 0;

	// (report) pairs with unlock_word: the last holder is done with the buffer.
	if (cas_acquire(&report_word, &expected, 1))
		return true;
	// (report) as above. 2, because somebody else may sleep as well.
	while (exchange_acquire(&report_word, 2) != 0)
		if (sys_futex_wait(&report_word, 2, deadline) == -ETIMEDOUT)
			return false;
	return true;
}

static void unlock_word(void)
{
	// (report) pairs with the acquires in lock_word.
	if (exchange_release(&report_word, 0) == 2)
		sys_futex_wake(&report_word, 1);
}

// Until it is its turn, or taken from a holder that will find another mark.
static void lock_fatal(void)
{
	int64_t most = sys_clock_now() + FATAL_PATIENCE_MOST;

	// Who misses it is waited for.
	store_relaxed(&report_closed, 1);
	uint32_t seen, now = load_relaxed(&writer_flushes); // a hint, as the others here
	do {
		if (lock_word(sys_clock_now() + FATAL_PATIENCE))
			break;
		seen = now;
		now = load_relaxed(&writer_flushes);
	} while (sys_clock_now() < most &&
		 (now != seen || !sys_thread_sleeps(load_relaxed(&report_thread))));
	report_reopens = true;
}

// Those who write report after report would not let a fatal one have its turn.
static void lock_ordinary(void)
{
	for (;;) {
		while (load_relaxed(&report_closed)) // a hint
			(void)sys_futex_wait(&report_closed, 1, INT64_MAX);
		(void)lock_word(INT64_MAX);
		if (!load_relaxed(&report_closed)) // the same
			break;
		unlock_word();
	}
	report_reopens = false;
}

void report_lock(unsigned flags)
{
	// Relaxed: only this thread ever stores its own mark.
	if (load_relaxed(&report_owner) == thread_mark()) {
		report_depth++;
		return;
	}
	if (flags & REPORT_FATAL)
		lock_fatal();
	else
		lock_ordinary();
	store_relaxed(&report_owner, thread_mark());
	store_relaxed(&report_thread, gettid()); // a hint
	report_depth = 1;
	race_acquire(&report_word);
}

void report_unlock(void)
{
	if (load_relaxed(&report_owner) != thread_mark() || --report_depth > 0)
		return;
	race_release(&report_word);
	store_relaxed(&report_owner, NULL); // ordered by the release in unlock_word
	bool reopens = report_reopens;
	if (reopens)
		store_relaxed(&report_closed, 0); // as above
	unlock_word();
	if (reopens)
		sys_futex_wake(&report_closed, INT_MAX);
}

// ---- writing ---------------------------------------------------------------------------------

struct report {
	int fd;
	unsigned flags;
	uint64_t skip_id;
	struct snapshot snapshot;
	// while it is written
	struct writer w;
	struct ask_patience patience;
	bool has_predecessor; // a goroutine stands above: a blank line separates
};

static void separate(struct report *r)
{
	if (r->has_predecessor)
		writer_text(&r->w, "\n");
	r->has_predecessor = true;
}

static void write_snapshot(const struct arch_saved *caller, void *arg)
{
	struct report *r = arg;

	(void)caller;
	for (struct snapshot_record *g = r->snapshot.records; g; g = g->next) {
		if (g->i.id == r->skip_id)
			continue;
		separate(r);
		report_goroutine(&r->w, &g->i, g->has_stack ? &g->b : NULL, r->flags);
	}
	if (r->snapshot.left_out > 0) {
		separate(r);
		writer_text(&r->w, "...");
		writer_number(&r->w, r->snapshot.left_out);
		writer_text(&r->w, " goroutines left out: out of memory...\n");
	}
	writer_flush(&r->w);
}

static void write_fatal_one(const struct inspected *i, void *arg)
{
	struct report *r = arg;
	struct asked asked;
	const struct backtrace *b = NULL;

	if (i->is_current || i->id == r->skip_id)
		return;
	separate(r);
	if (i->context) {
		backtrace_context(&asked.b, i->context);
		b = &asked.b;
	} else if (inspect_runs(i) && ask_running(i, &r->patience, &asked, r->flags)) {
		b = &asked.b;
	}
	report_goroutine(&r->w, i, b, r->flags);
	writer_flush(&r->w);
}

static void write_fatal(const struct arch_saved *caller, void *arg)
{
	(void)caller;
	inspect_each_unlocked(write_fatal_one, arg);
}

static void report_start(struct report *r)
{
	report_lock(r->flags);
	writer_to_fd(&r->w, r->fd, report_buffer, sizeof(report_buffer));
	r->has_predecessor = r->flags & REPORT_CONTINUES;
	if (!(r->flags & REPORT_FATAL))
		report_seed(&r->w);
}

static void report_all_fatal(struct report *r)
{
	struct goroutine *me = goroutine_current_or_null();

	report_start(r);
	if (me && me->id != r->skip_id) {
		separate(r);
		report_current(&r->w, r->flags);
		writer_flush(&r->w);
	}
	if (r->flags & REPORT_INTERRUPTED)
		write_fatal(NULL, r);
	else
		own_stack_call(write_fatal, r);
	report_unlock();
}

static void report_all_ordinary(struct report *r)
{
	bool is_section = blocking_section_begin();
	snapshot_take(&r->snapshot, NULL, NULL);
	report_start(r);
	own_stack_call(write_snapshot, r);
	report_unlock();
	snapshot_free(&r->snapshot);
	blocking_section_end(is_section);
}

void report_all(int fd, unsigned flags, uint64_t skip_id)
{
	struct report r = {.fd = fd, .flags = flags, .skip_id = skip_id};

	if (flags & REPORT_FATAL)
		report_all_fatal(&r);
	else
		report_all_ordinary(&r);
}

EXPORT void tuza_dump(int fd) { report_all(fd, 0, 0); }

EXPORT size_t tuza_stack(char *buffer, size_t n)
{
	return n > 0 ? report_stack_text(buffer, n, 0) : 0;
}
