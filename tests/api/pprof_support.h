// SPDX-License-Identifier: MIT
/*
 * Reads profiles: takes gzip's stored blocks and the protocol buffer apart, independently of what
 * wrote them.
 */
#ifndef TUZA_PPROF_SUPPORT_H
#define TUZA_PPROF_SUPPORT_H

#include "test.h"

#include <tuza/pprof.h>

struct span {
	const unsigned char *at, *end;
};

// One line of the profile.
struct sample {
	struct span locations, values, labels[8];
	int label_count;
};

enum { TABLE_MAX = 20000, SAMPLES_MAX = 20000 };

struct decoded {
	unsigned char *bytes; // the message, malloc'ed
	size_t length;
	// numbered from 1 on, as the profile does; strings from 0 on
	struct span strings[TABLE_MAX], locations[TABLE_MAX], functions[TABLE_MAX];
	size_t string_count;
	struct sample samples[SAMPLES_MAX];
	size_t sample_count;
	size_t mapping_count;
	uint64_t period, duration;
	bool broken;
};

static uint64_t take_varint(struct span *s)
{
	uint64_t n = 0;
	int shift = 0;

	while (s->at < s->end) {
		unsigned char c = *s->at++;

		n |= (uint64_t)(c & 127) << shift;
		shift += 7;
		if (c < 128)
			return n;
	}
	return n;
}

// The next field: its number, and its integer or its bytes. 0 at the end.
static unsigned take_field(struct span *s, uint64_t *n, struct span *inner)
{
	if (s->at >= s->end)
		return 0;
	uint64_t key = take_varint(s);

	*n = take_varint(s);
	*inner = (struct span){s->at, s->at};
	if ((key & 7) == 2) {
		if (*n > (uint64_t)(s->end - s->at))
			return 0;
		inner->end = s->at + *n;
		s->at = inner->end;
	} else if ((key & 7) != 0) {
		return 0;
	}
	return (unsigned)(key >> 3);
}

static void decode_sample(struct decoded *d, struct span s)
{
	struct sample *to = &d->samples[d->sample_count];
	struct span inner;
	uint64_t n;

	if (d->sample_count == SAMPLES_MAX) {
		d->broken = true;
		return;
	}
	d->sample_count++;
	*to = (struct sample){.label_count = 0};
	for (unsigned field; (field = take_field(&s, &n, &inner));) {
		if (field == 1)
			to->locations = inner;
		else if (field == 2)
			to->values = inner;
		else if (field == 3 && to->label_count < 8)
			to->labels[to->label_count++] = inner;
	}
}

// The integer field `wanted` of a message, or 0.
static uint64_t integer_of(struct span s, unsigned wanted)
{
	struct span inner;
	uint64_t n;

	for (unsigned field; (field = take_field(&s, &n, &inner));)
		if (field == wanted)
			return n;
	return 0;
}

static void put_in_table(struct decoded *d, struct span *table, uint64_t id, struct span s)
{
	if (id == 0 || id >= TABLE_MAX || table[id].at)
		d->broken = true; // no number, or one twice
	else
		table[id] = s;
}

static void decode_message(struct decoded *d)
{
	struct span all = {d->bytes, d->bytes + d->length}, inner;
	uint64_t n;

	for (unsigned field; (field = take_field(&all, &n, &inner));) {
		if (field == 2)
			decode_sample(d, inner);
		else if (field == 3)
			d->mapping_count++;
		else if (field == 4)
			put_in_table(d, d->locations, integer_of(inner, 1), inner);
		else if (field == 5)
			put_in_table(d, d->functions, integer_of(inner, 1), inner);
		else if (field == 6 && d->string_count < TABLE_MAX)
			d->strings[d->string_count++] = inner;
		else if (field == 10)
			d->duration = n;
		else if (field == 12)
			d->period = n;
	}
	d->broken |= all.at != all.end || d->string_count == 0 || d->string_count == TABLE_MAX;
}

