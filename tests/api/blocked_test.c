// SPDX-License-Identifier: MIT
// Where goroutines are blocked: tuza_blocked_write.
#include "test.h"

#include <tuza/sync.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static char text[256 << 10];

// What tuza_blocked_write says of those blocked for at least `age`.
static const char *blocked(int64_t age)
{
	int fd = memfd_create("blocked", MFD_CLOEXEC);

	CHECK_EQ(tuza_blocked_write(fd, age), 0);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return text;
}

static tuza_chan *quit;
static tuza_mutex held;

static __attribute__((noinline)) void waits_here(void *arg)
{
	(void)arg;
	tuza_chan_recv(quit, NULL);
	KEEP_FRAME();
}

static __attribute__((noinline)) void waits_there(void *arg)
{
	(void)arg;
	tuza_chan_recv(quit, NULL);
	KEEP_FRAME();
}

static __attribute__((noinline)) void locks(void *arg)
{
	(void)arg;
	tuza_mutex_lock(&held);
	tuza_mutex_unlock(&held);
	KEEP_FRAME();
}

static void begin(void)
{
	quit = tuza_chan_new(0, 0);
	tuza_mutex_lock(&held);
	for (int i = 0; i < 7; i++)
		tuza_go(waits_here, NULL);
	for (int i = 0; i < 2; i++)
		tuza_go(waits_there, NULL);
	for (int i = 0; i < 3; i++)
		tuza_go(locks, NULL);
	WAIT_UNTIL(test_count_in_dump("[chan receive") == 9 &&
		   test_count_in_dump("[sync.Mutex.Lock") == 3);
}

static void end(void)
{
	tuza_mutex_unlock(&held);
	tuza_chan_close(quit);
	tuza_chan_release(quit);
}

TEST(those_blocked_at_one_place_for_one_reason_are_one_group)
{
	begin();
	blocked(0);
	CHECK_CONTAINS(text, "12 goroutines blocked, at 3 places\n");
	CHECK_CONTAINS(text, "7 goroutines [chan receive] for ");
	CHECK_CONTAINS(text, "2 goroutines [chan receive] for ");
	CHECK_CONTAINS(text, "3 goroutines [sync.Mutex.Lock] for ");
	CHECK_CONTAINS(text, "waits_here");
	CHECK_CONTAINS(text, "waits_there");
	CHECK_CONTAINS(text, "created by begin");
	end();
}

TEST(the_largest_group_comes_first)
{
	begin();
	blocked(0);
	const char *seven = strstr(text, "7 goroutines ["), *three = strstr(text, "3 goroutines ["),
		   *two = strstr(text, "\n2 goroutines [");
	CHECK(seven && three && two && seven < three && three < two);
	end();
}

TEST(those_blocked_for_less_are_left_out)
{
	begin();
	CHECK_STR(blocked(TUZA_HOUR), "0 goroutines blocked, at 0 places\n");
	end();
}

static void sleeps(void *arg)
{
	(void)arg;
	tuza_sleep(20 * TUZA_MILLISECOND);
}

TEST(a_sleep_is_no_block)
{
	tuza_go(sleeps, NULL);
	WAIT_UNTIL(test_count_in_dump("[sleep") == 1 || tuza_num_goroutine() == 1);
	CHECK_STR(blocked(0), "0 goroutines blocked, at 0 places\n");
}

TEST(a_bad_descriptor_is_told) { CHECK_EQ(tuza_blocked_write(-1, 0), -EBADF); }

TEST_PLAIN(without_a_runtime_nobody_is_blocked)
{
	CHECK_STR(blocked(0), "0 goroutines blocked, at 0 places\n");
}
