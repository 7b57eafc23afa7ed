// SPDX-License-Identifier: MIT
// tuza-vet: ignore-file copylocks, what is copied are maps that were never used
/*
 * Concurrent maps: sync.Map, which is also x/sync's syncmap (E5). After Go's sync/map_test.go.
 */
#include "sync_support.h"

#define KEYS 64

static uint64_t text_hash(const void *key)
{
	uint64_t hash = 0;

	for (const char *s = key; *s; s++)
		hash = hash * 31 + (unsigned char)*s;
	return hash;
}

static bool text_equal(const void *a, const void *b) { return strcmp(a, b) == 0; }
static uint64_t one_hash(const void *key) { return (void)key, 1; }
static bool address_equal(const void *a, const void *b) { return a == b; }

// The maps that the sequential tests try: by address, by functions, all keys in one chain.
static const tuza_map kinds[] = {
	{.hash = NULL},
	{.hash = text_hash, .equal = text_equal},
	{.hash = one_hash, .equal = address_equal},
};
#define FOR_KINDS(map)                                                                             \
	for (size_t kind_ = 0; kind_ < 3; kind_++)                                                 \
		for (tuza_map map = kinds[kind_], *once_ = &map; once_;                            \
			tuza_map_free(&map), once_ = NULL)

static char texts[KEYS][8];
static const void *key_of(int i) { return texts[i]; }

static void make_keys(void)
{
	for (int i = 0; i < KEYS; i++)
		snprintf(texts[i], sizeof(texts[i]), "k%d", i);
}

static bool count_key(const void *key, void *value, void *arg)
{
	int *seen = arg;
	(void)value;
	seen[((const char *)key - texts[0]) / (int)sizeof(texts[0])]++;
	return true;
}

static void *as_value(int i) { return (void *)(intptr_t)i; }

// T5.7: Go: TestMapMatchesRWMutex: random sequences of all operations, against an array.
TEST(map_does_what_a_plain_table_does)
{
	make_keys();
	FOR_KINDS(map)
	{
		bool has[KEYS] = {false};
		int values[KEYS] = {0};
		unsigned seed = 5;
		size_t n = 0;

		for (int step = 0; step < 30000; step++) {
			int k = rand_r(&seed) % KEYS, v = rand_r(&seed) % 3;
			void *got = &seed;
			bool had = has[k];
			void *old = had ? as_value(values[k]) : NULL;

			switch (rand_r(&seed) % 9) {
			case 0:
				CHECK_EQ(tuza_map_load(&map, key_of(k), &got), had);
				CHECK(got == old);
				break;
			case 1:
				tuza_map_store(&map, key_of(k), as_value(v));
				has[k] = true, values[k] = v;
				break;
			case 2:
				CHECK_EQ(tuza_map_load_or_store(&map, key_of(k), as_value(v), &got),
					had);
				CHECK(got == (had ? old : as_value(v)));
				if (!had)
					has[k] = true, values[k] = v;
				break;
			case 3:
				CHECK_EQ(tuza_map_load_and_delete(&map, key_of(k), &got), had);
				CHECK(got == old);
				has[k] = false;
				break;
			case 4:
				tuza_map_delete(&map, key_of(k));
				has[k] = false;
				break;
			case 5:
				CHECK_EQ(tuza_map_swap(&map, key_of(k), as_value(v), &got), had);
				CHECK(got == old);
				has[k] = true, values[k] = v;
				break;
			case 6: {
				bool swaps = had && values[k] == 1;
				CHECK_EQ(tuza_map_compare_and_swap(
						 &map, key_of(k), as_value(1), as_value(v)),
					swaps);
				if (swaps)
					values[k] = v;
				break;
			}
			case 7: {
				bool deletes = had && values[k] == 1;
				CHECK_EQ(tuza_map_compare_and_delete(&map, key_of(k), as_value(1)),
					deletes);
				has[k] = had && !deletes;
				break;
			}
			default:
				if (rand_r(&seed) % 256 == 0) {
					tuza_map_clear(&map);
					memset(has, 0, sizeof(has));
				}
				break;
			}
			n = 0;
			for (int i = 0; i < KEYS; i++)
				n += has[i];
			CHECK_EQ(tuza_map_len(&map), n);
		}
		int seen[KEYS] = {0};
		tuza_map_range(&map, count_key, seen);
		for (int i = 0; i < KEYS; i++)
			CHECK_EQ(seen[i], has[i]);
	}
}

