// SPDX-License-Identifier: MIT
/*
 * What few goroutines have: names and labels. (Their local values are in local.c.)
 *
 * Labels are inherited by each goroutine that a labelled one starts, so they are an immutable
 * counted text: what a dump shows, `"key": "value", "key": "value"`. Setting one makes a new text.
 *
 * Names and labels are read by dumps. Most hold the goroutine meanwhile; the dump of a dying
 * process cannot, so what it may be reading is never given back to malloc: it goes to free lists,
 * and the last byte of each text is 0 for ever. At worst a word is torn. For the same reason texts
 * are written by single bytes, atomically.
 *
 * Lock: `spare_lock`, the last in the order.
 */
#include "sched/goroutine_extra.h"

#include "base/race_hooks.h"
#include "sched/current.h"
#include "sched/lock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LABELS_CLASS_MIN = 6, // 64 bytes: one short label
	LABELS_CLASS_MAX = 20,
};

struct label_set {
	// any thread, atomic
	uint32_t refs;
	// constant while refs > 0
	uint32_t class;         // 1 << class bytes, this head included
	struct label_set *next; // guarded by spare_lock
	char text[];
};

static struct lock spare_lock;
// guarded by spare_lock
static struct goroutine_extra *spare_extras;
static struct label_set *spare_labels[LABELS_CLASS_MAX + 1];

// ---- texts that a dump may be reading -------------------------------------------------------

static char *text_put(char *to, char c)
{
	store_relaxed(to, c); // a torn text is allowed
	return to + 1;
}

// Copies `n` bytes. Returns the end.
static char *text_copy(char *to, const char *from, size_t n)
{
	while (n--)
		to = text_put(to, *from++);
	return to;
}

static void text_clear(char *to, const char *end)
{
	while (to < end)
		to = text_put(to, 0);
}

// ---- memory --------------------------------------------------------------------------------

static struct goroutine_extra *extra_alloc(void)
{
	struct goroutine_extra *e;

	lock_acquire(&spare_lock);
	e = spare_extras;
	if (e)
		spare_extras = e->next;
	lock_release(&spare_lock);
	if (!e) {
		e = calloc(1, sizeof(*e));
		race_release(e);
	}
	return e;
}

struct goroutine_extra *goroutine_extra_of(struct goroutine *g)
{
	struct goroutine_extra *e = g->extra;

	if (!e) {
		e = extra_alloc();
		// (extra) pairs with the loads for dumps below: a fresh one is seen zeroed.
		store_release(&g->extra, e);
	}
	return e;
}

static size_t labels_capacity(const struct label_set *l)
{
	return ((size_t)1 << l->class) - offsetof(struct label_set, text);
}

// A set with room for `length` characters and the 0, one reference; NULL without memory.
static struct label_set *labels_alloc(size_t length)
{
	uint32_t class = LABELS_CLASS_MIN;
	struct label_set *l;

	while (((size_t)1 << class) - offsetof(struct label_set, text) <= length)
		if (++class > LABELS_CLASS_MAX)
			return NULL;
	lock_acquire(&spare_lock);
	l = spare_labels[class];
	if (l)
		spare_labels[class] = l->next;
	lock_release(&spare_lock);
	if (!l) {
		l = calloc(1, (size_t)1 << class);
		race_release(l);
	}
	if (l) {
		l->class = class;
		l->refs = 1;
	}
	return l;
}

static struct label_set *labels_retain(struct label_set *l)
{
	if (l)
		add_relaxed(&l->refs, 1); // (labels) the caller's reference keeps it
	return l;
}

static void labels_release(struct label_set *l)
{
	// (labels) each release pairs with the last one, which lets the text be written again.
	if (!l || sub_acq_rel(&l->refs, 1) != 1)
		return;
	lock_acquire(&spare_lock);
	l->next = spare_labels[l->class];
	spare_labels[l->class] = l;
	lock_release(&spare_lock);
}

// ---- names ---------------------------------------------------------------------------------

int goroutine_extra_set_name(struct goroutine *g, const char *name)
{
	struct goroutine_extra *e = goroutine_extra_of(g);
	size_t length = strnlen(name, GOROUTINE_NAME_BYTES - 1);

	if (!e)
		return -ENOMEM;
	text_clear(text_copy(e->name, name, length), e->name + GOROUTINE_NAME_BYTES);
	if (race_is_on() && g->tsan_fiber)
		__tsan_set_fiber_name(g->tsan_fiber, e->name);
	race_release(e); // pairs with the looks in inspect.c
	return 0;
}

