// SPDX-License-Identifier: MIT
/*
 * Looking for what is left, and remembering what is there.
 *
 * What can be told by numbers is sorted out while a goroutine is held, so that a look at a million
 * that are known costs neither memory nor a walk over their stacks. Names come after that, from the
 * picture.
 *
 * Goroutines' numbers are handed out in batches, so a greater one need not be a younger goroutine:
 * a snapshot has them all.
 */
#include "debug/leak_look.h"

#include "base/atomic.h"
#include "debug/leak_names.h"
#include "debug/own_stack.h"

#include <stdlib.h>
#include <string.h>

enum { MAIN_ID = 1 }; // the goroutine of tuza_run's function

// ---- sources ---------------------------------------------------------------------------------

static struct leak_source *sources; // the newest first; any thread, atomic

void leak_source_add(struct leak_source *source)
{
	struct leak_source *first = load_relaxed(&sources); // the cas has the last word

	do {
		source->next = first;
		// (leak-sources) pairs with the load in each_object: the source is whole.
	} while (!cas_release(&sources, &first, source));
}

static void each_object(struct leak_look *l, leak_found *found)
{
	// (leak-sources) pairs with leak_source_add
	for (struct leak_source *s = load_acquire(&sources); s; s = s->next) {
		l->source = s;
		s->each(found, l);
	}
}

// ---- numbers ---------------------------------------------------------------------------------

static int compare_ids(const void *a, const void *b)
{
	const struct leak_id *x = a, *y = b;

	if (x->source != y->source)
		return (uintptr_t)x->source < (uintptr_t)y->source ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static bool has_id(const tuza_leak_snapshot *s, const struct leak_id *id)
{
	return s && bsearch(id, s->ids, s->count, sizeof(s->ids[0]), compare_ids);
}

static bool is_known(const struct leak_rules *rules, const struct leak_id *id)
{
	return has_id(rules->before, id) || has_id(rules->options.ignore_current, id);
}

// ---- looking ---------------------------------------------------------------------------------

static bool is_thread(const struct inspected *i) { return i->g->flags & GOROUTINE_THREAD; }

static bool is_suspect(const struct inspected *i, void *look)
{
	const struct leak_look *l = look;

	return !i->is_current && i->id != MAIN_ID && !is_thread(i) &&
	       !is_known(l->rules, &(struct leak_id){NULL, i->id});
}

static void add_object(const struct leaked *object, void *look)
{
	struct leak_look *l = look;
	const char *text = object->text ? object->text : "";
	size_t bytes = strlen(text) + 1;

	if (is_known(l->rules, &(struct leak_id){l->source, object->id}))
		return;
	struct leak_object *o = snapshot_room(&l->goroutines, sizeof(*o) + bytes);
	if (!o) {
		l->left_out++;
		return;
	}
	*o = (struct leak_object){.source = l->source, .object = *object};
	o->object.text = memcpy(o + 1, text, bytes);
	snapshot_keep(&l->goroutines, (char *)(o + 1) + bytes);
	*l->last_object = o;
	l->last_object = &o->next;
}

static void drop_ignored(const struct arch_saved *caller, void *look)
{
	struct leak_look *l = look;
	const tuza_leak_options *options = &l->rules->options;

	(void)caller;
	for (struct snapshot_record **r = &l->goroutines.records; *r;)
		if (leak_names_ignore(options, *r))
			*r = (*r)->next;
		else
			r = &(*r)->next;
	for (struct leak_object **o = &l->objects; *o;)
		if (leak_names_ignore_creator(options, (*o)->object.creation_pc))
			*o = (*o)->next;
		else
			o = &(*o)->next;
}

static void drop_named(struct leak_look *l)
{
	for (struct snapshot_record **r = &l->goroutines.records; *r;)
		if (leak_names_have(l->rules->options.ignore_name, (*r)->i.name))
			*r = (*r)->next;
		else
			r = &(*r)->next;
}

size_t leak_look_take(struct leak_look *l, const struct leak_rules *rules, bool by_functions)
{
	size_t left;

	*l = (struct leak_look){.rules = rules, .last_object = &l->objects};
	snapshot_take(&l->goroutines, is_suspect, l);
	each_object(l, add_object);
	drop_named(l);
	if (by_functions && (l->goroutines.records || l->objects))
		own_stack_call(drop_ignored, l);
	left = l->goroutines.left_out + l->left_out;
	for (struct snapshot_record *r = l->goroutines.records; r; r = r->next)
		left++;
	for (struct leak_object *o = l->objects; o; o = o->next)
		left++;
	return left;
}

void leak_look_free(struct leak_look *l) { snapshot_free(&l->goroutines); }

// ---- remembering -----------------------------------------------------------------------------

// A list in a snapshot's pages, because goroutines are held while it grows.
struct remembered {
	struct remembered *next;
	struct leak_id id;
};

struct remembering {
	struct leak_look look; // for its pages and the source being asked
	struct remembered *ids;
	size_t count;
	bool is_cut; // for want of memory
};

static void remember(struct remembering *m, const struct leak_source *source, uint64_t id)
{
	struct remembered *r = snapshot_room(&m->look.goroutines, sizeof(*r));

	if (!r) {
		m->is_cut = true;
		return;
	}
	*r = (struct remembered){m->ids, {source, id}};
	snapshot_keep(&m->look.goroutines, (char *)(r + 1));
	m->ids = r;
	m->count++;
}

static bool remember_goroutine(const struct inspected *i, void *arg)
{
	if (!is_thread(i))
		remember(arg, NULL, i->id);
	return false; // its number is all that is wanted
}

static void remember_object(const struct leaked *object, void *look)
{
	struct remembering *m = CONTAINER_OF(look, struct remembering, look);

	remember(m, m->look.source, object->id);
}

EXPORT tuza_leak_snapshot *tuza_leak_snapshot_new(void)
{
	struct remembering m = {.ids = NULL};
	tuza_leak_snapshot *s = NULL;
	size_t n = 0;

	snapshot_take(&m.look.goroutines, remember_goroutine, &m);
	each_object(&m.look, remember_object);
	if (!m.is_cut)
		s = malloc(sizeof(*s) + m.count * sizeof(s->ids[0]));
	if (s) {
		for (const struct remembered *r = m.ids; r; r = r->next)
			s->ids[n++] = r->id;
		s->count = n;
		qsort(s->ids, n, sizeof(s->ids[0]), compare_ids);
	}
	snapshot_free(&m.look.goroutines);
	if (!s)
		tuza_panic("tuza: out of memory");
	return s;
}

EXPORT void tuza_leak_snapshot_free(tuza_leak_snapshot *s) { free(s); }
