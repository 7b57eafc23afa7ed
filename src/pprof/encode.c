// SPDX-License-Identifier: MIT
/*
 * A profile in pprof's format: a protocol buffer, compressed by gzip.
 *
 * The message refers to strings, functions, locations and mappings by number. Each is written when
 * it is met first; `numbers` remembers by which number. Symbols are looked up here, so
 * `go tool pprof` needs neither the program nor its debug information.
 *
 * Format: github.com/google/pprof, proto/profile.proto
 */
#define _GNU_SOURCE
#include "base/hash.h"
#include "debug/symbol.h"
#include "pprof/profile.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Numbers of fields.
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
	VALUE_TYPE = 1,
	VALUE_UNIT = 2,
	SAMPLE_LOCATION_ID = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_STR = 2,
	LABEL_NUM = 3,
	LABEL_NUM_UNIT = 4,
	MAPPING_ID = 1,
	MAPPING_START = 2,
	MAPPING_LIMIT = 3,
	MAPPING_OFFSET = 4,
	MAPPING_FILENAME = 5,
	MAPPING_BUILD_ID = 6,
	MAPPING_HAS_FUNCTIONS = 7,
	MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINE_NUMBERS = 9,
	MAPPING_HAS_INLINE_FRAMES = 10,
	LOCATION_ID = 1,
	LOCATION_MAPPING_ID = 2,
	LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4,
	LINE_FUNCTION_ID = 1,
	LINE_LINE = 2,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
	FUNCTION_FILENAME = 4,
};

// ---- numbers of things -------------------------------------------------------------------------

// A number for each text or pair of integers.
struct number {
	struct number *next;
	uint64_t a, b; // the pair; of a text: its hash and length
	uint64_t number;
	char text[];
};

struct numbers {
	struct number *buckets[1024];
	uint64_t count;
};

static struct number **numbers_bucket(struct numbers *n, uint64_t a, uint64_t b)
{
	uint64_t hash = (a ^ b << 17 ^ b) * HASH_FACTOR;

	return &n->buckets[hash >> 32 & (COUNT_OF(n->buckets) - 1)];
}

/*
 * The number of the pair, and with `text` of its a->b bytes. *is_new: it was given just now, the
 * next one, from `first` on. 0 without memory.
 */
static uint64_t numbers_get(
	struct numbers *n, uint64_t a, uint64_t b, const char *text, uint64_t first, bool *is_new)
{
	struct number **bucket = numbers_bucket(n, a, b);
	size_t text_bytes = text ? b : 0;

	*is_new = false;
	for (struct number *at = *bucket; at; at = at->next)
		if (at->a == a && at->b == b && memcmp(at->text, text ? text : "", text_bytes) == 0)
			return at->number;
	struct number *made = malloc(sizeof(*made) + text_bytes);

	if (!made)
		return 0;
	*made = (struct number){.next = *bucket, .a = a, .b = b, .number = first + n->count++};
	if (text_bytes > 0)
		memcpy(made->text, text, text_bytes);
	*bucket = made;
	*is_new = true;
	return made->number;
}

static void numbers_free(struct numbers *n)
{
	for (size_t i = 0; i < COUNT_OF(n->buckets); i++)
		for (struct number *at = n->buckets[i], *next; at; at = next) {
			next = at->next;
			free(at);
		}
}

// ---- the encoder -------------------------------------------------------------------------------

struct mapping {
	uintptr_t start, limit;
};

struct encoder {
	struct numbers strings, functions, locations; // too large for a stack
	struct bytes out;
	struct bytes string_table;
	struct bytes message, line, part; // being built, empty in between
	struct mapping mappings[512];     // numbered from 1 on
	uint32_t mapping_count;
};

static uint64_t string_bytes(struct encoder *e, const char *text, size_t n)
{
	uint64_t hash = n, number;
	bool is_new;

	if (n == 0)
		return 0; // the table's first
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	number = numbers_get(&e->strings, hash, n, text, 1, &is_new);
	if (is_new)
		proto_text(&e->string_table, PROFILE_STRING_TABLE, text, n);
	e->out.failed |= number == 0;
	return number;
}

static uint64_t string(struct encoder *e, const char *text)
{
	return string_bytes(e, text, strlen(text));
}

static void put_value_type(struct encoder *e, unsigned field, const struct profile_value *v)
{
	proto_uint(&e->part, VALUE_TYPE, string(e, v->type));
	proto_uint(&e->part, VALUE_UNIT, string(e, v->unit));
	proto_bytes(&e->out, field, &e->part);
}

// ---- mappings ----------------------------------------------------------------------------------

