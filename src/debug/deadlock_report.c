// SPDX-License-Identifier: MIT
/*
 * The report of goroutines that wait for each other:
 *
 *	found deadlock:
 *	goroutine 7 waits for mutex 0x7f1c3c000b70 of goroutine 9
 *	goroutine 9 waits for mutex 0x7f1c3c000b78 of goroutine 7
 *
 *	goroutine 7 [sync.Mutex.Lock]:
 *	…
 */
#include "base/fatal.h"
#include "debug/dump.h"
#include "debug/own_stack.h"
#include "debug/snapshot.h"
#include "sched/deadlock.h"
#include "sched/upcalls.h"

#include <tuza/goroutine.h>
#include <unistd.h>

static bool is_member(const struct inspected *i, void *deadlock)
{
	const struct deadlock *d = deadlock;

	for (uint32_t k = 0; k < d->count; k++)
		if (d->members[k].id == i->id)
			return true;
	return false;
}

static void write_member(
	struct writer *w, const struct deadlock_member *m, const struct deadlock_member *next)
{
	writer_text(w, "goroutine ");
	writer_number(w, m->id);
	if (m->reason == WAIT_JOIN) {
		writer_text(w, " waits for the end");
	} else {
		writer_text(
			w, m->reason == WAIT_MUTEX ? " waits for mutex " : " waits for rwmutex ");
		writer_hex(w, (uintptr_t)m->object);
	}
	// A writer that waits keeps readers out.
	bool is_behind = m->reason == WAIT_RWMUTEX_R && next->reason == WAIT_RWMUTEX_W &&
			 m->object == next->object;

	writer_text(w, is_behind ? " behind goroutine " : " of goroutine ");
	writer_number(w, next->id);
	writer_text(w, "\n");
}

struct writing {
	const struct deadlock *deadlock;
	const struct snapshot *snapshot;
};

static void write_all(const struct arch_saved *caller, void *arg)
{
	const struct writing *writing = arg;
	const struct deadlock *d = writing->deadlock;
	struct writer w;
	char bytes[512];

	(void)caller;
	writer_to_fd(&w, STDERR_FILENO, bytes, sizeof(bytes));
	writer_text(&w, "found deadlock:\n");
	for (uint32_t i = 0; i < d->count; i++)
		write_member(&w, &d->members[i], &d->members[(i + 1) % d->count]);
	for (const struct snapshot_record *r = writing->snapshot->records; r; r = r->next) {
		writer_text(&w, "\n");
		report_goroutine(&w, &r->i, r->has_stack ? &r->b : NULL, 0);
	}
	writer_flush(&w);
}

void deadlock_report(const struct deadlock *d, bool is_fatal)
{
	struct deadlock copy = *d;
	struct snapshot s;

	// Neither call returns at the end of tuza_run: what lies between leaves nothing behind.
	tuza_blocking_begin();
	snapshot_take(&s, is_member, &copy);
	report_lock(0);
	own_stack_call(write_all, &(struct writing){&copy, &s});
	report_unlock();
	snapshot_free(&s);
	if (is_fatal)
		fatal("goroutines wait for each other - deadlock!");
	tuza_blocking_end();
}
