// SPDX-License-Identifier: MIT
// The leak check: what is left behind, who may ask, how long it waits. T7.5.
#include "leak_support.h"

#include <pthread.h>

// ---- what is found ---------------------------------------------------------------------------

TEST(check_finds_nothing_where_nothing_is_left)
{
	CHECK_EQ(FOUND(.fd = 0), 0);
	CHECK_STR(report, "");
	CHECK_EQ(tuza_leak_check(NULL), 0);
	tuza_leak_verify(NULL);
}

TEST(check_reports_a_goroutine_that_waits)
{
	begin();
	starts_one();
	wait_parked("chan receive", 1);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_EQ(strncmp(report, "found unexpected goroutines:\ngoroutine ", 39), 0);
	CHECK_CONTAINS(report, " [chan receive]:\n");
	CHECK_CONTAINS(report, " in goroutine 1\n\t");
	CHECK_EQ(report[strlen(report) - 1], '\n');
	if (has_names()) {
		CHECK_CONTAINS(report, "\nwaits(...)\n\t");
		CHECK_CONTAINS(report, "\ncreated by starts_one in goroutine 1\n\t");
	}
	end();
}

TEST(check_reports_each_in_order_with_blank_lines_between)
{
	unsigned long long last = 0, id;
	int n = 0;

	begin();
	leave(waits, 5);
	CHECK_EQ(FOUND(.fd = 0), 5);
	CHECK_EQ(occurrences("found unexpected"), 1);
	CHECK_EQ(occurrences("\n\n"), 4);
	for (const char *at = report; (at = strstr(at, "\ngoroutine ")); at++, n++) {
		if (!CHECK_EQ(sscanf(at, "\ngoroutine %llu [", &id), 1))
			break;
		CHECK(id > last);
		last = id;
	}
	CHECK_EQ(n, 5);
	end();
}

TEST(check_reports_a_hundred_and_counts_the_rest)
{
	begin();
	leave(waits, 107);
	CHECK_EQ(FOUND(.fd = 0), 107);
	CHECK_EQ(occurrences("\ngoroutine "), 100);
	CHECK_CONTAINS(report, "\n\n...and 7 more goroutines...\n");
	end();
}

TEST(report_in_a_small_buffer_is_cut)
{
	char small[8], untouched = 'x';

	begin();
	leave(waits, 1);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){
			 .wait = -1, .fd = -1, .buffer = small, .buffer_bytes = sizeof(small)}),
		1);
	CHECK_STR(small, "found u");
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){
			 .wait = -1, .fd = -1, .buffer = &untouched, .buffer_bytes = 0}),
		1);
	CHECK_EQ(untouched, 'x');
	end();
}

TEST(report_goes_to_the_descriptor_that_is_named)
{
	static char written[64 << 10];
	int fd = memfd_create("report", MFD_CLOEXEC);

	begin();
	leave(waits, 1);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = -1, .fd = fd}), 1);
	ssize_t n = pread(fd, written, sizeof(written) - 1, 0);
	written[n > 0 ? n : 0] = 0;
	CHECK_STR(written, report);
	close(fd);
	end();
}

static atomic_int count; // what `checks` has found

static void checks(void *arg)
{
	(void)arg;
	atomic_store(&count, (int)FOUND(.fd = 0));
}

TEST(check_leaves_out_the_caller_and_goroutine_1)
{
	atomic_store(&count, 99);
	tuza_join(tuza_spawn(checks, NULL));
	CHECK_EQ(count, 0);
	begin();
	leave(waits, 2);
	tuza_join(tuza_spawn(checks, NULL));
	CHECK_EQ(count, 2);
	end();
}

TEST(check_fits_on_the_smallest_stack)
{
	atomic_store(&count, 99);
	begin();
	leave(waits, 1);
	tuza_go_with(&(tuza_go_options){.stack_bytes = 16 << 10}, checks, NULL);
	WAIT_UNTIL(atomic_load(&count) != 99);
	CHECK_EQ(count, 1);
	end();
}

static atomic_int stop; // 1: it runs, 2: it shall end

static void computes(void *arg)
{
	(void)arg;
	atomic_store(&stop, 1);
	while (atomic_load(&stop) != 2)
		;
}

TEST(check_finds_goroutines_that_run)
{
	atomic_store(&stop, 0);
	tuza_go(computes, NULL);
	WAIT_UNTIL(atomic_load(&stop) == 1); // with one processor the monitor lends another
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_CONTAINS(report, " [running]:\n");
	CHECK_CONTAINS(report, "\ncreated by ");
	atomic_store(&stop, 2);
}

static void blocks_its_thread(void *arg)
{
	(void)arg;
	tuza_blocking_begin();
	atomic_store(&stop, 1);
	while (atomic_load(&stop) != 2)
		usleep(100);
	tuza_blocking_end();
}

TEST(check_finds_goroutines_in_blocking_sections)
{
	atomic_store(&stop, 0);
	tuza_go(blocks_its_thread, NULL);
	WAIT_UNTIL(atomic_load(&stop) == 1);
	CHECK_EQ(FOUND(.fd = 0), 1);
	CHECK_CONTAINS(report, " [syscall]:\n");
	if (has_names()) // nobody can walk its stack, but its creator is known
		CHECK_EQ(FOUND(.ignore_created_by = __func__), 0);
	atomic_store(&stop, 2);
}

