// SPDX-License-Identifier: MIT
/*
 * Scopes: a crew on the heap, a waitgroup, and goroutines that report to both.
 */
#include "context/context.h"
#include "pattern/crew.h"
#include "sched/current.h"

#include <stdlib.h>
#include <string.h>
#include <tuza/goroutine.h>

struct tuza_scope {
	const struct panic_state *panics; // constant: those under way when it was opened
	struct crew crew;
	tuza_waitgroup members;
};

// A goroutine's own copy; behind it that of its arguments, if it has any.
struct scope_member {
	// constant
	tuza_scope *scope;
	int (*fn)(tuza_context *ctx, void *arg);
	void *arg;
	bool copied; // the argument is `args`

	int code; // how it ended; before that, what it is if fn does not return
	_Alignas(max_align_t) char args[];
};

static void scope_call(void *member)
{
	struct scope_member *m = member;

	m->code = m->fn(m->scope->crew.until.ctx, m->copied ? m->args : m->arg);
}

static void scope_member_end(struct scope_member *m)
{
	if (m->code != 0)
		crew_fail(&m->scope->crew, m->code);
	tuza_waitgroup_done(&m->scope->members);
	// From here on the scope may be gone.
}

static void scope_main(void *member)
{
	struct scope_member *m = member;

	TUZA_DEFER(scope_member_end, m);
	m->code = TUZA_EPANIC;
	TUZA_IGNORE(tuza_try(scope_call, m, NULL)); // m->code tells
}

static int scope_start(tuza_scope *s, const struct scope_member *m, size_t bytes)
{
	tuza_waitgroup_add(&s->members, 1);
	if (likely(tuza_go_copy(scope_main, m, bytes) == 0))
		return 0;
	crew_fail(&s->crew, -ENOMEM);
	tuza_waitgroup_done(&s->members);
	return -ENOMEM;
}

EXPORT int tuza_scope_go(tuza_scope *s, int (*fn)(tuza_context *ctx, void *arg), void *arg)
{
	struct scope_member m = {.scope = s, .fn = fn, .arg = arg};

	FLOW_CHECK_FUNCTION(fn);
	return scope_start(s, &m, sizeof m);
}

EXPORT int tuza_scope_go_copy(
	tuza_scope *s, int (*fn)(tuza_context *ctx, void *args), const void *args, size_t bytes)
{
	FLOW_CHECK_FUNCTION(fn);
	struct scope_member *m =
		bytes <= PTRDIFF_MAX - sizeof *m ? malloc(sizeof *m + bytes) : NULL;
	if (unlikely(!m)) {
		crew_fail(&s->crew, -ENOMEM);
		return -ENOMEM;
	}
	*m = (struct scope_member){.scope = s, .fn = fn, .copied = true};
	if (bytes)
		memcpy(m->args, args, bytes);
	int code = scope_start(s, m, sizeof *m + bytes);
	free(m);
	return code;
}

EXPORT tuza_scope *tuza_scope_open(tuza_context *ctx)
{
	context_check(ctx);
	tuza_scope *s = calloc(1, sizeof *s);
	if (unlikely(!s || crew_begin(&s->crew, ctx) != 0)) {
		free(s);
		tuza_panic("tuza: out of memory");
	}
	s->panics = goroutine_current()->panics;
	return s;
}

EXPORT tuza_context *tuza_scope_context(tuza_scope *s) { return s->crew.until.ctx; }

EXPORT void tuza_scope_cancel(tuza_scope *s) { tuza_context_cancel(s->crew.until.ctx); }

EXPORT int tuza_scope_wait(tuza_scope *s)
{
	tuza_waitgroup_wait(&s->members);
	return crew_result(&s->crew);
}

EXPORT int tuza_scope_close(tuza_scope *s)
{
	const struct panic_state *panics = goroutine_current()->panics;

	// Left by a panic or tuza_goexit: nobody wants what the others are doing any more.
	if (unlikely(panics && panics != s->panics))
		tuza_scope_cancel(s);
	int code = tuza_scope_wait(s);
	crew_end(&s->crew);
	free(s);
	return code;
}
