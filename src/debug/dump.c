// SPDX-License-Identifier: MIT
/*
 * The text of one goroutine.
 *
 * Go: src/runtime/traceback.go, goroutineheader, printcreatedby
 */
#include "debug/dump.h"

#include "debug/own_stack.h"
#include "debug/symbol.h"
#include "sched/chaos.h"
#include "sched/current.h"
#include "sched/simulation.h"

static const char *state_text(const struct inspected *i)
{
	if (i->is_current)
		return "running";
	switch (i->state) {
	case GOROUTINE_RUNNABLE:
		return "runnable";
	case GOROUTINE_RUNNING:
		return "running";
	case GOROUTINE_BLOCKED:
		return "syscall";
	case GOROUTINE_WAITING:
		return i->reason == WAIT_NONE ? "waiting" : wait_reason_text(i->reason);
	case GOROUTINE_DEAD:
		break;
	}
	return "dead";
}

static void write_header(struct writer *w, const struct inspected *i)
{
	writer_text(w, "goroutine ");
	writer_number(w, i->id);
	writer_text(w, " [");
	writer_text(w, state_text(i));
	if (i->is_leaked)
		writer_text(w, " (leaked)");
	if (!i->is_current && i->waiting_ns >= TUZA_MINUTE) { // as Go
		writer_text(w, ", ");
		writer_number(w, (uint64_t)(i->waiting_ns / TUZA_MINUTE));
		writer_text(w, " minutes");
	}
	if (i->locked_to_thread)
		writer_text(w, ", locked to thread");
	if (i->name && i->name[0]) {
		writer_text(w, ", name \"");
		writer_text(w, i->name);
		writer_text(w, "\"");
	}
	if (i->labels && i->labels[0]) {
		writer_text(w, " labels:{");
		writer_text(w, i->labels);
		writer_text(w, "}");
	}
	writer_text(w, "]:\n");
}

// ---- frames ----------------------------------------------------------------------------------

// TAB file:line +0xoff
static void write_place(struct writer *w, const struct symbol *s)
{
	writer_text(w, "\t");
	writer_text(w, s->file ? s->file : "?");
	if (s->line > 0) {
		writer_text(w, ":");
		writer_number(w, (uint64_t)s->line);
	}
	if (s->offset > 0) {
		writer_text(w, " +");
		writer_hex(w, s->offset);
	}
	writer_text(w, "\n");
}

static void write_frame(struct writer *w, const struct symbol *s)
{
	writer_text(w, s->function ? s->function : "?");
	writer_text(w, "(...)\n");
	write_place(w, s);
}

/*
 * Hides the runtime's frames. A run of them between the user's frames, or above the first one,
 * begins for the reader with its outermost frame, the public function that the user called; one
 * below the last is not shown. Nor are the steps of the headers' macros, which are compiled into
 * the program.
 */
struct frame_filter {
	struct writer *w;
	bool show_all;
	bool has_entry; // the latest frame was a public function of the runtime
	struct symbol entry;
	uint32_t shown;
};

static void filter_symbol(const struct symbol *s, void *arg)
{
	struct frame_filter *f = arg;

	if (s->is_runtime && !f->show_all) {
		f->has_entry = symbol_is_public(s->function);
		f->entry = *s;
		return;
	}
	if (!f->show_all && symbol_is_private(s->function))
		return;
	if (f->has_entry)
		write_frame(f->w, &f->entry);
	f->has_entry = false;
	write_frame(f->w, s);
	f->shown++;
}

static void write_frames_filtered(struct frame_filter *f, const struct backtrace *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		if (i == BACKTRACE_INNER && b->elided > 0) {
			writer_text(f->w, "...");
			writer_number(f->w, b->elided);
			writer_text(f->w,
				b->is_cut ? " or more frames elided...\n" : " frames elided...\n");
		}
		symbol_each(b->frames[i], filter_symbol, f);
	}
}

static void write_frames(struct writer *w, const struct backtrace *b, unsigned flags)
{
	struct frame_filter f = {.w = w, .show_all = flags & REPORT_RUNTIME_FRAMES};

	write_frames_filtered(&f, b);
	if (f.shown > 0)
		return;
	if (f.has_entry) {
		// The user's function ended in this call and gave up its frame for it.
		write_frame(w, &f.entry);
	} else if (!f.show_all) {
		// A goroutine of the library's own, such as a server's connection.
		f.show_all = true;
		write_frames_filtered(&f, b);
	}
}

void report_seed(struct writer *w)
{
	bool simulated = simulation_is_on();
	if (!simulated && chaos_seed() == 0)
		return;
	writer_text(w, simulated ? "tuza_sim_run: seed " : "TUZA_DEBUG=chaos=");
	writer_number(w, simulated ? simulation_seed() : chaos_seed());
	writer_text(w, "\n\n");
}

struct creator {
	struct writer *w;
	uint64_t id;
	bool is_written; // of inlined functions the innermost one has the go statement
};

static void write_creator(const struct symbol *s, void *arg)
{
	struct creator *c = arg;

	if (c->is_written)
		return;
	c->is_written = true;
	writer_text(c->w, "created by ");
	writer_text(c->w, s->function ? s->function : "?");
	if (c->id != 0) {
		writer_text(c->w, " in goroutine ");
		writer_number(c->w, c->id);
	}
	writer_text(c->w, "\n");
	write_place(c->w, s);
}

void report_creation(struct writer *w, uintptr_t pc, uint64_t creator_id)
{
	struct creator creator = {.w = w, .id = creator_id};

	if (pc != 0)
		symbol_each((struct backtrace_frame){pc, true}, write_creator, &creator);
}

void report_goroutine(
	struct writer *w, const struct inspected *i, const struct backtrace *b, unsigned flags)
{
	write_header(w, i);
	if (i->entry) {
		struct backtrace entry = {.count = 1, .frames = {{(uintptr_t)i->entry, false}}};

		write_frames(w, &entry, flags);
	} else if (b) {
		// Looking up symbols may be the last thing that this process does.
		if (flags & REPORT_FATAL)
			writer_flush(w);
		write_frames(w, b, flags);
	} else if (i->g && i->g->flags & GOROUTINE_THREAD) {
		writer_text(w, "\tthread; stack unavailable\n");
	} else {
		writer_text(w, "\tgoroutine running on other thread; stack unavailable\n");
	}
	report_creation(w, i->creation_pc, i->creator_id);
}

// ---- the calling goroutine -------------------------------------------------------------------

struct current_report {
	struct writer *w;
	unsigned flags;
};

static void write_current(const struct arch_saved *caller, void *arg)
{
	const struct current_report *r = arg;
	struct inspected i = {.is_current = true};
	struct backtrace b;
	unsigned flags = r->flags;

	if (flags & REPORT_INTERRUPTED)
		backtrace_interrupted(&b);
	else if (caller)
		backtrace_context(&b, caller);
	else
		backtrace_here(&b);
	if (goroutine_current_or_null())
		inspect_current(&i);
	else
		flags |= REPORT_RUNTIME_FRAMES; // a thread's own business, or the scheduler's
	report_goroutine(r->w, &i, &b, flags);
}

void report_current(struct writer *w, unsigned flags)
{
	struct current_report r = {w, flags};

	if (flags & REPORT_INTERRUPTED)
		write_current(NULL, &r);
	else
		own_stack_call(write_current, &r);
}

size_t report_stack_text(char *buffer, size_t n, unsigned flags)
{
	struct writer w;

	writer_to_text(&w, buffer, n);
	report_current(&w, flags);
	return w.length;
}
