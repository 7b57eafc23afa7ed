// SPDX-License-Identifier: MIT
/*
 * Where goroutines are blocked (tuza_blocked_write): one group for all that wait for the same
 * reason at the same place of the program, the largest group first. Thousands that have waited for
 * long at one place are most likely leaked there (LeakProf's observation).
 *
 * A place is told by the innermost frame that is not the runtime's own, by its address alone: no
 * name is looked up before something is written. In programs that link the library's objects one by
 * one every frame counts as the program's, so there the runtime's function is the place.
 */
#include "debug/blocked.h"

#include "debug/dump.h"
#include "debug/own_stack.h"
#include "debug/snapshot.h"
#include "debug/symbol.h"
#include "debug/writer.h"
#include "sched/blocking.h"
#include "sched/contention.h"

#include <errno.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>

bool blocked_by_others(enum wait_reason reason)
{
	return reason == WAIT_CHAN_RECV_NIL || reason == WAIT_CHAN_SEND_NIL || // for ever
	       reason == WAIT_SELECT_NONE || contention_is_reason(reason);
}

struct site {
	struct site *next;
	enum wait_reason reason;
	uintptr_t pc; // return address in the program's innermost function; 0: unknown
	uint64_t count;
	int64_t oldest_ns, youngest_ns;        // how long they have been waiting
	const struct snapshot_record *longest; // the one that waits longest, to be shown
	uintptr_t creation_pc;                 // the go statement of one of them
	bool creation_is_many;                 // others have another
};

struct sites {
	struct site *sites;       // by falling count, then by age
	size_t site_count;        // groups
	uint64_t count;           // goroutines in them
	struct snapshot snapshot; // what they lie in
};

// ---- grouping --------------------------------------------------------------------------------

static bool wants(const struct inspected *i, void *age)
{
	return !i->is_current && !(i->g->flags & GOROUTINE_THREAD) &&
	       i->state == GOROUTINE_WAITING && blocked_by_others(i->reason) &&
	       i->waiting_ns >= *(const int64_t *)age;
}

static uintptr_t place_of(const struct snapshot_record *r)
{
	if (!r->has_stack)
		return 0;
	for (uint32_t i = 0; i < r->b.count; i++)
		if (!symbol_is_runtime(r->b.frames[i].pc - r->b.frames[i].is_return))
			return r->b.frames[i].pc;
	return r->b.count > 0 ? r->b.frames[0].pc : 0;
}

// A power of two; a guess. Places are few.
enum { BUCKETS = 256 };

static struct site *site_for(
	struct sites *b, struct site **buckets, const struct snapshot_record *r, uintptr_t pc)
{
	struct site **bucket = &buckets[(pc ^ pc >> 8 ^ r->i.reason) % BUCKETS], *s;

	for (s = *bucket; s; s = s->next)
		if (s->pc == pc && s->reason == r->i.reason)
			return s;
	s = snapshot_room(&b->snapshot, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct site){.next = *bucket,
		.reason = r->i.reason,
		.pc = pc,
		.youngest_ns = INT64_MAX,
		.oldest_ns = -1,
		.creation_pc = r->i.creation_pc};
	snapshot_keep(&b->snapshot, (char *)(s + 1));
	*bucket = s;
	b->site_count++;
	return s;
}

static void count(struct site *s, const struct snapshot_record *r)
{
	s->count++;
	if (r->i.waiting_ns > s->oldest_ns) {
		s->oldest_ns = r->i.waiting_ns;
		s->longest = r;
	}
	if (r->i.waiting_ns < s->youngest_ns)
		s->youngest_ns = r->i.waiting_ns;
	if (r->i.creation_pc != s->creation_pc)
		s->creation_is_many = true;
}

static bool is_before(const struct site *a, const struct site *b)
{
	return a->count != b->count ? a->count > b->count : a->oldest_ns > b->oldest_ns;
}

/*
 * Groups all goroutines that have been waiting for at least `age` ns: on channels, selects, locks,
 * conditions, groups, semaphores and joins. Sleep and I/O end by themselves or by others: they are
 * not among them, nor are threads.
 *
 * From any goroutine or thread, as snapshot_take, which the caller frees. Ages are those of the
 * coarse clock.
 */
static void take(struct sites *b, int64_t age)
{
	struct site *buckets[BUCKETS] = {NULL};

	*b = (struct sites){.sites = NULL};
	snapshot_take(&b->snapshot, wants, &age);
	b->count = b->snapshot.left_out;
	for (const struct snapshot_record *r = b->snapshot.records; r; r = r->next) {
		struct site *s = site_for(b, buckets, r, place_of(r));

		b->count++;
		if (s)
			count(s, r);
	}
	// By insertion: places are few.
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct site *s = buckets[i], *next; s; s = next) {
			struct site **at = &b->sites;

			next = s->next;
			while (*at && !is_before(s, *at))
				at = &(*at)->next;
			s->next = *at;
			*at = s;
		}
}

// ---- writing ---------------------------------------------------------------------------------

// "3m12s", "250ms": as many digits as a reader wants.
static void write_age(struct writer *w, int64_t ns)
{
	uint64_t ms = (uint64_t)ns / 1000000, s = ms / 1000;

	if (s >= 3600) {
		writer_number(w, s / 3600);
		writer_text(w, "h");
		writer_number(w, s / 60 % 60);
		writer_text(w, "m");
	} else if (s >= 60) {
		writer_number(w, s / 60);
		writer_text(w, "m");
		writer_number(w, s % 60);
		writer_text(w, "s");
	} else {
		writer_number(w, s > 0 ? s : ms);
		writer_text(w, s > 0 ? "s" : "ms");
	}
}

/*
 * One group as text: how many, why, since when, and the stack of the one that waits longest. Needs:
 * the report lock, and a stack with 20 KiB to spare.
 */
static void write_site(struct writer *w, const struct site *s)
{
	writer_number(w, s->count);
	writer_text(w, s->count == 1 ? " goroutine [" : " goroutines [");
	writer_text(w, wait_reason_text(s->reason));
	writer_text(w, "] for ");
	if (s->count > 1) {
		write_age(w, s->youngest_ns);
		writer_text(w, " to ");
	}
	write_age(w, s->oldest_ns);
	if (s->creation_is_many)
		writer_text(w, ", created at several places");
	writer_text(w, "; the longest:\n");
	report_goroutine(w, &s->longest->i, s->longest->has_stack ? &s->longest->b : NULL, 0);
}

struct writing {
	int fd;
	const struct sites *sites;
};

static void write_all(const struct arch_saved *caller, void *arg)
{
	const struct writing *writing = arg;
	const struct sites *b = writing->sites;
	struct writer w;
	char buffer[512];

	(void)caller;
	writer_to_fd(&w, writing->fd, buffer, sizeof(buffer));
	writer_number(&w, b->count);
	writer_text(&w, b->count == 1 ? " goroutine blocked, at " : " goroutines blocked, at ");
	writer_number(&w, b->site_count);
	writer_text(&w, b->site_count == 1 ? " place\n" : " places\n");
	for (const struct site *s = b->sites; s; s = s->next) {
		writer_text(&w, "\n");
		write_site(&w, s);
	}
	writer_flush(&w);
}

EXPORT int tuza_blocked_write(int fd, tuza_duration age)
{
	struct sites b;

	if (fd < 0)
		return -EBADF;
	bool is_section = blocking_section_begin();
	take(&b, age);
	report_lock(0);
	own_stack_call(write_all, &(struct writing){fd, &b});
	report_unlock();
	snapshot_free(&b.snapshot);
	blocking_section_end(is_section);
	return 0;
}
