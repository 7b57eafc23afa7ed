// SPDX-License-Identifier: MIT
// After bugs of Hugo.
#include "kernel.h"

// A lock per address in a table under a lock: who waits for the former keeps the latter.
struct h3251 {
	tuza_rwmutex table;
	tuza_mutex url;
	tuza_waitgroup both;
	struct meeting held;
};

static void h3251_first(struct h3251 *s)
{
	lock(&s->url);
	meet(&s->held);
	tuza_rwmutex_rlock(&s->table); // to find the lock again
	unlock(&s->url);
	tuza_rwmutex_runlock(&s->table);
	tuza_waitgroup_done(&s->both);
}

static void h3251_second(struct h3251 *s, bool is_fixed)
{
	tuza_rwmutex_lock(&s->table);
	meet(&s->held);
	if (is_fixed)
		tuza_rwmutex_unlock(&s->table);
	lock(&s->url);
	if (!is_fixed)
		tuza_rwmutex_unlock(&s->table);
	unlock(&s->url);
	tuza_waitgroup_done(&s->both);
}

KERNEL(hugo3251, 3)
{
	struct h3251 *s = NEW(struct h3251);

	expect_two(&s->held);
	tuza_waitgroup_add(&s->both, 2);
	TUZA_GO(h3251_first, s);
	TUZA_GO(h3251_second, s, is_fixed);
	tuza_waitgroup_wait(&s->both);
}

// Rendering a page's content asks for the page's content.
struct h5379 {
	tuza_mutex content_init;
	int depth;
};

static void h5379_content(struct h5379 *page, bool is_fixed)
{
	if (page->depth > 0 && is_fixed)
		return;
	lock(&page->content_init);
	if (page->depth++ == 0)
		h5379_content(page, is_fixed);
	unlock(&page->content_init);
}

KERNEL(hugo5379, 1) { h5379_content(NEW(struct h5379), is_fixed); }
