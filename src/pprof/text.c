// SPDX-License-Identifier: MIT
/*
 * A profile as text for people, in Go's words (O32):
 *
 *	goroutine profile: total 3
 *	2 @ 0x401a2c 0x401b07
 *	# labels: {"job":"12"}
 *	#	0x401a2b	tuza_recv+0x5b	/src/tuza/src/chan/chan.c:211
 *	#	0x401b06	feed+0x26	/src/feeder.c:31
 *
 * Contentions have their own heads and no blank lines (O33), memory has four numbers (O34). `go
 * tool pprof` reads these as well.
 *
 * Go: src/runtime/pprof/pprof.go, printCountProfile, printStackRecord, printCountCycleProfile,
 * writeHeapInternal
 */
#include "debug/symbol.h"
#include "pprof/profile.h"

#include <stdlib.h>

static void put_labels(struct bytes *b, const char *labels)
{
	const char *separator = "# labels: {";
	struct label label;

	for (const char *at = labels; (at = labels_next(at, &label)); separator = ", ") {
		bytes_text(b, separator);
		bytes_text(b, "\"");
		bytes_put(b, label.key, label.key_bytes);
		bytes_text(b, "\":\"");
		bytes_put(b, label.value, label.value_bytes);
		bytes_text(b, "\"");
	}
	if (separator[0] == ',')
		bytes_text(b, "}\n");
}

struct frame_line {
	struct bytes *b;
	uintptr_t address;
};

static void put_symbol(const struct symbol *s, void *arg)
{
	const struct frame_line *l = arg;

	bytes_text(l->b, "#\t");
	bytes_hex(l->b, l->address);
	bytes_text(l->b, "\t");
	if (s->function) {
		bytes_text(l->b, s->function);
		bytes_text(l->b, "+");
		bytes_hex(l->b, s->offset);
		bytes_text(l->b, "\t");
	}
	bytes_text(l->b, s->file ? s->file : "?");
	if (s->line > 0) {
		bytes_text(l->b, ":");
		bytes_number(l->b, (uint64_t)s->line);
	}
	bytes_text(l->b, "\n");
}

static void put_number(struct bytes *b, uint64_t n, const char *behind)
{
	bytes_number(b, n);
	bytes_text(b, behind);
}

// The numbers of a line, in front of the addresses.
static void put_values(struct bytes *b, const struct profile *p, const uint64_t *values)
{
	switch (p->kind->text) {
	case PROFILE_TEXT_COUNT:
		put_number(b, values[0], " @");
		break;
	case PROFILE_TEXT_BLOCK:
	case PROFILE_TEXT_MUTEX:
		put_number(b, values[1], " "); // "cycles", of a nanosecond each
		put_number(b, values[0], " @");
		break;
	case PROFILE_TEXT_HEAP: // in use, and all that there has been
		put_number(b, values[2], ": ");
		put_number(b, values[3], " [");
		put_number(b, values[0], ": ");
		put_number(b, values[1], "] @");
		break;
	}
}

static void put_entry(struct bytes *b, const struct profile *p, const struct profile_entry *e)
{
	put_values(b, p, e->values);
	for (uint32_t i = 0; i < e->count; i++) {
		bytes_text(b, " ");
		bytes_hex(b, e->frames[i].pc);
	}
	bytes_text(b, "\n");
	put_labels(b, e->labels);
	for (uint32_t i = 0; i < e->count; i++) {
		struct frame_line l = {b, e->frames[i].pc - e->frames[i].is_return};

		symbol_each(e->frames[i], put_symbol, &l);
	}
	if (e->count == 0) {
		bytes_text(b, "#\t");
		bytes_text(b, e->name);
		bytes_text(b, "\n");
	}
	if (p->kind->text == PROFILE_TEXT_COUNT || p->kind->text == PROFILE_TEXT_HEAP)
		bytes_text(b, "\n");
}

static void put_head(struct bytes *b, const struct profile *p, const uint64_t *totals)
{
	switch (p->kind->text) {
	case PROFILE_TEXT_COUNT:
		bytes_text(b, p->kind->name);
		bytes_text(b, " profile: total ");
		put_number(b, totals[0], "\n");
		break;
	case PROFILE_TEXT_MUTEX:
		bytes_text(b, "--- mutex:\ncycles/second=1000000000\nsampling period=");
		put_number(b, p->period, "\n");
		break;
	case PROFILE_TEXT_BLOCK:
		bytes_text(b, "--- contention:\ncycles/second=1000000000\n");
		break;
	case PROFILE_TEXT_HEAP:
		bytes_text(b, "heap profile: ");
		put_values(b, p, totals);
		bytes_text(b, " heap/");
		put_number(b, p->period * 2, "\n"); // twice: as tcmalloc's, which readers expect
		break;
	}
}

void profile_to_text(const struct profile *p, struct bytes *out)
{
	size_t count;
	struct profile_entry **entries = profile_sorted(p, &count);
	uint64_t totals[PROFILE_VALUES_MAX] = {0};

	if (!entries || p->failed) {
		free(entries);
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < PROFILE_VALUES_MAX; k++)
			totals[k] += entries[i]->values[k];
	put_head(out, p, totals);
	for (size_t i = 0; i < count; i++)
		put_entry(out, p, entries[i]);
	free(entries);
}
