// SPDX-License-Identifier: MIT
/*
 * Goroutines that start others, wait, panic, exit, block, change the number of processors: each
 * that was started ends once, its deferred calls and destructors run once.
 */
#include "stress.h"

static atomic_llong started, ended, deferred, destroyed, values_set;
static tuza_local *key;

static void note_defer(atomic_llong *count) { atomic_fetch_add(count, 1); }
static void note_destroy(void *value) { atomic_fetch_add((atomic_llong *)value, 1); }

struct plan {
	uint64_t random;
	int depth;
};

static void live(void *arg);

static struct plan plan_child(struct plan *p)
{
	atomic_fetch_add(&started, 1);
	return (struct plan){test_random(&p->random), p->depth - 1};
}

static void live_by_value(struct plan p) { live(&p); }

static void use_processor(uint64_t *random)
{
	for (volatile uint64_t i = test_random(random) % 2000; i > 0; i = i - 1)
		;
}

// One thing that a goroutine may do. Some do not return.
static void act(struct plan *p)
{
	struct plan child;
	tuza_goroutine *g;

	switch (test_random(&p->random) % 16) {
	case 0:
		child = plan_child(p);
		TUZA_GO(live_by_value, child);
		break;
	case 1:
		child = plan_child(p);
		CHECK_EQ(tuza_go_copy(live, &child, sizeof(child)), 0);
		break;
	case 2:
		child = plan_child(p);
		if (CHECK((g = tuza_spawn(live, &child)) != NULL))
			tuza_join(g);
		break;
	case 3:
		tuza_sleep((int64_t)(test_random(&p->random) % 100000));
		break;
	case 4:
		tuza_blocking_begin();
		usleep((useconds_t)(test_random(&p->random) % 100));
		tuza_blocking_end();
		break;
	case 5:
		tuza_lock_os_thread();
		tuza_yield();
		if (test_random(&p->random) % 16)
			tuza_unlock_os_thread();
		break;
	case 6:
		tuza_gomaxprocs(1 + (int)(test_random(&p->random) % 9));
		break;
	case 7:
		tuza_panic("one of many");
	case 8:
		tuza_goexit();
	case 9:
		atomic_fetch_add(&values_set, tuza_local_get(key) == NULL);
		CHECK_EQ(tuza_local_set(key, &destroyed), 0);
		break;
	case 10:
	case 11:
		use_processor(&p->random);
		break;
	default:
		tuza_yield();
	}
}

static void act_often(void *arg)
{
	struct plan *p = arg;

	TUZA_DEFER(note_defer, &deferred);
	for (int i = 0; i < 6; i++)
		act(p);
}

static void live(void *arg)
{
	struct plan *p = arg;

	TUZA_DEFER(note_defer, &ended);
	if (p->depth == 0) {
		atomic_fetch_add(&deferred, 1);
		return;
	}
	TUZA_IGNORE(tuza_try(act_often, p, NULL));
}

TEST(every_goroutine_ends_once_whatever_it_does)
{
	uint64_t seed = test_seed();
	int64_t end = test_stress_end();
	int processors = tuza_gomaxprocs(0);

	key = tuza_local_new(note_destroy);
	do {
		for (int i = 0; i < 50; i++) {
			struct plan p = {test_random(&seed), 5};
			atomic_fetch_add(&started, 1);
			TUZA_GO(live_by_value, p);
		}
		WAIT_UNTIL(ended == started);
		WAIT_UNTIL(tuza_num_goroutine() == 1);
		CHECK(deferred == started);
		CHECK(destroyed == values_set);
	} while (tuza_now() < end && !test_failures);
	tuza_gomaxprocs(processors);
	tuza_local_free(key);
}