// Puts the stored blocks together. False when it is no such gzip.
static bool unpack(struct decoded *d, const unsigned char *data, size_t n)
{
	size_t at = 10;

	if (n < 18 || memcmp(data, "\x1f\x8b\x08\x00", 4) != 0)
		return false;
	d->bytes = malloc(n);
	for (bool last = false; !last && at + 5 <= n - 8;) {
		size_t length = data[at + 1] | (size_t)data[at + 2] << 8;
		size_t inverse = data[at + 3] | (size_t)data[at + 4] << 8;

		last = data[at] & 1;
		if (data[at] > 1 || (length ^ inverse) != 0xffff || at + 5 + length > n - 8)
			return false;
		memcpy(d->bytes + d->length, data + at + 5, length);
		d->length += length;
		at += 5 + length;
	}
	return at + 8 == n;
}

static void decoded_free(struct decoded *d)
{
	free(d->bytes);
	free(d);
}

// What was written to the file; malloc'ed, *n bytes and a 0.
static char *read_back(int fd, size_t *n)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char *data = malloc((size_t)end + 1);

	*n = (size_t)end;
	CHECK_EQ(pread(fd, data, *n, 0), end);
	data[*n] = 0;
	return data;
}

// A file without a name, to write a profile to.
static int scratch(void) { return memfd_create("profile", MFD_CLOEXEC); }

// Reads a profile; closes fd. A test that goes on with a broken one has failed already.
TEST_UNUSED_ static struct decoded *decode(int fd)
{
	struct decoded *d = calloc(1, sizeof(*d));
	size_t n;
	char *data = read_back(fd, &n);

	close(fd);
	if (CHECK(unpack(d, (unsigned char *)data, n))) {
		decode_message(d);
		CHECK(!d->broken);
	}
	free(data);
	return d;
}

static bool string_is(const struct decoded *d, uint64_t number, const char *text)
{
	if (number >= d->string_count)
		return false;
	const struct span *s = &d->strings[number];

	return (size_t)(s->end - s->at) == strlen(text) && memcmp(s->at, text, strlen(text)) == 0;
}

// Whether the location has a function of this name, inlined ones included.
static bool location_is_in(const struct decoded *d, uint64_t id, const char *function)
{
	struct span s = id < TABLE_MAX ? d->locations[id] : (struct span){NULL, NULL}, line;
	uint64_t n;

	for (unsigned field; (field = take_field(&s, &n, &line));) {
		uint64_t f = field == 4 ? integer_of(line, 1) : 0;

		if (f > 0 && f < TABLE_MAX &&
			string_is(d, integer_of(d->functions[f], 2), function))
			return true;
	}
	return false;
}

// Whether the sample has the function in its stack; NULL: any.
static bool sample_is_in(const struct decoded *d, const struct sample *s, const char *function)
{
	struct span ids = s->locations;

	while (function && ids.at < ids.end)
		if (location_is_in(d, take_varint(&ids), function))
			return true;
	return !function;
}

// Whether it has this label; a NULL key: any.
static bool sample_has(
	const struct decoded *d, const struct sample *s, const char *key, const char *value)
{
	for (int i = 0; key && i < s->label_count; i++)
		if (string_is(d, integer_of(s->labels[i], 1), key) &&
			string_is(d, integer_of(s->labels[i], 2), value))
			return true;
	return !key;
}

// The sum of a value over those with all functions in the list, which NULL ends, and the label.
TEST_UNUSED_ static uint64_t value_of(const struct decoded *d, int value,
	const char *const *functions, const char *key, const char *text)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->sample_count; i++) {
		struct span values = d->samples[i].values;
		uint64_t n = take_varint(&values);
		bool fits = sample_has(d, &d->samples[i], key, text);

		for (int k = 0; k < value; k++)
			n = take_varint(&values);
		for (const char *const *f = functions; *f; f++)
			fits = fits && sample_is_in(d, &d->samples[i], *f);
		if (fits)
			sum += n;
	}
	return sum;
}

#define FUNCTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ALL_FUNCTIONS ((const char *const[]){NULL})

#endif