EXPORT void tuza_set_name(const char *format, ...)
{
	int saved_errno = errno;
	char name[GOROUTINE_NAME_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	int error = goroutine_extra_set_name(goroutine_current(), name);
	(void)error; // without memory it has no name
	errno = saved_errno;
}

const char *goroutine_extra_name(const struct goroutine *g)
{
	// (extra) pairs with goroutine_extra_of
	const struct goroutine_extra *e = load_acquire(&g->extra);

	race_acquire(e);
	return e ? e->name : "";
}

// ---- labels --------------------------------------------------------------------------------

// Characters of a string that are written with a backslash: as themselves, or as \xhh.
static bool is_escaped(unsigned char c) { return c == '"' || c == '\\'; }
static bool is_control(unsigned char c) { return c < ' ' || c == 0x7f; }

static size_t quoted_length(const char *s)
{
	size_t n = 2;

	for (; *s; s++)
		n += is_control((unsigned char)*s) ? 4 : is_escaped((unsigned char)*s) ? 2 : 1;
	return n;
}

// Writes `s` in quotes at `to`, quoted_length(s) characters. Returns their end.
static char *quote(char *to, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	to = text_put(to, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_control(c)) {
			const char escaped[] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

			to = text_copy(to, escaped, sizeof(escaped));
			continue;
		}
		if (is_escaped(c))
			to = text_put(to, '\\');
		to = text_put(to, (char)c);
	}
	return text_put(to, '"');
}

// The character after the quoted string at s.
static const char *skip_quoted(const char *s)
{
	for (s++; *s != '"'; s++)
		if (*s == '\\')
			s++;
	return s + 1;
}

// One label in a text: from `start`, with the ", " behind it if there is one, to `end`.
struct label_span {
	const char *start, *end;
};

// The label of this quoted key in `text`; an empty span at its end if it has none.
static struct label_span label_find(const char *text, const char *key, size_t key_length)
{
	struct label_span span = {text, text};

	while (*span.start) {
		const char *colon = skip_quoted(span.start);

		span.end = skip_quoted(colon + 2);
		if (*span.end == ',')
			span.end += 2;
		if ((size_t)(colon - span.start) == key_length &&
			memcmp(span.start, key, key_length) == 0)
			break;
		span.start = span.end;
	}
	return span;
}

// Writes `text` at `to` with the label's old value taken out and the new one, if any, at the end.
// Returns the end.
static char *labels_write(char *to, const char *text, const char *key, const char *value)
{
	char *start = to;
	size_t key_length = (size_t)(quote(to, key) - to); // for label_find; overwritten below
	struct label_span old = label_find(text, to, key_length);

	to = text_copy(to, text, (size_t)(old.start - text));
	to = text_copy(to, old.end, strlen(old.end));
	if (to != start && to[-1] == ' ')
		to -= 2; // the last one was taken out: so is the ", " before it
	if (value) {
		if (to != start)
			to = text_copy(to, ", ", 2);
		to = quote(to, key);
		to = text_copy(to, ": ", 2);
		to = quote(to, value);
	}
	return to;
}

EXPORT int tuza_set_label(const char *key, const char *value)
{
	int saved_errno = errno;
	struct goroutine_extra *e = goroutine_extra_of(goroutine_current());
	struct label_set *old = e ? e->labels : NULL, *made;
	const char *text = old ? old->text : "";
	char *end;

	made = e ? labels_alloc(strlen(text) + 2 + quoted_length(key) + 2 +
				(value ? quoted_length(value) : 0))
		 : NULL;
	errno = saved_errno;
	if (!made)
		return -ENOMEM;
	end = labels_write(made->text, text, key, value);
	text_clear(end, made->text + labels_capacity(made));
	if (end == made->text) {
		labels_release(made);
		made = NULL;
	}
	// (label-text) pairs with goroutine_extra_labels: a dump sees the text written.
	store_release(&e->labels, made);
	labels_release(old);
	return 0;
}

const char *goroutine_extra_labels(const struct goroutine *g)
{
	// (extra) pairs with goroutine_extra_of
	const struct goroutine_extra *e = load_acquire(&g->extra);
	// (label-text) pairs with tuza_set_label and goroutine_extra_inherit
	const struct label_set *l = e ? load_acquire(&e->labels) : NULL;

	race_acquire(l);
	return l ? l->text : "";
}

int goroutine_extra_inherit(struct goroutine *child, const struct goroutine *creator)
{
	struct label_set *labels = creator->extra ? creator->extra->labels : NULL;
	struct goroutine_extra *e;

	if (!labels)
		return 0;
	e = goroutine_extra_of(child);
	if (!e)
		return -ENOMEM;
	// (label-text) pairs with goroutine_extra_labels
	store_release(&e->labels, labels_retain(labels));
	return 0;
}

void goroutine_extra_free(struct goroutine *g)
{
	struct goroutine_extra *e = g->extra;

	if (likely(!e))
		return;
	store_relaxed(&g->extra, NULL); // who read it before may go on reading: see the head
	race_acquire(e);
	goroutine_extra_drop_locals(e);
	labels_release(e->labels);
	store_relaxed(&e->labels, NULL); // the same
	text_clear(e->name, e->name + GOROUTINE_NAME_BYTES);
	lock_acquire(&spare_lock);
	e->next = spare_extras;
	spare_extras = e;
	lock_release(&spare_lock);
}
