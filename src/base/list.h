// SPDX-License-Identifier: MIT
/*
 * Intrusive doubly linked list, circular with a head that is itself a link. An unlinked link points
 * at nothing, so "is it in a list?" has an answer without looking at the list.
 */
#ifndef TUZA_BASE_LIST_H
#define TUZA_BASE_LIST_H

#include "base/compiler.h"

struct link {
	struct link *next; // NULL when in no list
	struct link *prev;
};

static ALWAYS_INLINE void list_init(struct link *head) { head->next = head->prev = head; }
static ALWAYS_INLINE bool list_is_empty(const struct link *head) { return head->next == head; }
static ALWAYS_INLINE bool link_is_linked(const struct link *l) { return l->next != NULL; }

static ALWAYS_INLINE void link_insert_between(struct link *l, struct link *prev, struct link *next)
{
	l->prev = prev;
	l->next = next;
	prev->next = l;
	next->prev = l;
}

static ALWAYS_INLINE void list_push_back(struct link *head, struct link *l)
{
	link_insert_between(l, head->prev, head);
}

static ALWAYS_INLINE void list_push_front(struct link *head, struct link *l)
{
	link_insert_between(l, head, head->next);
}

static ALWAYS_INLINE void list_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}

// The first link, removed, or NULL.
static ALWAYS_INLINE struct link *list_pop_front(struct link *head)
{
	struct link *l = head->next;
	if (l == head)
		return NULL;
	list_remove(l);
	return l;
}

#endif