// M60: a zeroed map, never stored to.
TEST(empty_map_finds_nothing)
{
	tuza_map map = {0};
	void *got = &map;

	CHECK(!tuza_map_load(&map, "key", &got));
	CHECK(got == NULL);
	CHECK(!tuza_map_load_and_delete(&map, "key", NULL));
	CHECK(!tuza_map_compare_and_swap(&map, "key", NULL, NULL)); // T5.7: on a missing key
	CHECK(!tuza_map_compare_and_delete(&map, "key", NULL));
	tuza_map_range(&map, count_key, NULL);
	tuza_map_clear(&map);
	CHECK_EQ(tuza_map_len(&map), 0);
	tuza_map_free(&map);
}

// NULL is a key and a value as any.
TEST(null_is_a_key_and_a_value)
{
	tuza_map map = {0};
	void *got = &map;

	tuza_map_store(&map, NULL, NULL);
	CHECK(tuza_map_load(&map, NULL, &got));
	CHECK(got == NULL);
	CHECK_EQ(tuza_map_len(&map), 1);
	tuza_map_delete(&map, NULL);
	CHECK(!tuza_map_load(&map, NULL, NULL));
	tuza_map_free(&map);
}

struct nested {
	tuza_map *map;
	int visits;
};

static bool change_while_visiting(const void *key, void *value, void *arg)
{
	struct nested *n = arg;
	int i = (int)(((const char *)key - texts[0]) / (int)sizeof(texts[0]));

	CHECK_EQ((intptr_t)value, i);
	n->visits++;
	CHECK(tuza_map_load_or_store(n->map, key, NULL, NULL));
	tuza_map_delete(n->map, key);
	tuza_map_delete(n->map, key_of(KEYS - 1 - i)); // not visited any more
	return true;
}

static bool stop_at_third(const void *key, void *value, void *arg)
{
	(void)key;
	(void)value;
	return ++*(int *)arg < 3;
}

// T5.7, M60: Go: TestMapRangeNestedCall; what was deleted before its turn is not visited.
TEST(range_lets_its_function_change_the_map)
{
	make_keys();
	FOR_KINDS(map)
	{
		struct nested n = {&map, 0};
		int visits = 0;

		for (int i = 0; i < KEYS; i++)
			tuza_map_store(&map, key_of(i), as_value(i));
		tuza_map_range(&map, stop_at_third, &visits);
		CHECK_EQ(visits, 3);
		tuza_map_range(&map, change_while_visiting, &n);
		CHECK_EQ(n.visits, KEYS / 2);
		CHECK_EQ(tuza_map_len(&map), 0);
	}
}

// Keys that compare by what they are: the pointer kept is the first one's.
TEST(map_with_functions_compares_keys_by_them)
{
	tuza_map map = {.hash = text_hash, .equal = text_equal};
	char one[] = "same", two[] = "same";
	void *got;

	tuza_map_store(&map, one, as_value(1));
	CHECK(tuza_map_load(&map, two, &got));
	CHECK_EQ((intptr_t)got, 1);
	CHECK(tuza_map_swap(&map, two, as_value(2), NULL));
	CHECK_EQ(tuza_map_len(&map), 1);
	CHECK(tuza_map_load_and_delete(&map, two, &got));
	CHECK_EQ((intptr_t)got, 2);
	tuza_map_free(&map);
}

struct concurrent {
	tuza_map map;
	atomic_bool stop;
	atomic_uint seeds;
	atomic_int wins;
};

static void come_and_go(void *arg)
{
	struct concurrent *c = arg;
	unsigned seed = atomic_fetch_add(&c->seeds, 1);

	for (int i = 0; i < 20000; i++) {
		int k = rand_r(&seed) % KEYS;
		void *got;
		switch (rand_r(&seed) % 4) {
		case 0:
			tuza_map_store(&c->map, key_of(k), as_value(k + 1));
			break;
		case 1:
			tuza_map_delete(&c->map, key_of(k));
			break;
		default:
			// A key has its own value or none, though others are moved about.
			if (tuza_map_load(&c->map, key_of(k), &got))
				CHECK_EQ((intptr_t)got, k + 1);
			else
				CHECK(got == NULL);
			break;
		}
		if (i % 512 == 0)
			tuza_yield();
	}
}

