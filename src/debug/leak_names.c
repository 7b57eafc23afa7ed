// SPDX-License-Identifier: MIT
/*
 * Lists of names, and a goroutine's functions held against them.
 */
#include "debug/leak_names.h"

#include "debug/symbol.h"

#include <string.h>

// ---- lists -----------------------------------------------------------------------------------

// Whether `name` is what the pattern [p, end) says, in which a * stands for any characters.
static bool is_like(const char *p, const char *end, const char *name)
{
	const char *star = NULL,
		   *rest = NULL; // behind the last *, and the name from which it counts

	for (;;) {
		if (p < end && *p == '*') {
			star = ++p;
			rest = name;
		} else if (p < end && *name && *p == *name) {
			p++;
			name++;
		} else if (p == end && *name == 0) {
			return true;
		} else if (star && *rest) {
			p = star; // the last * takes one character more
			name = ++rest;
		} else {
			return false;
		}
	}
}

bool leak_names_have(const char *list, const char *name)
{
	while (name && list && *list) {
		list += strspn(list, ", \t\n");
		const char *end = list + strcspn(list, ","), *next = end;

		while (end > list && strchr(" \t\n", end[-1]))
			end--; // a name may have blanks inside
		if (end > list && is_like(list, end, name))
			return true;
		list = next;
	}
	return false;
}

bool leak_names_are_functions(const tuza_leak_options *options)
{
	return options->ignore_top || options->ignore_any || options->ignore_created_by;
}

// ---- functions -------------------------------------------------------------------------------

struct search {
	const tuza_leak_options *options;
	bool is_below_top; // a function of the program was met
	bool is_found;
};

static void match_frame(const struct symbol *s, void *arg)
{
	struct search *search = arg;
	// What the headers have of tuza is compiled into the program.
	bool is_own = s->is_runtime || (s->function && strncmp(s->function, "tuza_", 5) == 0);

	if (is_own && !symbol_is_public(s->function))
		return;
	if (leak_names_have(search->options->ignore_any, s->function) ||
		(!search->is_below_top &&
			leak_names_have(search->options->ignore_top, s->function)))
		search->is_found = true;
	search->is_below_top |= !is_own;
}

static void match_frames(struct search *search, const struct backtrace *b)
{
	for (uint32_t i = 0; i < b->count && !search->is_found; i++)
		symbol_each(b->frames[i], match_frame, search);
}

struct creator_search {
	const char *list;
	bool is_known; // of inlined functions the innermost one has the go statement
	bool is_found;
};

static void match_creator(const struct symbol *s, void *arg)
{
	struct creator_search *search = arg;

	if (!search->is_known)
		search->is_found = leak_names_have(search->list, s->function);
	search->is_known = true;
}

bool leak_names_ignore_creator(const tuza_leak_options *options, uintptr_t creation_pc)
{
	struct creator_search search = {.list = options->ignore_created_by};

	if (search.list && creation_pc != 0)
		symbol_each((struct backtrace_frame){creation_pc, true}, match_creator, &search);
	return search.is_found;
}

bool leak_names_ignore(const tuza_leak_options *options, const struct snapshot_record *r)
{
	struct search search = {.options = options};

	if (options->ignore_top || options->ignore_any) {
		if (r->i.entry) {
			struct backtrace_frame entry = {(uintptr_t)r->i.entry, false};

			symbol_each(entry, match_frame, &search);
		} else if (r->has_stack) {
			match_frames(&search, &r->b);
		}
	}
	return search.is_found || leak_names_ignore_creator(options, r->i.creation_pc);
}
