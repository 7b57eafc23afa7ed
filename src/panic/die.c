// SPDX-License-Identifier: MIT
/*
 * The end of the process, when it is a panic's or a fatal error's.
 *
 * One thread ends the process: the first. Others that come here wait for that (D7), a dump that is
 * being written elsewhere is let finish, and none begins any more, so reports never mix. Should the
 * dying thread fail while it reports, it comes here again and tries less each time (D6). Nothing
 * here allocates; the one lock, the report's, is waited for 2 s at most.
 *
 * The C library's buffers are not flushed: whoever holds their locks will not run again. What a
 * program wants on the terminal before it panics it flushes itself, or makes stdout line-buffered.
 *
 * TUZA_TRACEBACK, as Go's GOTRACEBACK:
 *
 *   none    no stacks
 *   single  the goroutine that ended the process (default); all of them where the error is the
 *           whole program's
 *   all     every goroutine
 *   system  with the runtime's own frames
 *   crash   as system, then abort: a core file
 *
 * Go: src/runtime/panic.go, startpanic_m, dopanic_m; src/runtime/runtime1.go, setTraceback
 */
#define _GNU_SOURCE
#include "panic/panic.h"

#include "base/atomic.h"
#include "debug/dump.h"
#include "sched/current.h"
#include "sched/upcalls.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum traceback {
	TRACEBACK_UNKNOWN, // the environment has not been read
	TRACEBACK_NONE,
	TRACEBACK_SINGLE,
	TRACEBACK_ALL,
	TRACEBACK_SYSTEM,
	TRACEBACK_CRASH,
};
static uint32_t traceback; // any thread, atomic

static uint32_t dying_thread; // its kernel id, 0 while nobody dies; any thread, atomic
static unsigned dying_depth;  // that thread only
static char dying_buffer[2048] APART;

// gcov's counters are written at exit, which does not happen: keeps `make coverage` honest.
WEAK void __gcov_dump(void);

static enum traceback traceback_of(const char *word)
{
	static const struct {
		const char *word;
		enum traceback level;
	} words[] = {
		{"none", TRACEBACK_NONE},
		{"0", TRACEBACK_NONE},
		{"single", TRACEBACK_SINGLE},
		{"all", TRACEBACK_ALL},
		{"1", TRACEBACK_ALL},
		{"system", TRACEBACK_SYSTEM},
		{"2", TRACEBACK_SYSTEM},
		{"crash", TRACEBACK_CRASH},
	};

	if (!word || !*word)
		return TRACEBACK_SINGLE;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].level;
	return TRACEBACK_UNKNOWN;
}

static void ignore(const char *word)
{
	struct writer w;
	char buffer[64];

	writer_to_fd(&w, STDERR_FILENO, buffer, sizeof(buffer));
	writer_text(&w, "tuza: ignored: TUZA_TRACEBACK=");
	writer_text(&w, word);
	writer_text(&w, " is not none, single, all, system or crash\n");
	writer_flush(&w);
}

void die_read_environment(void)
{
	const char *word = getenv("TUZA_TRACEBACK");
	enum traceback level = traceback_of(word);

	if (level == TRACEBACK_UNKNOWN) {
		// Relaxed, as below: one word. What was read before was told of then.
		if (load_relaxed(&traceback) == TRACEBACK_UNKNOWN)
			ignore(word);
		level = TRACEBACK_SINGLE;
	}
	store_relaxed(&traceback, (uint32_t)level);
}

static enum traceback die_traceback(void)
{
	if (load_relaxed(&traceback) == TRACEBACK_UNKNOWN)
		die_read_environment();
	return (enum traceback)load_relaxed(&traceback);
}

static NORETURN void wait_for_ever(void)
{
	for (;;)
		pause();
}

static NORETURN void end(int status)
{
	if (__gcov_dump)
		__gcov_dump();
	_exit(status);
}

