// SPDX-License-Identifier: MIT
/*
 * Single flight. After golang.org/x/sync/singleflight's tests.
 */
#include "sync_support.h"

struct flight {
	tuza_singleflight sf;
	tuza_chan *go_on; // the function waits for it
	atomic_int calls, back, shared;
	int made[2]; // by one call each; plain: ordered by the flight
};

static int answer(void *arg, void **result)
{
	struct flight *f = arg;

	int call = f->calls++;

	if (f->go_on)
		tuza_recv(f->go_on, NULL);
	f->made[call] = 42;
	*result = &f->made[call];
	return 7;
}

// T7.3: Go: TestDo.
TEST(do_returns_what_the_function_returned)
{
	struct flight f = {0};
	void *result = NULL;
	bool shared = true;

	CHECK_EQ(tuza_singleflight_do(&f.sf, "key", answer, &f, &result, &shared), 7);
	CHECK(result == &f.made[0]);
	CHECK(!shared);
	CHECK_EQ(tuza_singleflight_do(&f.sf, "key", answer, &f, NULL, NULL), 7);
	CHECK_EQ(f.calls, 2);
}

static void fly(struct flight *f)
{
	void *result = NULL;
	bool shared = false;

	CHECK_EQ(tuza_singleflight_do(&f->sf, "key", answer, f, &result, &shared), 7);
	CHECK_EQ(*(int *)result, 42);
	f->shared += shared;
	f->back++;
}

static void *fly_on_thread(void *arg)
{
	fly(arg);
	return NULL;
}

// T7.3: Go: TestDoDupSuppress.
TEST(callers_of_a_key_share_one_call)
{
	enum { N = 10 };
	struct flight f = {.go_on = tuza_chan_new(0, 0)};
	pthread_t thread;

	for (int i = 0; i < N; i++)
		TUZA_GO(fly, &f);
	CHECK(wait_parked("singleflight.Do", N - 1));
	pthread_create(&thread, NULL, fly_on_thread, &f);
	tuza_sleep(2 * TUZA_MILLISECOND);
	CHECK_EQ(f.calls, 1);
	CHECK_EQ(f.back, 0);
	tuza_chan_close(f.go_on);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	WAIT_UNTIL(f.back == N + 1);
	CHECK(f.calls <= 2);
	CHECK(f.shared >= N);
	tuza_chan_release(f.go_on);
}

static int answer_nothing(void *arg, void **result)
{
	struct flight *f = arg;

	CHECK(*result == NULL);
	f->calls++;
	tuza_recv(f->go_on, NULL);
	return 8;
}

static void fly_for(struct flight *f, const char *key)
{
	void *result = f;

	CHECK_EQ(tuza_singleflight_do(&f->sf, key, answer_nothing, f, &result, NULL), 8);
	CHECK(result == NULL);
	f->back++;
}

// E4: many keys at the same time, more than the table has chains.
TEST(different_keys_fly_apart)
{
	enum { N = 100 };
	static char keys[N][8];
	struct flight f = {.go_on = tuza_chan_new(0, 0)};

	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		TUZA_GO(fly_for, &f, keys[i]);
	}
	WAIT_UNTIL(f.calls == N);
	tuza_chan_close(f.go_on);
	WAIT_UNTIL(f.back == N);
	tuza_chan_release(f.go_on);
}

// The call of `f`, in the group of `leader`.
static void fly_in_group(struct flight *f, struct flight *leader)
{
	void *result = NULL;
	bool shared = false;

	CHECK_EQ(tuza_singleflight_do(&leader->sf, "key", answer, f, &result, &shared), 7);
	CHECK(result == &f->made[0]);
	f->shared += shared;
	f->back++;
}

// T7.3: Go: TestForget: a forgotten call goes on; the next one for the key starts anew, and a third
// joins the second.
TEST(forget_lets_the_next_call_begin)
{
	struct flight first = {.go_on = tuza_chan_new(0, 0)};
	struct flight second = {.go_on = tuza_chan_new(0, 0)};

	tuza_singleflight_forget(&first.sf, "key");
	TUZA_GO(fly, &first);
	WAIT_UNTIL(first.calls == 1);
	tuza_singleflight_forget(&first.sf, "key");
	for (int i = 0; i < 2; i++)
		TUZA_GO(fly_in_group, &second, &first);
	CHECK(wait_parked("singleflight.Do", 1)); // the third waits, for the second
	WAIT_UNTIL(second.calls == 1);            // which may not have come to its function yet
	CHECK_EQ(first.calls, 1);
	tuza_chan_close(second.go_on);
	WAIT_UNTIL(second.back == 2);
	CHECK_EQ(second.shared, 2);
	CHECK_EQ(first.back, 0);
	tuza_chan_close(first.go_on);
	WAIT_UNTIL(first.back == 1);
	CHECK_EQ(first.shared, 0);
	tuza_chan_release(first.go_on);
	tuza_chan_release(second.go_on);
}

static int crash(void *arg, void **result)
{
	struct flight *f = arg;

	(void)result;
	f->calls++;
	tuza_recv(f->go_on, NULL);
	tuza_panic("invalid memory address %d", 5);
}

static void fly_to_crash(void *arg)
{
	struct flight *f = arg;
	tuza_singleflight_do(&f->sf, "key", crash, f, NULL, NULL);
}

static void expect_crash(struct flight *f)
{
	CHECK_PANICS("invalid memory address 5", fly_to_crash, f);
	f->back++;
}

// T7.3: Go: TestPanicDo.
TEST(panic_is_raised_in_every_caller)
{
	struct flight f = {.go_on = tuza_chan_new(0, 0)};

	for (int i = 0; i < 5; i++)
		TUZA_GO(expect_crash, &f);
	CHECK(wait_parked("singleflight.Do", 4));
	tuza_chan_close(f.go_on);
	WAIT_UNTIL(f.back == 5);
	CHECK_EQ(f.calls, 1);
	// The key is free again.
	CHECK_EQ(tuza_singleflight_do(&f.sf, "key", answer, &f, NULL, NULL), 7);
	tuza_chan_release(f.go_on);
}

static int leave(void *arg, void **result)
{
	struct flight *f = arg;

	(void)result;
	f->calls++;
	tuza_recv(f->go_on, NULL);
	tuza_goexit();
}

static void count_back(void *f) { ((struct flight *)f)->back++; }

static void fly_and_leave(struct flight *f)
{
	TUZA_DEFER(count_back, f);
	tuza_singleflight_do(&f->sf, "key", leave, f, NULL, NULL);
	CHECK(!"returned");
}

// T7.3: Go: TestGoexitDo.
TEST(goexit_ends_every_caller)
{
	struct flight f = {.go_on = tuza_chan_new(0, 0)};

	for (int i = 0; i < 5; i++)
		TUZA_GO(fly_and_leave, &f);
	CHECK(wait_parked("singleflight.Do", 4));
	tuza_chan_close(f.go_on);
	WAIT_UNTIL(f.back == 5);
	CHECK_EQ(f.calls, 1);
	tuza_chan_release(f.go_on);
}
