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
 * Go: src/runtime/pprof/pprof.go, printCountProfile, printStackRecord
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

static void put_entry(struct bytes *b, const struct profile_entry *e)
{
	bytes_number(b, e->values[0]);
	bytes_text(b, " @");
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
	bytes_text(b, "\n");
}

void profile_to_text(const struct profile *p, struct bytes *out)
{
	struct profile_entry **entries = profile_sorted(p);
	uint64_t total = 0;

	if (!entries || p->failed) {
		free(entries);
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < p->entry_count; i++)
		total += entries[i]->values[0];
	bytes_text(out, p->kind->name);
	bytes_text(out, " profile: total ");
	bytes_number(out, total);
	bytes_text(out, "\n");
	for (size_t i = 0; i < p->entry_count; i++)
		put_entry(out, entries[i]);
	free(entries);
}