static void say(const char *text)
{
	struct writer w;
	char buffer[64];

	writer_to_fd(&w, STDERR_FILENO, buffer, sizeof(buffer));
	writer_text(&w, text);
	writer_flush(&w);
}

bool die_begin(void)
{
	uint32_t self = (uint32_t)gettid(), expected = 0;

	// Relaxed: who wins writes; nobody reads what another one wrote.
	if (cas_relaxed(&dying_thread, &expected, self)) {
		dying_depth = 1;
		report_lock(REPORT_FATAL); // for good: no dump gets into the report, nor behind it
		return true;
	}
	if (expected != self)
		wait_for_ever();
	dying_depth++;
	if (dying_depth == 2)
		say("\npanic during panic\n");
	if (dying_depth == 3) {
		say("\nstack trace unavailable\n");
		end(4);
	}
	if (dying_depth > 3)
		end(5);
	return false;
}

bool die_is_under_way(void)
{
	// Relaxed: only this thread writes its own id.
	return load_relaxed(&dying_thread) == (uint32_t)gettid();
}

void die_await_other(void)
{
	uint32_t thread = load_relaxed(&dying_thread); // a hint

	if (thread != 0 && thread != (uint32_t)gettid())
		wait_for_ever();
}

// The end itself: status 2, or abort with TUZA_TRACEBACK=crash.
static NORETURN void die_now(void)
{
	if (die_traceback() == TRACEBACK_CRASH) {
		// A handler of the program's must not keep it alive.
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	end(2);
}

void die_with_stacks(bool all, unsigned report_flags)
{
	enum traceback level = die_traceback();
	uint64_t shown = 0;
	struct writer w;

	report_flags |= REPORT_FATAL;
	if (dying_depth == 1) {
		die_writer(&w);
		report_seed(&w);
		writer_flush(&w);
	}
	if (level == TRACEBACK_NONE) {
		trace_at_death(report_flags & REPORT_INTERRUPTED);
		die_now();
	}
	if (level >= TRACEBACK_SYSTEM)
		report_flags |= REPORT_RUNTIME_FRAMES;
	const struct goroutine *g = goroutine_current_or_null();

	if (!all || dying_depth > 1) {
		die_writer(&w);
		report_current(&w, report_flags);
		writer_flush(&w);
		shown = g ? g->id : 0;
		report_flags |= REPORT_CONTINUES;
	} else if (g && (g->flags & GOROUTINE_THREAD) &&
		   !(report_flags & (REPORT_INTERRUPTED | REPORT_RUNTIME_FRAMES))) {
		shown = g->id; // it has only found out what the goroutines wait for
	}
	if (dying_depth == 1 && (all || level >= TRACEBACK_ALL))
		report_all(STDERR_FILENO, report_flags, shown);
	trace_at_death(report_flags & REPORT_INTERRUPTED);
	die_now();
}

// ---- writing ---------------------------------------------------------------------------------

void die_writer(struct writer *w)
{
	writer_to_fd(w, STDERR_FILENO, dying_buffer, sizeof(dying_buffer));
}

void die_write_indented(struct writer *w, const char *text)
{
	const char *newline;

	for (; (newline = strchr(text, '\n')); text = newline + 1) {
		writer_bytes(w, text, (size_t)(newline - text) + 1);
		writer_text(w, "\t");
	}
	writer_text(w, text);
}

void die_write_fault(struct writer *w, const struct fault *fault)
{
	const char *name = "SIGFPE: floating-point exception";

	if (fault->signal == SIGSEGV)
		name = "SIGSEGV: segmentation violation";
	else if (fault->signal == SIGBUS)
		name = "SIGBUS: bus error";
	writer_text(w, "[signal ");
	writer_text(w, name);
	writer_text(w, " code=");
	writer_hex(w, (unsigned)fault->code);
	writer_text(w, " addr=");
	writer_hex(w, fault->address);
	writer_text(w, " pc=");
	writer_hex(w, fault->pc);
	writer_text(w, "]\n");
}
