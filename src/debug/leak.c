// SPDX-License-Identifier: MIT
/*
 * The leak check of tuza/testing.h, and that at the end of tuza_run.
 *
 * Looks until nothing is left; names of functions are looked up late, because most goroutines that
 * a first look finds are about to end, and the first name of a process is dear. What is reported is
 * the picture of the last look, which is taken in the blocking section in which it is written:
 * whoever reads the other end of a pipe may be a goroutine, and where the end of tuza_run drops the
 * caller, no picture is held.
 *
 * The pauses are counted by what they were meant to last. On a machine so busy that each lasts ten
 * times as long there are as many looks, not a tenth.
 *
 * Go: go.uber.org/goleak, leaks.go, options.go
 */
#include "debug/dump.h"
#include "debug/leak_look.h"
#include "debug/leak_names.h"
#include "debug/own_stack.h"
#include "sched/blocking.h"
#include "sched/current.h"
#include "sched/upcalls.h"

#include <stdlib.h>
#include <tuza/goroutine.h>
#include <tuza/testing.h>
#include <unistd.h>

// goleak: 20 looks, 0.43 s in all.
static const int64_t WAIT_DEFAULT = 500 * TUZA_MILLISECOND;
static const int64_t PAUSE_FIRST = TUZA_MICROSECOND;
static const int64_t PAUSE_LONGEST = 100 * TUZA_MILLISECOND;
// When it pays to look names up: ten looks after the first. A guess.
static const int64_t NAMES_AFTER = TUZA_MILLISECOND;

// Nobody reads more; the count tells of the others.
enum { REPORTED_MAX = 100 };

// ---- the report ------------------------------------------------------------------------------

static void write_more(struct writer *w, size_t n, const char *what)
{
	if (n == 0)
		return;
	writer_text(w, "\n...and ");
	writer_number(w, n);
	writer_text(w, " more ");
	writer_text(w, what);
	writer_text(w, "...\n");
}

static void write_goroutines(struct writer *w, const struct snapshot *s)
{
	size_t n = 0;

	if (!s->records && s->left_out == 0)
		return;
	writer_text(w, "found unexpected goroutines:\n");
	for (const struct snapshot_record *r = s->records; r; r = r->next) {
		if (n++ >= REPORTED_MAX)
			continue;
		if (n > 1)
			writer_text(w, "\n");
		report_goroutine(w, &r->i, r->has_stack ? &r->b : NULL, 0);
	}
	write_more(w, s->left_out + (n > REPORTED_MAX ? n - REPORTED_MAX : 0), "goroutines");
}

static void write_objects(struct writer *w, const struct leak_look *l)
{
	size_t n = 0, more = l->left_out;
	const struct leak_source *source = NULL;
	bool is_below = l->goroutines.records != NULL;

	for (const struct leak_object *o = l->objects; o; o = o->next) {
		if (o->source != source) {
			source = o->source;
			n = 0;
			if (is_below)
				writer_text(w, "\n");
			writer_text(w, source->title);
			writer_text(w, "\n");
		}
		is_below = true;
		if (n++ >= REPORTED_MAX) {
			more++;
			continue;
		}
		if (n > 1)
			writer_text(w, "\n");
		writer_text(w, o->object.text);
		writer_text(w, "\n");
		report_creation(w, o->object.creation_pc, o->object.creator_id);
	}
	write_more(w, more, "objects");
}

static void write_report(const struct arch_saved *caller, void *look)
{
	const struct leak_look *l = look;
	const tuza_leak_options *options = &l->rules->options;
	struct writer w;
	char bytes[512];

	(void)caller;
	if (options->buffer && options->buffer_bytes > 0) {
		writer_to_text(&w, options->buffer, options->buffer_bytes);
		write_goroutines(&w, &l->goroutines);
		write_objects(&w, l);
	}
	if (options->fd >= 0) {
		int fd = options->fd ? options->fd : STDERR_FILENO;

		writer_to_fd(&w, fd, bytes, sizeof(bytes));
		write_goroutines(&w, &l->goroutines);
		write_objects(&w, l);
		writer_flush(&w);
	}
}

// ---- the check -------------------------------------------------------------------------------

// The last look, and its report. Returns how many are left.
static size_t look_and_report(const struct leak_rules *rules)
{
	struct leak_look l;
	size_t left;

	bool is_section = blocking_section_begin();
	left = leak_look_take(&l, rules, leak_names_are_functions(&rules->options));
	if (left > 0) {
		report_lock(0);
		own_stack_call(write_report, &l);
		report_unlock();
	}
	leak_look_free(&l);
	blocking_section_end(is_section);
	return left;
}

static size_t check_by(const struct leak_rules *rules)
{
	const tuza_leak_options *options = &rules->options;
	int64_t wait = options->wait ? options->wait : WAIT_DEFAULT;
	bool by_functions = leak_names_are_functions(options);

	if (options->buffer && options->buffer_bytes > 0)
		options->buffer[0] = 0;
	for (int64_t waited = 0, pause = PAUSE_FIRST; waited < wait; waited += pause, pause *= 2) {
		struct leak_look l;
		size_t left = leak_look_take(&l, rules, by_functions && waited >= NAMES_AFTER);

		leak_look_free(&l);
		if (left == 0)
			return 0;
		if (pause > PAUSE_LONGEST)
			pause = PAUSE_LONGEST;
		if (pause > wait - waited)
			pause = wait - waited;
		tuza_sleep(pause);
	}
	return look_and_report(rules);
}

static struct leak_rules rules_of(const tuza_leak_options *options)
{
	struct leak_rules rules = {.before = NULL};

	if (options)
		rules.options = *options;
	return rules;
}

EXPORT size_t tuza_leak_check(const tuza_leak_options *options)
{
	struct leak_rules rules = rules_of(options);

	return check_by(&rules);
}

static void verify_by(const struct leak_rules *rules)
{
	size_t left = check_by(rules);

	if (left > 0)
		tuza_panic("tuza_leak_verify: %zu left over", left);
}

EXPORT void tuza_leak_verify(const tuza_leak_options *options)
{
	struct leak_rules rules = rules_of(options);

	verify_by(&rules);
}

size_t leak_check_at_end(void) { return tuza_leak_check(NULL); }

// ---- TUZA_LEAK_CHECK -------------------------------------------------------------------------

struct tuza_leak_scope {
	struct leak_rules rules;
	tuza_leak_snapshot *before;
};

EXPORT struct tuza_leak_scope *tuza_leak_scope_begin_(const tuza_leak_options *options)
{
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();
	struct tuza_leak_scope *scope = malloc(sizeof(*scope));

	if (!scope) {
		tuza_leak_snapshot_free(before);
		tuza_panic("tuza: out of memory");
	}
	scope->rules = rules_of(options);
	scope->rules.before = scope->before = before;
	return scope;
}

static void scope_free(void *arg)
{
	struct tuza_leak_scope *scope = arg;

	tuza_leak_snapshot_free(scope->before);
	free(scope);
}

EXPORT void tuza_leak_scope_end_(struct tuza_leak_scope *scope)
{
	const struct goroutine *g = goroutine_current();
	// Deferred, for the check may panic.
	TUZA_DEFER(scope_free, scope);

	if (!(g->flags & (GOROUTINE_PANICKING | GOROUTINE_EXITING)))
		verify_by(&scope->rules);
}
