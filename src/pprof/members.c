// SPDX-License-Identifier: MIT
/*
 * What the live page asks for on a click: who is in a group, which are leaked, and one goroutine as
 * dumps have it.
 */
#include "pprof/pages.h"

#include "debug/dump.h"
#include "debug/leak_scan.h"
#include "debug/snapshot.h"
#include "pprof/collect.h"
#include "pprof/groups.h"
#include "pprof/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>

enum {
	MEMBERS_SHOWN = 100,
	DUMP_BYTES = 64 << 10, // of one goroutine: a hundred frames and more
};

// ---- members of a group ------------------------------------------------------------------------

struct member {
	uint64_t id, creator_id;
	enum goroutine_state state;
	int64_t age;
	char name[GROUP_TEXT_BYTES], labels[GROUP_TEXT_BYTES];
};

struct members {
	struct page *page;
	uint64_t group;
	uint64_t seen;
	uint32_t count;
	struct member oldest[MEMBERS_SHOWN]; // first
};

static void take_member(const struct inspected *i, struct group *g, void *arg)
{
	struct members *m = arg;
	uint32_t at;

	if (g->hash != m->group)
		return;
	m->seen++;
	for (at = m->count; at > 0 && m->oldest[at - 1].age < i->waiting_ns; at--)
		;
	if (at == MEMBERS_SHOWN)
		return;
	if (m->count < MEMBERS_SHOWN)
		m->count++;
	memmove(&m->oldest[at + 1], &m->oldest[at], (m->count - 1 - at) * sizeof(struct member));
	m->oldest[at] = (struct member){
		.id = i->id, .creator_id = i->creator_id, .state = i->state, .age = i->waiting_ns};
	group_copy_text(m->oldest[at].name, i->name);
	group_copy_text(m->oldest[at].labels, i->labels);
}

static void put_members(const struct arch_saved *caller, void *arg)
{
	static const char *const states[] = {"dead", "runnable", "running", "waiting", "blocked"};
	struct members *m = arg;
	struct bytes *b = &m->page->body;
	struct groups all;

	(void)caller;
	groups_look(&all, take_member, m);
	groups_end(&all);
	bytes_text(b, "{");
	json_hex(b, "id", m->group);
	json_uint(b, "count", m->seen);
	json_uint(b, "left_out", m->seen - m->count);
	json_key(b, "goroutines");
	bytes_text(b, "[");
	for (uint32_t i = 0; i < m->count; i++) {
		const struct member *one = &m->oldest[i];

		json_separate(b);
		bytes_text(b, "{");
		json_uint(b, "id", one->id);
		json_uint(b, "creator", one->creator_id);
		json_member(b, "state", states[one->state], 20);
		json_uint(b, "age_ns", (uint64_t)one->age);
		json_member(b, "name", one->name, GROUP_TEXT_BYTES);
		json_member(b, "labels", one->labels, GROUP_TEXT_BYTES);
		bytes_text(b, "}");
	}
	bytes_text(b, "]}\n");
}

// The number behind "group=", as JSON has it.
static uint64_t query_group(const char *query)
{
	const char *at = strstr(query, "group=");

	return at ? strtoull(at + strlen("group="), NULL, 16) : 0;
}

void page_members(struct page *p, const struct page_request *r)
{
	struct members *m = calloc(1, sizeof(*m));

	p->type = PAGE_JSON;
	if (!m) {
		p->body.failed = true;
		return;
	}
	m->page = p;
	m->group = query_group(r->query);
	tuza_blocking_begin();
	pprof_look_up(put_members, m);
	tuza_blocking_end();
	free(m);
}

// ---- the leaked --------------------------------------------------------------------------------

struct leaks {
	struct page *page;
	struct scan_leaked leaked;
	uint64_t marked;
};

static void mark_leaked(const struct inspected *i, struct group *g, void *arg)
{
	struct leaks *l = arg;

	if (!scan_leaked_has(&l->leaked, i->id))
		return;
	group_mark_leaked(g);
	l->marked++;
}

static void put_leaks(const struct arch_saved *caller, void *arg)
{
	struct leaks *l = arg;
	struct bytes *b = &l->page->body;
	struct groups all;
	int error = leak_scan_take(&l->leaked, caller);

	if (error == 0) {
		groups_look(&all, mark_leaked, l);
		groups_end(&all);
		bytes_text(b, "{");
		json_uint(b, "leaked", l->marked);
		json_uint(b, "looked_at", l->leaked.candidates);
		json_uint(b, "stopped_ns", (uint64_t)l->leaked.stopped_ns);
		bytes_text(b, "}\n");
	} else {
		page_error(l->page, 500,
			error == -EBUSY    ? "the program handles the signal that stops threads"
			: error == -EAGAIN ? "the runtime is in the midst of changes: once more"
					   : "no memory for the scan");
	}
	scan_leaked_free(&l->leaked);
}

void page_leaks(struct page *p, const struct page_request *r)
{
	struct leaks l = {.page = p};

	(void)r;
	p->type = PAGE_JSON;
	tuza_blocking_begin();
	pprof_look_up(put_leaks, &l);
	tuza_blocking_end();
}

// ---- one goroutine -----------------------------------------------------------------------------

struct one {
	uint64_t id;
	unsigned flags;
	struct snapshot snapshot;
	struct bytes *b;
};

static bool is_wanted(const struct inspected *i, void *arg)
{
	const struct one *o = arg;

	return i->id == o->id && !(i->g->flags & GOROUTINE_THREAD);
}

static void put_goroutine(const struct arch_saved *caller, void *arg)
{
	struct one *o = arg;
	char *text = malloc(DUMP_BYTES);
	struct writer w;

	(void)caller;
	if (!text) {
		o->b->failed = true;
		return;
	}
	writer_to_text(&w, text, DUMP_BYTES);
	for (const struct snapshot_record *r = o->snapshot.records; r; r = r->next)
		report_goroutine(&w, &r->i, r->has_stack ? &r->b : NULL, o->flags);
	bytes_put(o->b, text, w.length);
	free(text);
}

void page_goroutine(struct page *p, const struct page_request *r)
{
	struct one o = {.b = &p->body};
	int64_t id = 0, all = 0;

	page_query_number(r, "id", &id);
	page_query_number(r, "all", &all);
	o.id = (uint64_t)id;
	o.flags = all ? REPORT_RUNTIME_FRAMES : 0;
	tuza_blocking_begin();
	snapshot_take(&o.snapshot, is_wanted, &o);
	pprof_look_up(put_goroutine, &o);
	snapshot_free(&o.snapshot);
	tuza_blocking_end();
	if (p->body.length == 0 && !p->body.failed)
		page_error(p, 404, "no such goroutine lives");
}