// The build id of a module in hexadecimal: `text` has room for 64 bytes of it.
static void read_build_id(const struct dl_phdr_info *info, char text[129])
{
	char *to = text;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const char *at = (const char *)(info->dlpi_addr + segment->p_vaddr);
		const char *end = at + segment->p_memsz;

		if (segment->p_type != PT_NOTE)
			continue;
		while (at + sizeof(ElfW(Nhdr)) < end && to == text) {
			const ElfW(Nhdr) *note = (const void *)at;
			const char *name = at + sizeof(*note);
			const unsigned char *id =
				(const unsigned char *)name + align_up(note->n_namesz, 4);

			at = (const char *)id + align_up(note->n_descsz, 4);
			if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 ||
				memcmp(name, "GNU", 4) != 0 || note->n_descsz > 64)
				continue;
			for (size_t k = 0; k < note->n_descsz; k++) {
				*to++ = "0123456789abcdef"[id[k] >> 4];
				*to++ = "0123456789abcdef"[id[k] & 15];
			}
		}
	}
	*to = 0;
}

static void put_mapping(struct encoder *e, const struct dl_phdr_info *info,
	const ElfW(Phdr) * segment, const char *file, const char *build_id)
{
	struct mapping *m = &e->mappings[e->mapping_count++];
	struct bytes *b = &e->message;

	m->start = info->dlpi_addr + segment->p_vaddr;
	m->limit = m->start + segment->p_memsz;
	proto_uint(b, MAPPING_ID, e->mapping_count);
	proto_uint(b, MAPPING_START, m->start);
	proto_uint(b, MAPPING_LIMIT, m->limit);
	proto_uint(b, MAPPING_OFFSET, segment->p_offset);
	proto_uint(b, MAPPING_FILENAME, string(e, file));
	proto_uint(b, MAPPING_BUILD_ID, string(e, build_id));
	// What is known is here: no tool need look into the file.
	proto_uint(b, MAPPING_HAS_FUNCTIONS, true);
	proto_uint(b, MAPPING_HAS_FILENAMES, true);
	proto_uint(b, MAPPING_HAS_LINE_NUMBERS, true);
	proto_uint(b, MAPPING_HAS_INLINE_FRAMES, true);
	proto_bytes(&e->out, PROFILE_MAPPING, b);
}

static int visit_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct encoder *e = arg;
	char file[4096], build_id[129];
	ssize_t n = 0;

	(void)size;
	if (!info->dlpi_name[0] && e->mapping_count == 0) // the program comes first
		n = readlink("/proc/self/exe", file, sizeof(file) - 1);
	file[n > 0 ? n : 0] = 0;
	read_build_id(info, build_id);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && segment->p_flags & PF_X &&
			e->mapping_count < COUNT_OF(e->mappings))
			put_mapping(e, info, segment, n > 0 ? file : info->dlpi_name, build_id);
	}
	return 0;
}

static uint64_t mapping_of(const struct encoder *e, uintptr_t address)
{
	for (uint32_t i = 0; i < e->mapping_count; i++)
		if (address >= e->mappings[i].start && address < e->mappings[i].limit)
			return i + 1;
	return 0;
}

// ---- locations ---------------------------------------------------------------------------------

static uint64_t function_id(struct encoder *e, const char *name, const char *file)
{
	uint64_t n = string(e, name), f = string(e, file), id;
	bool is_new;

	id = numbers_get(&e->functions, n, f, NULL, 1, &is_new);
	if (is_new) {
		proto_uint(&e->part, FUNCTION_ID, id);
		proto_uint(&e->part, FUNCTION_NAME, n);
		proto_uint(&e->part, FUNCTION_SYSTEM_NAME, n);
		proto_uint(&e->part, FUNCTION_FILENAME, f);
		proto_bytes(&e->out, PROFILE_FUNCTION, &e->part);
	}
	e->out.failed |= id == 0;
	return id;
}

static void put_line(const struct symbol *s, void *arg)
{
	struct encoder *e = arg;

	if (!s->function)
		return; // the mapping and the address must do
	proto_uint(&e->line, LINE_FUNCTION_ID, function_id(e, s->function, s->file ? s->file : ""));
	proto_uint(&e->line, LINE_LINE, (uint64_t)s->line);
	proto_bytes(&e->message, LOCATION_LINE, &e->line);
}

static uint64_t location_of_frame(struct encoder *e, struct backtrace_frame frame)
{
	// Of a call the instruction, so that whoever looks the address up again finds its line.
	uintptr_t address = frame.pc - frame.is_return;
	bool is_new;
	uint64_t id = numbers_get(&e->locations, address, 0, NULL, 1, &is_new);

	if (is_new) {
		proto_uint(&e->message, LOCATION_ID, id);
		proto_uint(&e->message, LOCATION_MAPPING_ID, mapping_of(e, address));
		proto_uint(&e->message, LOCATION_ADDRESS, address);
		symbol_each(frame, put_line, e);
		proto_bytes(&e->out, PROFILE_LOCATION, &e->message);
	}
	e->out.failed |= id == 0;
	return id;
}

