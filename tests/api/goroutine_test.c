// SPDX-License-Identifier: MIT
/*
 * Starting goroutines, waiting for them, their numbers, names, labels and ends.
 */
#include "../test.h"

#include <tuza/errno.h>

static atomic_int counter;

static void count_up(void *arg)
{
	(void)arg;
	atomic_fetch_add(&counter, 1);
}

TEST(go_runs_the_function_with_its_argument)
{
	atomic_store(&counter, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(tuza_go(count_up, NULL), 0);
	WAIT_UNTIL(counter == 1000);
}

struct args {
	int sum;
	char text[400];
	atomic_int *seen;
};

static void check_args(void *arg)
{
	struct args *args = arg;

	tuza_yield();
	CHECK_EQ(args->text[0] + args->text[399], args->sum);
	args->sum = 0; // the copy is the goroutine's own
	atomic_fetch_add(args->seen, 1);
}

static void check_null(void *arg)
{
	(void)arg;
	atomic_fetch_add(&counter, 1);
}

TEST(go_copy_copies_the_arguments_now)
{
	atomic_int seen = 0;
	struct args args = {.seen = &seen};

	for (int i = 0; i < 50; i++) {
		args.sum = i + 10;
		args.text[0] = (char)i;
		args.text[399] = 10;
		CHECK_EQ(tuza_go_copy(check_args, &args, sizeof(args)), 0);
		memset(args.text, 99, sizeof(args.text));
	}
	WAIT_UNTIL(seen == 50);
	atomic_store(&counter, 0);
	CHECK_EQ(tuza_go_copy(check_null, NULL, 0), 0);
	WAIT_UNTIL(counter == 1);
}

static void copy_bytes(void *arg)
{
	unsigned char *bytes = arg;

	for (int i = 1; i < bytes[0]; i++)
		CHECK_EQ(bytes[i], i);
	CHECK_EQ((uintptr_t)arg % _Alignof(max_align_t), 0);
	atomic_fetch_add(&counter, 1);
}

TEST(go_copy_takes_every_size)
{
	unsigned char bytes[256];

	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	atomic_store(&counter, 0);
	for (size_t n = 1; n < 256; n++) {
		bytes[0] = (unsigned char)n;
		CHECK_EQ(tuza_go_copy(copy_bytes, bytes, n), 0);
	}
	WAIT_UNTIL(counter == 255);
}

static int depth_of(int n)
{
	volatile char frame[1024];

	frame[0] = frame[1023] = (char)n;
	return n == 0 ? 0 : depth_of(n - 1) + (frame[0] == frame[1023]);
}

static void use_stack(void *arg)
{
	int kib = *(int *)arg;

	CHECK_EQ(depth_of(kib * 3 / 4), kib * 3 / 4);
	atomic_fetch_add(&counter, 1);
}

TEST(go_with_gives_name_and_stack)
{
	static int sizes[] = {64, 256, 1024, 16 * 1024};
	size_t large = sizeof(void *) > 4 ? (size_t)1 << 31 : 0;

	atomic_store(&counter, 0);
	for (size_t i = 0; i < 4; i++) {
		tuza_go_options options = {.name = "deep", .stack_bytes = (size_t)sizes[i] * 1024};
		int fit = sizes[i] - 64; // a guard and the first calls take their part
		sizes[i] = fit > 0 ? fit : 8;
		CHECK_EQ(tuza_go_with(&options, use_stack, &sizes[i]), 0);
	}
	WAIT_UNTIL(counter == 4);
	CHECK_EQ(tuza_go_with(&(tuza_go_options){.stack_bytes = 1}, count_up, NULL), -EINVAL);
	CHECK_EQ(tuza_go_with(&(tuza_go_options){.stack_bytes = large}, count_up, NULL), -EINVAL);
	CHECK_EQ(tuza_go_with(&(tuza_go_options){0}, count_up, NULL), 0);
	WAIT_UNTIL(counter == 5);
}

static void set_plain(void *arg)
{
	for (int i = 0; i < 10; i++)
		tuza_yield();
	*(int *)arg = 42;
}

// Checklist 12: join sees everything that the goroutine did.
TEST(join_waits_and_sees_what_the_goroutine_did)
{
	for (int i = 0; i < 1000; i++) {
		int plain = 0;
		tuza_goroutine *g = tuza_spawn(set_plain, &plain);

		if (!CHECK(g != NULL))
			return;
		if (i % 3 == 0)
			tuza_yield();
		CHECK_EQ(tuza_join(g), 0);
		CHECK_EQ(plain, 42);
	}
}

static void panic_at_once(void *arg) { tuza_panic("spawned %d", *(int *)arg); }
static void exit_at_once(void *arg)
{
	(void)arg;
	tuza_goexit();
}

TEST(join_tells_a_panic_and_not_a_goexit)
{
	int one = 1;

	for (int i = 0; i < 100; i++) {
		tuza_goroutine *g = tuza_spawn(panic_at_once, &one);
		tuza_goroutine *h = tuza_spawn(exit_at_once, NULL);
		CHECK_EQ(tuza_join(g), TUZA_EPANIC);
		CHECK_EQ(tuza_join(h), 0);
	}
}

static void end_when_told(void *arg) { tuza_chan_recv(arg, NULL); }

// A handle is ended exactly once, before or after its goroutine.
TEST(detached_goroutine_goes_on)
{
	tuza_chan *go_on = tuza_chan_new(0, 0);

	tuza_detach(tuza_spawn(end_when_told, go_on));
	tuza_goroutine *ended = tuza_spawn(exit_at_once, NULL);
	WAIT_UNTIL(tuza_num_goroutine() == 2);
	tuza_detach(ended);
	tuza_chan_send(go_on, NULL);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(go_on);
}

static void note_id(void *arg)
{
	*(uint64_t *)arg = tuza_id();
	tuza_yield();
	CHECK_EQ(tuza_id(), *(uint64_t *)arg);
	atomic_fetch_add(&counter, 1);
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

// L8: the main goroutine is number 1; no number is used again.
TEST(ids_are_unique)
{
	enum { N = 3000 };
	static uint64_t ids[N];

	CHECK_EQ(tuza_id(), 1);
	atomic_store(&counter, 0);
	for (int i = 0; i < N; i++) {
		CHECK_EQ(tuza_go(note_id, &ids[i]), 0);
		if (i % 100 == 0)
			WAIT_UNTIL(tuza_num_goroutine() == 1);
	}
	WAIT_UNTIL(counter == N);
	qsort(ids, N, sizeof(ids[0]), compare_ids);
	CHECK(ids[0] > 1);
	for (int i = 1; i < N; i++)
		CHECK(ids[i - 1] < ids[i]);
}

// R4, T3.9.
TEST(num_goroutine_counts_the_living)
{
	tuza_chan *go_on = tuza_chan_new(0, 0);

	CHECK_EQ(tuza_num_goroutine(), 1);
	for (size_t i = 1; i <= 100; i++) {
		TUZA_GO(end_when_told, go_on);
		CHECK_EQ(tuza_num_goroutine(), i + 1);
	}
	wait_parked("chan receive", 100);
	CHECK_EQ(test_count_in_dump("goroutine ") >= 101, 1);
	tuza_chan_close(go_on);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(go_on);
}

static void be_known(tuza_chan *go_on)
{
	tuza_set_name("worker %d of %s", 7, "the-pool");
	CHECK_EQ(tuza_set_label("tenant", "acme"), 0);
	CHECK_EQ(tuza_set_label("gone", "soon"), 0);
	CHECK_EQ(tuza_set_label("gone", NULL), 0);
	TUZA_GO(end_when_told, go_on);
	tuza_chan_recv(go_on, NULL);
}

// TB1, L11: names and labels are seen in dumps; a child has the labels of its maker.
TEST(name_and_labels_are_shown_and_labels_inherited)
{
	tuza_chan *go_on = tuza_chan_new(0, 0);

	TUZA_GO(be_known, go_on);
	wait_parked("chan receive", 2);
	CHECK_EQ(test_count_in_dump("worker 7 of the-pool"), 1);
	CHECK_EQ(test_count_in_dump("\"tenant\": \"acme\""), 2);
	CHECK_EQ(test_count_in_dump("gone"), 0);
	CHECK(test_count_in_dump("created by ") >= 2);
	tuza_chan_close(go_on);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(go_on);
}

static void keep_errno(int mine)
{
	errno = mine;
	for (int i = 0; i < 100; i++) {
		tuza_yield();
		CHECK_EQ(errno, mine);
	}
	atomic_fetch_add(&counter, 1);
}

// Rule 4, checklist 44: errno belongs to the goroutine, and no call of ours changes it.
TEST(errno_survives_parking)
{
	atomic_store(&counter, 0);
	for (int i = 1; i <= 20; i++)
		TUZA_GO(keep_errno, i);
	errno = 77;
	WAIT_UNTIL(counter == 20);
	CHECK_EQ(errno, 77);
}

static int start_many(void *unused)
{
	tuza_chan *stop = tuza_chan_new(0, 0);
	int changed = 0;

	(void)unused;
	for (int i = 0; i < 1500; i++) {
		errno = 77;
		TUZA_GO(tuza_chan_recv, stop, NULL);
		changed += errno != 77;
	}
	tuza_chan_close(stop);
	while (tuza_num_goroutine() > 1)
		tuza_yield();
	tuza_chan_release(stop);
	return changed;
}

// Nor does the memory that many need, for which limits are looked up: once a run.
TEST_PLAIN(starting_many_leaves_errno_alone) { CHECK_EQ(tuza_run(start_many, NULL), 0); }

// R1.
TEST(gomaxprocs_returns_the_old_value_and_asks_below_one)
{
	int before = tuza_gomaxprocs(0);

	CHECK(before >= 1);
	CHECK(tuza_num_cpu() >= 1);
	CHECK_EQ(tuza_gomaxprocs(3), before);
	CHECK_EQ(tuza_gomaxprocs(-5), 3);
	CHECK_EQ(tuza_gomaxprocs(100000), 3);
	CHECK_EQ(tuza_gomaxprocs(before), 1024);
	CHECK_EQ(tuza_gomaxprocs(0), before);
}
