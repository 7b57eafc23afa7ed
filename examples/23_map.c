// SPDX-License-Identifier: MIT
/*
 * A cache in a map for concurrent use. Those who miss the same key at the same time share one look
 * at the database: single flight.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <tuza/tuza.h>

static uint64_t hash(const void *key)
{
	uint64_t h = 14695981039346656037u; // FNV-1a

	for (const char *c = key; *c; c++)
		h = (h ^ (unsigned char)*c) * 1099511628211u;
	return h;
}

static bool equal(const void *a, const void *b) { return strcmp(a, b) == 0; }

// Safe for concurrent use, as the map and the single flight are.
static tuza_map cache = {.hash = hash, .equal = equal};
static tuza_singleflight flights;
static atomic_int queries, correct;

static int query(void *name, void **result)
{
	if (tuza_map_load(&cache, name, result)) // the flight before this one brought it
		return 0;
	tuza_sleep(TUZA_MILLISECOND);
	atomic_fetch_add(&queries, 1);
	*result = strcmp(name, "ann") == 0 ? "Ann Arbor" : "Bob Hope";
	tuza_map_store(&cache, name, *result);
	return 0;
}

static void look_up(void *name)
{
	void *found;

	if (!tuza_map_load(&cache, name, &found) &&
		tuza_singleflight_do(&flights, name, query, name, &found, NULL) != 0)
		tuza_panic("out of memory");
	atomic_fetch_add(&correct, *(char *)found == (*(char *)name ^ ' '));
}

static int program(void *arg)
{
	static char ann[] = "ann", bob[] = "bob";
	tuza_waitgroup wg = {0};

	(void)arg;
	for (int i = 0; i < 1000; i++)
		tuza_waitgroup_go(&wg, look_up, i % 2 ? ann : bob);
	tuza_waitgroup_wait(&wg);
	printf("%d look-ups, %d queries, %zu names\n", correct, queries, tuza_map_len(&cache));
	tuza_map_free(&cache);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
1000 look-ups, 2 queries, 2 names
 */
