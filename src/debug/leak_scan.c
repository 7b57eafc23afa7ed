// SPDX-License-Identifier: MIT
/*
 * tuza_leak_scan, TUZA_DEBUG=leakscan, and pointers that the scan cannot see.
 *
 * The picture of those that are leaked is taken after the scan, when all run again: they wait where
 * they have waited.
 */
#include "debug/leak_scan.h"

#include "debug/dump.h"
#include "debug/own_stack.h"
#include "sched/blocking.h"
#include "sched/lock.h"
#include "sched/upcalls.h"
#include "sched/visit.h"
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <tuza/goroutine.h>
#include <tuza/testing.h>
#include <unistd.h>

static uint32_t scanning; // atomic: 1 while somebody scans
static const int64_t NAP = TUZA_MILLISECOND;

// ---- scanning -------------------------------------------------------------------------------

int leak_scan_take(struct scan_leaked *l, const struct arch_saved *caller)
{
	uint32_t nobody = 0;
	int error;

	if (sys_page_bytes == 0)
		sys_init(); // the runtime has not started
	// (scanning) pairs with the release below
	while (!cas_acquire(&scanning, &nobody, 1)) {
		refuse_after_fork();
		nobody = 0;
		sys_sleep(NAP);
	}
	error = scan_leaked_take(l, caller);
	store_release(&scanning, 0); // (scanning)
	return error;
}

struct taking {
	struct scan_leaked leaked;
	int error;
};

static void take(const struct arch_saved *caller, void *arg)
{
	struct taking *t = arg;

	t->error = leak_scan_take(&t->leaked, caller);
}

// snapshot_take's: those that `leaked` has.
static bool wants(const struct inspected *i, void *leaked)
{
	return scan_leaked_has(leaked, i->id);
}

// ---- reporting ------------------------------------------------------------------------------

struct reporting {
	int fd;
	const struct snapshot *snapshot;
};

static void write_report(const struct arch_saved *caller, void *arg)
{
	const struct reporting *r = arg;
	struct writer w;
	char bytes[512];
	const char *separator = "found leaked goroutines:\n";

	(void)caller;
	writer_to_fd(&w, r->fd, bytes, sizeof(bytes));
	for (struct snapshot_record *g = r->snapshot->records; g; g = g->next) {
		writer_text(&w, separator);
		separator = "\n";
		g->i.is_leaked = true;
		report_goroutine(&w, &g->i, g->has_stack ? &g->b : NULL, 0);
	}
	writer_flush(&w);
}

static void report(int fd, struct scan_leaked *l)
{
	struct snapshot s;

	snapshot_take(&s, wants, l);
	report_lock(0);
	own_stack_call(write_report, &(struct reporting){fd, &s});
	report_unlock();
	snapshot_free(&s);
}

EXPORT int tuza_leak_scan(int fd)
{
	int saved_errno = errno, result;
	struct taking t;

	bool is_section = blocking_section_begin();
	own_stack_call(take, &t);
	result = t.error;
	if (result == 0) {
		result = t.leaked.ids.count < INT_MAX ? (int)t.leaked.ids.count : INT_MAX;
		if (result > 0 && fd >= 0)
			report(fd, &t.leaked);
	}
	scan_leaked_free(&t.leaked);
	blocking_section_end(is_section);
	errno = saved_errno;
	return result;
}

int leak_scan_at_end(void) { return tuza_leak_scan(STDERR_FILENO); }

// ---- hidden pointers ------------------------------------------------------------------------

/*
 * Blocks of malloc in a list that begins in static memory: that is all it takes to be reached.
 */
struct leak_root {
	struct leak_root *next;
	const void *address;
};

static struct lock roots_lock;
static struct leak_root *roots; // guarded by roots_lock

EXPORT void tuza_leak_root_add(const void *address)
{
	struct leak_root *root = malloc(sizeof(*root));

	if (!root)
		tuza_panic("tuza: out of memory");
	root->address = address;
	lock_acquire(&roots_lock);
	root->next = roots;
	roots = root;
	lock_release(&roots_lock);
}

EXPORT void tuza_leak_root_remove(const void *address)
{
	struct leak_root **at = &roots, *found;

	lock_acquire(&roots_lock);
	while (*at && (*at)->address != address)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	lock_release(&roots_lock);
	free(found);
}