TEST(check_finds_none_of_the_runtimes_own)
{
	tuza_ticker *ticker = tuza_ticker_new(TUZA_MILLISECOND);
	tuza_timer *timer = tuza_timer_new(TUZA_HOUR);
	int64_t tick;

	tuza_recv(tuza_ticker_chan(ticker), &tick); // machines, monitor and timekeeper are at work
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(FOUND(.fd = 0), 0);
		tuza_sleep(100 * TUZA_MICROSECOND);
	}
	CHECK_STR(report, "");
	tuza_timer_free(timer);
	tuza_ticker_free(ticker);
}

TEST(check_finds_what_a_timer_has_started)
{
	begin();
	tuza_timer *timer = tuza_after_func(0, waits, NULL);
	wait_parked("chan receive", 1);
	CHECK_EQ(FOUND(.fd = 0), 1);
	tuza_timer_free(timer);
	end();
}

static void *waits_on_a_thread(void *arg)
{
	waits(arg);
	return NULL;
}

TEST(check_does_not_count_threads)
{
	pthread_t thread;

	begin();
	pthread_create(&thread, NULL, waits_on_a_thread, NULL);
	wait_parked("chan receive", 1);
	CHECK_EQ(FOUND(.fd = 0), 0);
	tuza_chan_close(quit);
	pthread_join(thread, NULL);
	tuza_chan_release(quit);
}

// ---- who calls it ----------------------------------------------------------------------------

TEST_PLAIN(check_on_a_plain_thread_without_a_runtime_finds_nothing)
{
	CHECK_EQ(FOUND(.fd = 0), 0);
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();
	CHECK_EQ(FOUND(.ignore_current = before), 0);
	tuza_leak_snapshot_free(before);
	tuza_leak_snapshot_free(NULL);
	CHECK_EQ(tuza_leak_check(NULL), 0);
}

TEST_PLAIN(check_on_a_plain_thread_finds_goroutines)
{
	begin();
	leave(waits, 3);
	CHECK_EQ(FOUND(.fd = 0), 3);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = TUZA_MILLISECOND, .fd = -1}), 3);
	end();
}

static void *checks_on_a_thread(void *arg)
{
	checks(arg);
	return NULL;
}

TEST(check_on_a_thread_beside_tuza_run_finds_goroutines_but_1)
{
	pthread_t thread;

	begin();
	leave(waits, 2);
	tuza_blocking_begin();
	pthread_create(&thread, NULL, checks_on_a_thread, NULL);
	pthread_join(thread, NULL);
	tuza_blocking_end();
	CHECK_EQ(count, 2);
	end();
}

TEST(check_in_a_blocking_section_may_wait)
{
	begin();
	leave(waits, 1);
	tuza_blocking_begin();
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = TUZA_MILLISECOND, .fd = -1}), 1);
	tuza_blocking_end();
	end();
}

static tuza_chan *start;
static tuza_leak_snapshot *known;

static void checks_often(void *arg)
{
	(void)arg;
	tuza_chan_recv(start, NULL);
	for (int i = 0; i < 50; i++) {
		tuza_leak_options options = {.wait = -1, .fd = -1, .ignore_current = known};

		CHECK_EQ(tuza_leak_check(&options), 0);
	}
}

TEST(checks_may_run_at_the_same_time)
{
	tuza_goroutine *g[4];

	begin();
	start = tuza_chan_new(1, 0);
	for (int i = 0; i < 4; i++)
		g[i] = tuza_spawn(checks_often, NULL);
	leave(waits, 20);
	known = tuza_leak_snapshot_new();
	tuza_chan_close(start);
	for (int i = 0; i < 4; i++)
		tuza_join(g[i]);
	tuza_leak_snapshot_free(known);
	tuza_chan_release(start);
	end();
}

// ---- how long it waits -----------------------------------------------------------------------

// Ends the others when goroutine 1 is seen in a pause of its check.
static void ends_them(void *arg)
{
	(void)arg;
	WAIT_UNTIL(test_count_in_dump("goroutine 1 [sleep") > 0);
	tuza_chan_close(quit);
}

TEST(goroutine_that_ends_meanwhile_is_no_leak)
{
	begin();
	leave(waits, 3);
	CHECK_EQ(FOUND(.fd = 0), 3);
	int64_t before = tuza_now();
	tuza_go(ends_them, NULL);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = 25 * TUZA_SECOND}), 0);
	CHECK(tuza_now() - before < 20 * TUZA_SECOND); // it ended with them, not with the wait
	tuza_chan_release(quit);
}

// Without the retries this fails at once: goroutines that have signalled their end still live.
TEST(check_after_a_waitgroup_finds_nothing)
{
	for (int i = 0; i < 200; i++) {
		tuza_waitgroup wg = {0};

		for (int k = 0; k < 4; k++)
			tuza_waitgroup_go(&wg, does_nothing, NULL);
		tuza_waitgroup_wait(&wg);
		CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = 10 * TUZA_SECOND}), 0);
	}
}

TEST(check_waits_as_long_as_it_is_told)
{
	int64_t before;

	begin();
	leave(waits, 1);
	before = tuza_now();
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.fd = -1, .wait = 50 * TUZA_MILLISECOND}), 1);
	CHECK(tuza_now() - before >= 50 * TUZA_MILLISECOND);
	before = tuza_now();
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.fd = -1}), 1);
	CHECK(tuza_now() - before >= 500 * TUZA_MILLISECOND);
	end();
}
