// SPDX-License-Identifier: MIT
/*
 * What the live page shows, as JSON. All of it is limited: so many groups, frames, characters; and
 * what was left out is told.
 *
 * Everything happens in a blocking section and, but for the sampling of processors, under the
 * report lock. Whoever asks again within a moment gets the same goroutines as before: many pages
 * cost no more than one.
 */
#define _GNU_SOURCE
#include "pprof/pages.h"

#include "debug/symbol.h"
#include "pprof/collect.h"
#include "pprof/frames.h"
#include "pprof/groups.h"
#include "pprof/json.h"
#include "pprof/watch.h"
#include "sched/latency.h"
#include "sched/timer.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tuza/goroutine.h>
#include <tuza/tuza.h>
#include <unistd.h>

enum {
	GROUPS_SHOWN = 200,
	GROUPS_BYTES = 1 << 20, // then no further group
	FRAMES_SHOWN = 32,
	FUNCTION_BYTES = 200, // of a name: C++ has long ones
	FILE_BYTES = 120,
};

static const int64_t FRESH = 100 * TUZA_MILLISECOND; // looks are not repeated within: a guess

// ---- a group's frames --------------------------------------------------------------------------

// The end of a path, from a slash on if it is cut.
static const char *short_path(const char *file)
{
	size_t n = strlen(file);
	const char *cut;

	if (n <= FILE_BYTES)
		return file;
	cut = strchr(file + n - FILE_BYTES, '/');
	return cut ? cut : file + n - FILE_BYTES;
}

// [function, file, line, whether it is the runtime's]
static void put_symbol(struct bytes *b, const struct symbol *s)
{
	json_separate(b);
	bytes_text(b, "[");
	json_text(b, s->function ? s->function : "?", FUNCTION_BYTES);
	json_separate(b);
	json_text(b, s->file ? short_path(s->file) : "", FILE_BYTES);
	bytes_text(b, ",");
	bytes_number(b, (uint64_t)s->line);
	bytes_text(b, s->is_runtime ? ",1]" : ",0]");
}

struct frame_text {
	struct bytes *b;
	struct symbol last;
	bool is_put; // of a creator the first one has the go statement
};

static void take_symbol(const struct symbol *s, void *arg)
{
	struct frame_text *t = arg;

	t->last = *s;
	if (!s->is_runtime)
		put_symbol(t->b, s); // of the runtime's inlined functions only the public one
}

static void put_frame(struct bytes *b, struct backtrace_frame frame)
{
	struct frame_text t = {.b = b};

	symbol_each(frame, take_symbol, &t);
	if (t.last.is_runtime)
		put_symbol(b, &t.last);
}

static void take_creator(const struct symbol *s, void *arg)
{
	struct frame_text *t = arg;

	if (!t->is_put)
		put_symbol(t->b, s);
	t->is_put = true;
}

static void put_creator(struct bytes *b, uintptr_t pc)
{
	struct frame_text t = {.b = b};

	json_key(b, "creator");
	if (pc != 0)
		symbol_each((struct backtrace_frame){pc, true}, take_creator, &t);
	else
		bytes_text(b, "null");
}

// Looks the group's symbols up and keeps them as text. False without memory.
static bool make_group_text(struct group *g)
{
	struct backtrace_frame kept[BACKTRACE_MAX];
	const struct backtrace_frame *frames = kept;
	uint32_t n = pprof_programs_frames(g->frames, g->frame_count, kept);
	struct bytes b = {0};

	if (n == 0) {
		frames = g->frames;
		n = g->frame_count;
		g->is_own = n > 0 || symbol_is_runtime(g->creation_pc - 1);
	}
	bytes_text(&b, "{");
	put_creator(&b, g->creation_pc);
	json_key(&b, "frames");
	bytes_text(&b, "[");
	for (uint32_t i = 0; i < n && i < FRAMES_SHOWN; i++)
		put_frame(&b, frames[i]);
	bytes_text(&b, "]");
	json_uint(&b, "frames_left_out", g->elided + (n > FRAMES_SHOWN ? n - FRAMES_SHOWN : 0));
	bytes_put(&b, "}", 2); // with the final 0
	if (b.failed)
		bytes_free(&b);
	g->text = (char *)b.data;
	return g->text != NULL;
}

// ---- groups ------------------------------------------------------------------------------------

static const char *suspicion_name(enum suspicion s)
{
	switch (s) {
	case SUSPECT_NEW:
		return "new";
	case SUSPECT_NEVER:
		return "never";
	case SUSPECT_GROWS:
		return "grows";
	case SUSPECT_LEAKED:
		return "leaked";
	case SUSPECT_NONE:
		break;
	}
	return "";
}

static const char *reason_of(const struct group *g)
{
	if (g->doing == GOROUTINE_BLOCKED)
		return "in a blocking section";
	if (g->doing == GOROUTINE_RUNNING)
		return "running";
	if (g->waiting == 0)
		return "runnable";
	return g->reason == WAIT_NONE ? "waiting" : wait_reason_text(g->reason);
}

