// SPDX-License-Identifier: MIT
// Objects of other layers in the report of a leak check.
#include "dumps.h"

#include "base/leak_source.h"

#include <tuza/sync.h>
#include <tuza/testing.h>

// ---- a layer with objects to be freed --------------------------------------------------------

struct thing {
	struct leaked leaked;
	struct thing *next;
};

static tuza_mutex things_lock;
static struct thing *things; // guarded by things_lock
static uint64_t last_id;     // guarded by things_lock

static void each_thing(leak_found *found, void *arg)
{
	TUZA_LOCK(&things_lock);
	for (struct thing *t = things; t; t = t->next) {
		struct leaked shown = t->leaked;
		char name[32]; // need not last longer than the call

		snprintf(name, sizeof(name), "%s", t->leaked.text);
		shown.text = name;
		found(&shown, arg);
		memset(name, '?', sizeof(name) - 1);
		KEEP_FRAME();
	}
}

static void each_of_none(leak_found *found, void *arg)
{
	(void)found;
	(void)arg;
}

static void each_of_200(leak_found *found, void *arg)
{
	for (uint64_t i = 1; i <= 200; i++)
		found(&(struct leaked){.id = i, .text = "one of many"}, arg);
}

static __attribute__((noinline)) struct thing *thing_new(const char *name)
{
	struct thing *t = calloc(1, sizeof(*t));

	TUZA_LOCK(&things_lock);
	t->leaked = (struct leaked){.id = ++last_id,
		.text = name,
		.creator_id = tuza_id(),
		.creation_pc = (uintptr_t)__builtin_return_address(0)};
	t->next = things;
	things = t;
	return t;
}

static void thing_free(struct thing *thing)
{
	TUZA_LOCK(&things_lock);
	for (struct thing **t = &things; *t; t = &(*t)->next)
		if (*t == thing) {
			*t = thing->next;
			break;
		}
	free(thing);
}

// The library's sources stay for good: they are added before the first test.
__attribute__((constructor)) static void add_sources(void)
{
	static struct leak_source source = {.title = "found things:", .each = each_thing};
	static struct leak_source none = {.title = "found nothing:", .each = each_of_none};

	leak_source_add(&none);
	leak_source_add(&source);
}

static size_t found(tuza_leak_options options)
{
	options.fd = -1;
	options.wait = -1;
	options.buffer = text;
	options.buffer_bytes = sizeof(text);
	return tuza_leak_check(&options);
}
#define FOUND(...) found((tuza_leak_options){__VA_ARGS__})

static __attribute__((noinline)) struct thing *makes_one(const char *name)
{
	struct thing *t = thing_new(name);

	KEEP_FRAME();
	return t;
}

// ---- in the report ---------------------------------------------------------------------------

TEST(objects_are_counted_and_described)
{
	CHECK_EQ(FOUND(.fd = 0), 0);
	CHECK_STR(text, "");
	struct thing *a = makes_one("thing a");
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_EQ(strncmp(text, "found things:\nthing a\ncreated by ", 33), 0);
	CHECK_CONTAINS(text, " in goroutine 1\n\t");
	if (has_names())
		CHECK_CONTAINS(text, "\ncreated by makes_one in goroutine 1\n\t");
	struct thing *b = makes_one("thing b");
	CHECK_EQ(FOUND(.fd = 0), 2);
	CHECK_CONTAINS(text, "\n\nthing a\n");
	thing_free(a);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK(!strstr(text, "thing a"));
	thing_free(b);
	CHECK_EQ(FOUND(.fd = 0), 0);
}

TEST(objects_come_after_goroutines)
{
	empty = tuza_chan_new(1, 0);
	tuza_goroutine *g = tuza_spawn(receives, NULL);
	struct thing *t = makes_one("a thing");
	wait_parked("chan receive", 1);
	CHECK_EQ(FOUND(.fd = 0), 2);
	CHECK_EQ(strncmp(text, "found unexpected goroutines:\ngoroutine ", 39), 0);
	CHECK_CONTAINS(text, "\n\nfound things:\na thing\n");
	thing_free(t);
	tuza_chan_close(empty);
	tuza_join(g);
	tuza_chan_release(empty);
}

TEST(objects_are_ignored_by_creator_and_by_snapshot)
{
	struct thing *old = makes_one("old");
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();
	struct thing *new = thing_new("new");

	CHECK_EQ(FOUND(.fd = 0), 2);
	CHECK_EQ(FOUND(.ignore_current = before), 1);
	CHECK_CONTAINS(text, "\nnew\n");
	if (has_names()) {
		CHECK_EQ(FOUND(.ignore_created_by = "makes_one"), 1);
		CHECK_CONTAINS(text, "\nnew\n");
		CHECK_EQ(FOUND(.ignore_created_by = "makes_one, test_*, objects_*"), 0);
		CHECK_EQ(FOUND(.ignore_current = before, .ignore_created_by = __func__), 0);
	}
	tuza_leak_snapshot_free(before);
	thing_free(old);
	thing_free(new);
}

static struct thing *late;

static void frees_it(void *arg)
{
	(void)arg;
	WAIT_UNTIL(test_count_in_dump("goroutine 1 [sleep") > 0);
	thing_free(late);
}

TEST(object_that_is_freed_meanwhile_is_no_leak)
{
	late = makes_one("late");
	CHECK_EQ(FOUND(.fd = 0), 1);
	tuza_go(frees_it, NULL);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = 25 * TUZA_SECOND}), 0);
}

// The last test: this source stays.
TEST(many_objects_are_counted)
{
	static struct leak_source many = {.title = "found many:", .each = each_of_200};
	struct thing *t = makes_one("a thing");
	tuza_leak_snapshot *before;
	int n = 0;

	leak_source_add(&many);
	CHECK_EQ(FOUND(.fd = 0), 201);
	for (const char *at = text; (at = strstr(at, "one of many\n")); at++)
		n++;
	CHECK_EQ(n, 100);
	CHECK_CONTAINS(text, "\n\n...and 100 more objects...\n");
	CHECK_CONTAINS(text, "\n\nfound things:\na thing\n");
	before = tuza_leak_snapshot_new();
	CHECK_EQ(FOUND(.ignore_current = before), 0);
	tuza_leak_snapshot_free(before);
	thing_free(t);
	many.each = each_of_none; // for the harness
}