// Something without an address, told by its name alone.
static uint64_t location_of_name(struct encoder *e, const char *name)
{
	bool is_new;
	uint64_t id = numbers_get(&e->locations, string(e, name), 1, NULL, 1, &is_new);

	if (is_new) {
		const struct symbol s = {.function = name};

		proto_uint(&e->message, LOCATION_ID, id);
		put_line(&s, e);
		proto_bytes(&e->out, PROFILE_LOCATION, &e->message);
	}
	e->out.failed |= id == 0;
	return id;
}

// ---- samples -----------------------------------------------------------------------------------

static uint64_t unquoted_string(struct encoder *e, const char *quoted, size_t n)
{
	uint64_t number;

	label_unquote(&e->line, quoted, n);
	number = string_bytes(e, (const char *)e->line.data, e->line.length);
	e->line.length = 0;
	return number;
}

static void put_sample(
	struct encoder *e, const struct profile *p, const struct profile_entry *entry)
{
	struct bytes ids = {0}, values = {0}, sample = {0}; // locations use those of the encoder
	struct label label;

	for (uint32_t i = 0; i < entry->count; i++)
		proto_varint(&ids, location_of_frame(e, entry->frames[i]));
	if (entry->count == 0)
		proto_varint(&ids, location_of_name(e, entry->name));
	for (uint32_t i = 0; i < p->kind->value_count; i++)
		proto_varint(&values, entry->values[i]);
	proto_bytes(&sample, SAMPLE_LOCATION_ID, &ids);
	proto_bytes(&sample, SAMPLE_VALUE, &values);
	for (const char *at = entry->labels; (at = labels_next(at, &label));) {
		proto_uint(&e->part, LABEL_KEY, unquoted_string(e, label.key, label.key_bytes));
		proto_uint(&e->part, LABEL_STR, unquoted_string(e, label.value, label.value_bytes));
		proto_bytes(&sample, SAMPLE_LABEL, &e->part);
	}
	if (entry->bytes > 0) {
		proto_uint(&e->part, LABEL_KEY, string(e, "bytes"));
		proto_uint(&e->part, LABEL_NUM, entry->bytes);
		proto_uint(&e->part, LABEL_NUM_UNIT, string(e, "bytes"));
		proto_bytes(&sample, SAMPLE_LABEL, &e->part);
	}
	proto_bytes(&e->out, PROFILE_SAMPLE, &sample);
	bytes_free(&ids);
	bytes_free(&values);
	bytes_free(&sample);
}

static void encode(struct encoder *e, const struct profile *p, struct profile_entry *const *entries,
	size_t count)
{
	proto_text(&e->string_table, PROFILE_STRING_TABLE, "", 0);
	for (uint32_t i = 0; i < p->kind->value_count; i++)
		put_value_type(e, PROFILE_SAMPLE_TYPE, &p->kind->values[i]);
	put_value_type(e, PROFILE_PERIOD_TYPE, &p->kind->period_type);
	proto_uint(&e->out, PROFILE_PERIOD, p->period);
	proto_uint(&e->out, PROFILE_TIME_NANOS, (uint64_t)p->time);
	proto_uint(&e->out, PROFILE_DURATION_NANOS, (uint64_t)p->duration);
	if (p->kind->default_sample)
		proto_uint(
			&e->out, PROFILE_DEFAULT_SAMPLE_TYPE, string(e, p->kind->default_sample));
	dl_iterate_phdr(visit_module, e);
	for (size_t i = 0; i < count; i++)
		put_sample(e, p, entries[i]);
	bytes_put(&e->out, e->string_table.data, e->string_table.length);
	e->out.failed |= e->string_table.failed || e->message.failed || e->line.failed ||
			 e->part.failed || p->failed;
}

void profile_to_proto(const struct profile *p, struct bytes *out)
{
	size_t count;
	struct profile_entry **entries = profile_sorted(p, &count);
	struct encoder *e = calloc(1, sizeof(*e));

	if (entries && e) {
		encode(e, p, entries, count);
		bytes_gzip(out, &e->out);
	} else {
		out->failed = true;
	}
	if (e) {
		numbers_free(&e->strings);
		numbers_free(&e->functions);
		numbers_free(&e->locations);
		bytes_free(&e->out);
		bytes_free(&e->string_table);
		bytes_free(&e->message);
		bytes_free(&e->line);
		bytes_free(&e->part);
	}
	free(e);
	free(entries);
}