static void put_group(struct bytes *b, const struct group *g, int64_t now)
{
	json_separate(b);
	bytes_text(b, "{");
	json_hex(b, "id", g->hash);
	json_uint(b, "count", g->count);
	json_member(b, "reason", reason_of(g), 100);
	json_uint(b, "waiting", g->waiting);
	json_uint(b, "runnable", g->runnable);
	json_uint(b, "oldest_ns", (uint64_t)g->oldest);
	json_key(b, "ages");
	bytes_text(b, "[");
	for (int i = 0; i < GROUP_AGES; i++) {
		json_separate(b);
		bytes_number(b, g->ages[i]);
	}
	bytes_text(b, "]");
	json_member(b, "suspect", suspicion_name(g->suspicion), 20);
	if (g->suspicion == SUSPECT_GROWS) {
		json_uint(b, "grew_from", g->grows_from);
		json_uint(b, "grew_ns", (uint64_t)(now - g->grows_since));
	}
	json_uint(b, "young", g->young);
	json_uint(b, "leaked", g->leaked);
	json_key(b, "examples");
	bytes_text(b, "[");
	for (uint32_t i = 0; i < g->example_count; i++) {
		json_separate(b);
		bytes_number(b, g->examples[i]);
	}
	bytes_text(b, "]");
	json_member(b, "name", g->name, GROUP_TEXT_BYTES);
	json_member(b, "labels", g->labels, GROUP_TEXT_BYTES);
	json_key(b, "own");
	bytes_text(b, g->is_own ? "true" : "false");
	json_key(b, "stack");
	bytes_text(b, g->text);
	bytes_text(b, "}");
}

static void put_groups(struct bytes *b, const struct groups *all)
{
	uint64_t left_out = 0, goroutines_left_out = all->unknown;
	size_t start = b->length, shown = 0;

	json_key(b, "groups");
	bytes_text(b, "[");
	for (size_t i = 0; i < all->count; i++) {
		struct group *g = all->sorted[i];

		if (shown >= GROUPS_SHOWN || b->length - start > GROUPS_BYTES ||
			(!g->text && !make_group_text(g))) {
			left_out++;
			goroutines_left_out += g->count;
			continue;
		}
		put_group(b, g, all->now);
		shown++;
	}
	bytes_text(b, "]");
	json_uint(b, "groups_left_out", left_out);
	json_uint(b, "goroutines_left_out", goroutines_left_out);
}

// ---- the state ---------------------------------------------------------------------------------

// The latest look; guarded by the report lock.
static struct {
	struct bytes text;
	int64_t time;
	struct group_runner running[GROUPS_RUNNING];
	uint32_t running_count;
} latest;

static void look_again(void)
{
	struct bytes *b = &latest.text;
	struct groups all;
	int64_t began = sys_clock_now();

	b->length = 0;
	bytes_text(b, "{");
	groups_look(&all, NULL, NULL);
	json_uint(b, "goroutines", all.goroutines);
	json_uint(b, "walked", all.walked);
	put_groups(b, &all);
	memcpy(latest.running, all.running, sizeof(latest.running));
	latest.running_count = all.running_count;
	groups_end(&all);
	latest.time = sys_clock_now();
	json_uint(b, "took_ns", (uint64_t)(latest.time - began));
	bytes_text(b, "}");
	if (b->failed) {
		bytes_free(b);
		latest.time = 0;
	}
}

static uint64_t resident_bytes(void)
{
	char text[100] = "";
	unsigned long long pages = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		ssize_t n = read(fd, text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = 0;
		close(fd);
		if (sscanf(text, "%*u %llu", &pages) != 1)
			pages = 0;
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t = {0, 0};

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

struct state {
	struct page *page;
	struct watch watch;
};

// How long goroutines waited for a processor: [least ns of the bucket, how many], none of zero.
static void put_latencies(struct bytes *b)
{
	uint64_t counts[LATENCY_BUCKETS] = {0}, total_ns;

	latency_add_up(counts, &total_ns);
	json_key(b, "latencies");
	bytes_text(b, "[");
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
		if (counts[i] == 0)
			continue;
		json_separate(b);
		bytes_text(b, "[");
		bytes_number(b, (uint64_t)latency_bucket_from(i));
		bytes_text(b, ",");
		bytes_number(b, counts[i]);
		bytes_text(b, "]");
	}
	bytes_text(b, "]");
}

static void put_state(const struct arch_saved *caller, void *arg)
{
	struct state *s = arg;
	struct bytes *b = &s->page->body;
	char version[40];

	(void)caller;
	snprintf(version, sizeof(version), "%d.%d.%d", TUZA_VERSION_MAJOR, TUZA_VERSION_MINOR,
		TUZA_VERSION_PATCH);
	if (latest.time == 0 || sys_clock_now() - latest.time > FRESH)
		look_again();
	bytes_text(b, "{");
	json_member(b, "program", program_invocation_short_name, 100);
	json_uint(b, "pid", (uint64_t)getpid());
	json_member(b, "version", version, sizeof(version));
	json_uint(b, "time_ns", clock_ns(CLOCK_MONOTONIC));
	json_uint(b, "cpu_ns", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
	json_uint(b, "resident_bytes", resident_bytes());
	json_key(b, "stats");
	page_append_statistics(b);
	put_latencies(b);
	json_key(b, "pages");
	page_append_paths(b);
	watch_append(&s->watch, latest.running, latest.running_count, b);
	json_key(b, "look");
	if (latest.text.length > 0)
		bytes_put(b, latest.text.data, latest.text.length);
	else
		bytes_text(b, "null");
	bytes_text(b, "}\n");
}

void page_state(struct page *p, const struct page_request *r)
{
	int64_t ms = 0;
	struct state *s = malloc(sizeof(*s));

	p->type = PAGE_JSON;
	if (!s) {
		p->body.failed = true;
		return;
	}
	s->page = p;
	page_query_number(r, "ms", &ms);
	if (ms > 0)
		latency_measure(); // somebody watches
	tuza_blocking_begin();
	watch_run(&s->watch, (ms < WATCH_MOST_MS ? ms : WATCH_MOST_MS) * TUZA_MILLISECOND);
	pprof_look_up(put_state, s);
	tuza_blocking_end();
	free(s);
}
