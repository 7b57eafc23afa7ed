// SPDX-License-Identifier: MIT
/*
 * Grouping the blocked, and tuza_blocked_write.
 *
 * A place is told by the innermost frame that is not the runtime's own, by its address alone: no
 * name is looked up before something is written. In programs that link the library's objects one by
 * one every frame counts as the program's, so there the runtime's function is the place.
 */
#include "debug/blocked.h"

#include "debug/dump.h"
#include "debug/own_stack.h"
#include "debug/symbol.h"
#include "sched/contention.h"
#include "sched/current.h"

#include <errno.h>
#include <tuza/debug.h>
#include <tuza/goroutine.h>

bool blocked_by_others(enum wait_reason reason)
{
	return reason == WAIT_CHAN_RECV_NIL || reason == WAIT_CHAN_SEND_NIL || // for ever
	       reason == WAIT_SELECT_NONE || contention_is_reason(reason);
}

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

static struct blocked_site *site_for(struct blocked_sites *b, struct blocked_site **buckets,
	const struct snapshot_record *r, uintptr_t pc)
{
	struct blocked_site **bucket = &buckets[(pc ^ pc >> 8 ^ r->i.reason) % BUCKETS], *s;

	for (s = *bucket; s; s = s->next)
		if (s->pc == pc && s->reason == r->i.reason)
			return s;
	s = snapshot_room(&b->snapshot, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct blocked_site){.next = *bucket,
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

static void count(struct blocked_site *s, const struct snapshot_record *r)
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

static bool is_before(const struct blocked_site *a, const struct blocked_site *b)
{
	return a->count != b->count ? a->count > b->count : a->oldest_ns > b->oldest_ns;
}

void blocked_sites_take(struct blocked_sites *b, int64_t age)
{
	struct blocked_site *buckets[BUCKETS] = {NULL};

	*b = (struct blocked_sites){.sites = NULL};
	snapshot_take(&b->snapshot, wants, &age);
	b->count = b->snapshot.left_out;
	for (const struct snapshot_record *r = b->snapshot.records; r; r = r->next) {
		struct blocked_site *s = site_for(b, buckets, r, place_of(r));

		b->count++;
		if (s)
			count(s, r);
	}
	// By insertion: places are few.
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct blocked_site *s = buckets[i], *next; s; s = next) {
			struct blocked_site **at = &b->sites;

			next = s->next;
			while (*at && !is_before(s, *at))
				at = &(*at)->next;
			s->next = *at;
			*at = s;
		}
}

void blocked_sites_free(struct blocked_sites *b) { snapshot_free(&b->snapshot); }

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

void blocked_site_write(struct writer *w, const struct blocked_site *s)
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
	const struct blocked_sites *sites;
};

static void write_all(const struct arch_saved *caller, void *arg)
{
	const struct writing *writing = arg;
	const struct blocked_sites *b = writing->sites;
	struct writer w;
	char buffer[512];

	(void)caller;
	writer_to_fd(&w, writing->fd, buffer, sizeof(buffer));
	writer_number(&w, b->count);
	writer_text(&w, b->count == 1 ? " goroutine blocked, at " : " goroutines blocked, at ");
	writer_number(&w, b->site_count);
	writer_text(&w, b->site_count == 1 ? " place\n" : " places\n");
	for (const struct blocked_site *s = b->sites; s; s = s->next) {
		writer_text(&w, "\n");
		blocked_site_write(&w, s);
	}
	writer_flush(&w);
}

EXPORT int tuza_blocked_write(int fd, int64_t age)
{
	struct goroutine *me = goroutine_current_or_null();
	bool is_goroutine = me && !(me->flags & GOROUTINE_THREAD);
	struct blocked_sites b;

	if (fd < 0)
		return -EBADF;
	// Neither call returns at the end of tuza_run: what lies between leaves nothing behind.
	if (is_goroutine)
		tuza_blocking_begin();
	blocked_sites_take(&b, age);
	report_lock(0);
	own_stack_call(write_all, &(struct writing){fd, &b});
	report_unlock();
	blocked_sites_free(&b);
	if (is_goroutine)
		tuza_blocking_end();
	return 0;
}
