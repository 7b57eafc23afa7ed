// SPDX-License-Identifier: MIT
/*
 * The goroutine profile: each one is held for the time of its walk and counted at once, so a
 * million of them that wait at the same place cost one entry.
 *
 * The runtime's own frames are left out after the counting, once per stack.
 *
 * A goroutine that runs on another thread is asked for its stack (debug/ask.h); if it does not
 * answer it is counted by what it does. Plain threads that wait in tuza are no goroutines.
 */
#include "base/atomic.h"
#include "debug/ask.h"
#include "debug/leak_scan.h"
#include "pprof/collect.h"
#include "pprof/frames.h"
#include "sched/inspect.h"

#include <string.h>

static const struct profile_kind goroutine_kind = {
	.name = "goroutine",
	.values = {{"goroutine", "count"}},
	.value_count = 1,
	.period_type = {"goroutine", "count"},
	.period = 1,
};

static const struct profile_kind leak_kind = {
	.name = "goroutineleak",
	.values = {{"goroutineleak", "count"}},
	.value_count = 1,
	.period_type = {"goroutineleak", "count"},
	.period = 1,
};

// ---- looking -----------------------------------------------------------------------------------

struct looking {
	struct profile *counted; // with all frames
	const struct arch_saved *caller;
	const struct scan_leaked *leaked; // these alone; NULL: all
	struct ask_patience patience;
	struct bytes labels; // of the goroutine being looked at
};

/*
 * A held goroutine's text is read by atomics, byte by byte: ThreadSanitizer sees the calls of
 * strcmp and memcpy, not the hold, and would report a race.
 */
static const char *copy_labels(struct bytes *copy, const char *labels)
{
	char c;

	copy->length = 0;
	do {
		c = load_relaxed(labels++); // held
		bytes_put(copy, &c, 1);
	} while (c);
	return copy->failed ? "" : (const char *)copy->data;
}

static const char *doing(enum goroutine_state state)
{
	switch (state) {
	case GOROUTINE_BLOCKED:
		return "[in a blocking section]";
	case GOROUTINE_RUNNABLE:
	case GOROUTINE_WAITING: // it was made to run as it was about to be held
	case GOROUTINE_RUNNING:
	case GOROUTINE_DEAD:
		break;
	}
	return "[running]";
}

// inspect_each's: the goroutine is held, or runs.
static void look(const struct inspected *i, void *arg)
{
	static const uint64_t one = 1;
	struct looking *l = arg;
	struct profile_stack s = {.name = doing(i->state)};
	struct asked a;
	struct backtrace *b = &a.b;

	if (i->g->flags & GOROUTINE_THREAD || (l->leaked && !scan_leaked_has(l->leaked, i->id)))
		return;
	b->count = 0;
	s.labels = i->labels ? copy_labels(&l->labels, i->labels) : "";
	if (i->entry) {
		b->frames[0] = (struct backtrace_frame){(uintptr_t)i->entry, false};
		b->count = 1;
	} else if (i->is_current) {
		frames_of_caller(b, l->caller);
	} else if (i->context) {
		backtrace_context(b, i->context);
	} else if (ask_running(i, &l->patience, &a, 0)) {
		s.labels = a.labels;
	} else {
		b->count = 0;
	}
	s.frames = b->frames;
	s.count = b->count;
	profile_add(l->counted, &s, &one);
}

// ---- what is told -----------------------------------------------------------------------------

static void add_programs_view(struct profile *p, const struct profile_entry *e)
{
	struct backtrace_frame kept[BACKTRACE_MAX];
	struct profile_stack s = {
		.frames = kept, .name = e->name ? e->name : "", .labels = e->labels};

	s.count = pprof_programs_frames(e->frames, e->count, kept);
	if (s.count == 0) {
		s.frames = e->frames;
		s.count = e->count;
	}
	profile_add(p, &s, e->values);
}

static void collect_some(
	struct profile *p, const struct arch_saved *caller, const struct scan_leaked *leaked)
{
	struct profile counted;
	struct looking l = {.counted = &counted, .caller = caller, .leaked = leaked};

	profile_init(&counted, p->kind);
	inspect_each(look, &l);
	for (size_t i = 0; i < counted.bucket_count; i++)
		for (const struct profile_entry *e = counted.buckets[i]; e; e = e->next)
			add_programs_view(p, e);
	p->failed |= counted.failed || l.labels.failed;
	bytes_free(&l.labels);
	profile_destroy(&counted);
}

static void collect(struct profile *p, const struct arch_saved *caller)
{
	collect_some(p, caller, NULL);
}

static void collect_leaked(struct profile *p, const struct arch_saved *caller)
{
	struct scan_leaked leaked;

	if (leak_scan_take(&leaked, caller) == 0)
		collect_some(p, caller, &leaked);
	else
		p->failed = true;
	scan_leaked_free(&leaked);
}

const struct profile_source pprof_goroutine = {&goroutine_kind, collect};
const struct profile_source pprof_goroutineleak = {&leak_kind, collect_leaked};
