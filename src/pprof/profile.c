// SPDX-License-Identifier: MIT
/*
 * The table of entries: a hash table with chains. One thread at a time.
 */
#include "pprof/profile.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = hash_mix(hash, (unsigned char)*text);
	return hash_mix(hash, 0);
}

static uint64_t hash_stack(const struct profile_stack *s)
{
	uint64_t hash = hash_mix(hash_mix(s->bytes, s->rate), s->count);

	for (uint32_t i = 0; i < s->count; i++)
		hash = hash_mix(hash, s->frames[i].pc);
	if (s->count == 0)
		hash = hash_text(hash, s->name);
	return hash_text(hash, s->labels);
}

static bool is_of(const struct profile_entry *e, uint64_t hash, const struct profile_stack *s)
{
	if (e->hash != hash || e->count != s->count || e->bytes != s->bytes || e->rate != s->rate ||
		strcmp(e->labels, s->labels) != 0)
		return false;
	for (uint32_t i = 0; i < e->count; i++)
		if (e->frames[i].pc != s->frames[i].pc ||
			e->frames[i].is_return != s->frames[i].is_return)
			return false;
	return e->count > 0 || strcmp(e->name, s->name) == 0;
}

void profile_init(struct profile *p, const struct profile_kind *kind)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_REALTIME, &now);
	*p = (struct profile){.kind = kind,
		.period = kind->period,
		.time = now.tv_sec * INT64_C(1000000000) + now.tv_nsec};
}

void profile_destroy(struct profile *p)
{
	for (size_t i = 0; i < p->bucket_count; i++)
		for (struct profile_entry *e = p->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	free(p->buckets);
	p->buckets = NULL;
	p->bucket_count = p->entry_count = 0;
}

// Doubles the buckets when there are as many entries.
static bool make_room(struct profile *p)
{
	size_t count = p->bucket_count ? p->bucket_count * 2 : 64;
	struct profile_entry **buckets;

	if (p->entry_count < p->bucket_count)
		return true;
	buckets = calloc(count, sizeof(*buckets));
	if (!buckets)
		return p->bucket_count > 0; // then chains grow
	for (size_t i = 0; i < p->bucket_count; i++)
		for (struct profile_entry *e = p->buckets[i], *next; e; e = next) {
			next = e->next;
			e->next = buckets[e->hash % count];
			buckets[e->hash % count] = e;
		}
	free(p->buckets);
	p->buckets = buckets;
	p->bucket_count = count;
	return true;
}

static struct profile_entry *entry_new(const struct profile_stack *s, uint64_t hash)
{
	size_t frames_bytes = s->count * sizeof(s->frames[0]);
	size_t labels_bytes = strlen(s->labels) + 1;
	size_t name_bytes = s->count == 0 ? strlen(s->name) + 1 : 0;
	struct profile_entry *e = malloc(sizeof(*e) + frames_bytes + labels_bytes + name_bytes);

	if (!e)
		return NULL;
	char *texts = (char *)&e->frames[s->count];

	*e = (struct profile_entry){.hash = hash,
		.count = s->count,
		.labels = texts,
		.bytes = s->bytes,
		.rate = s->rate};
	if (frames_bytes > 0)
		memcpy(e->frames, s->frames, frames_bytes);
	memcpy(texts, s->labels, labels_bytes);
	if (name_bytes > 0)
		e->name = memcpy(texts + labels_bytes, s->name, name_bytes);
	return e;
}

struct profile_entry *profile_add(
	struct profile *p, const struct profile_stack *stack, const uint64_t *values)
{
	uint64_t hash = hash_stack(stack);
	struct profile_entry *e = p->bucket_count ? p->buckets[hash % p->bucket_count] : NULL;

	while (e && !is_of(e, hash, stack))
		e = e->next;
	if (!e) {
		e = make_room(p) ? entry_new(stack, hash) : NULL;
		if (!e) {
			p->failed = true;
			return NULL;
		}
		e->next = p->buckets[hash % p->bucket_count];
		p->buckets[hash % p->bucket_count] = e;
		p->entry_count++;
	}
	for (uint32_t i = 0; i < p->kind->value_count; i++)
		e->values[i] += values[i];
	return e;
}

void profile_subtract(struct profile *p, const struct profile *before)
{
	for (size_t i = 0; i < before->bucket_count; i++)
		for (const struct profile_entry *e = before->buckets[i]; e; e = e->next) {
			struct profile_stack s = {
				e->frames, e->count, e->name, e->labels, e->bytes, e->rate};
			uint64_t values[PROFILE_VALUES_MAX];

			for (uint32_t k = 0; k < PROFILE_VALUES_MAX; k++)
				values[k] = 0 - e->values[k];
			profile_add(p, &s, values);
		}
	p->duration = p->time - before->time;
	p->time = before->time;
	p->failed |= before->failed;
}

static int compare(const void *left, const void *right)
{
	const struct profile_entry *a = *(struct profile_entry *const *)left;
	const struct profile_entry *b = *(struct profile_entry *const *)right;

	if (a->order != b->order)
		return a->order > b->order ? -1 : 1;
	// Any order that stays the same from one profile of this process to the next.
	return a->hash == b->hash ? 0 : a->hash > b->hash ? -1 : 1;
}

static bool is_zero(const struct profile_entry *e)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < PROFILE_VALUES_MAX; i++)
		bits |= e->values[i];
	return bits == 0;
}

struct profile_entry **profile_sorted(const struct profile *p, size_t *count)
{
	struct profile_entry **sorted =
		malloc((p->entry_count + 1) * sizeof(struct profile_entry *));
	size_t n = 0;

	for (size_t i = 0; sorted && i < p->bucket_count; i++)
		for (struct profile_entry *e = p->buckets[i]; e; e = e->next)
			if (!is_zero(e)) {
				e->order = (int64_t)e->values[p->kind->sort_by];
				sorted[n++] = e;
			}
	if (n > 0)
		qsort(sorted, n, sizeof(struct profile_entry *), compare);
	*count = n;
	return sorted;
}