static void *come_and_go_on_thread(void *arg)
{
	come_and_go(arg);
	return NULL;
}

// T5.7: lookups without a lock, while keys come, move and go.
TEST(load_gets_the_value_of_its_key_while_others_change_the_map)
{
	make_keys();
	for (size_t kind = 0; kind < 2; kind++) {
		struct concurrent c = {.map = kinds[kind]};
		pthread_t thread;

		pthread_create(&thread, NULL, come_and_go_on_thread, &c);
		run_goroutines(4, come_and_go, &c);
		tuza_blocking_begin();
		pthread_join(thread, NULL);
		tuza_blocking_end();
		tuza_map_free(&c.map);
	}
}

static void publish(void *arg)
{
	struct concurrent *c = arg;

	for (int i = 0; i < KEYS; i++) {
		int *mine = malloc(sizeof(*mine));
		void *actual;
		*mine = i;
		bool loaded = tuza_map_load_or_store(&c->map, key_of(i), mine, &actual);
		CHECK_EQ(*(int *)actual, i);
		CHECK_EQ(loaded, actual != mine);
		if (loaded)
			free(mine);
		else
			c->wins++;
	}
}

static bool free_value(const void *key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	free(value);
	return true;
}

// M60: of many who store at the same time one wins, and all see what it made.
TEST(load_or_store_lets_one_win)
{
	make_keys();
	for (size_t kind = 0; kind < 2; kind++) {
		struct concurrent c = {.map = kinds[kind]};

		run_goroutines(8, publish, &c);
		CHECK_EQ(c.wins, KEYS);
		CHECK_EQ(tuza_map_len(&c.map), KEYS);
		tuza_map_range(&c.map, free_value, NULL);
		tuza_map_free(&c.map);
	}
}

static void store_for_ever(void *arg)
{
	struct concurrent *c = arg;

	for (int turn = 0; !atomic_load(&c->stop); turn++) {
		for (int i = 0; i < KEYS; i++)
			tuza_map_store(&c->map, key_of(i), as_value(turn));
		tuza_yield();
	}
}

// T5.7: Go: TestConcurrentRange: each key exactly once.
TEST(range_visits_each_key_once_while_values_change)
{
	make_keys();
	for (size_t kind = 0; kind < 2; kind++) {
		struct concurrent c = {.map = kinds[kind]};
		tuza_waitgroup wg = {0};

		for (int i = 0; i < KEYS; i++)
			tuza_map_store(&c.map, key_of(i), NULL);
		tuza_waitgroup_go(&wg, store_for_ever, &c);
		tuza_waitgroup_go(&wg, store_for_ever, &c);
		for (int round = 0; round < 50; round++) {
			int seen[KEYS] = {0};
			tuza_map_range(&c.map, count_key, seen);
			for (int i = 0; i < KEYS; i++)
				CHECK_EQ(seen[i], 1);
			tuza_yield();
		}
		atomic_store(&c.stop, true);
		tuza_waitgroup_wait(&wg);
		tuza_map_free(&c.map);
	}
}

// The table grows and shrinks in number without losing anybody.
TEST(map_holds_many_keys)
{
	enum { N = 100000 };
	tuza_map map = {0};
	void *got;

	for (intptr_t i = 0; i < N; i++)
		tuza_map_store(&map, (void *)(i * 16), (void *)i);
	CHECK_EQ(tuza_map_len(&map), N);
	for (intptr_t i = 0; i < N; i += 2)
		CHECK(tuza_map_load_and_delete(&map, (void *)(i * 16), NULL));
	for (intptr_t i = 0; i < N; i++)
		if (tuza_map_load(&map, (void *)(i * 16), &got) != (i % 2 == 1) ||
			(i % 2 == 1 && (intptr_t)got != i))
			CHECK(!"wrong");
	tuza_map_clear(&map);
	CHECK_EQ(tuza_map_len(&map), 0);
	tuza_map_free(&map);
}
