// SPDX-License-Identifier: MIT
// What the runtime counts. (O50)
#include "test.h"

#include <poll.h>
#include <tuza/go.h>
#include <tuza/io.h>
#include <tuza/sync.h>

static void waits(tuza_chan *c) { tuza_recv(c, NULL); }

static tuza_statistics now(void)
{
	tuza_statistics s;

	tuza_stats(&s);
	return s;
}

TEST(goroutines_are_counted_by_state)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_statistics before = now(), s;

	for (int i = 0; i < 100; i++)
		go(waits, c);
	WAIT_UNTIL(now().waiting >= before.waiting + 100);
	s = now();
	CHECK_EQ(s.goroutines, tuza_num_goroutine());
	CHECK_EQ(s.goroutines, before.goroutines + 100);
	CHECK_EQ(s.created, before.created + 100);
	CHECK_EQ(s.waiting, 100);
	CHECK_EQ(s.running, 1); // the caller
	CHECK_EQ(s.runnable, 0);
	CHECK_EQ(s.blocked, 0);
	tuza_chan_close(c);
	WAIT_UNTIL(now().goroutines == before.goroutines);
	tuza_chan_release(c);
}

static tuza_statistics seen_in_section;

static void looks_in_section(void *arg)
{
	(void)arg;
	seen_in_section = now();
}

TEST(blocking_section_is_a_state)
{
	tuza_blocking(looks_in_section, NULL);
	CHECK_EQ(seen_in_section.blocked, 1);
	CHECK_EQ(seen_in_section.running, 0);
}

static void sleeps(tuza_chan *c) { TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_AFTER(TUZA_HOUR)); }

TEST(timers_are_counted)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	uint64_t before = now().timers;

	for (int i = 0; i < 10; i++)
		go(sleeps, c);
	for (int64_t end = tuza_now() + 10 * TUZA_SECOND;
		now().timers < before + 10 && tuza_now() < end;)
		tuza_yield(); // a sleep would be a timer, too
	CHECK_EQ(now().timers, before + 10);
	tuza_chan_close(c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
	CHECK_EQ(now().timers, before);
}

TEST(processors_and_threads_are_counted)
{
	tuza_statistics s = now();

	CHECK_EQ(s.gomaxprocs, tuza_gomaxprocs(0));
	CHECK(s.processors >= 1);
	CHECK(s.processors_idle < s.processors); // one runs this
	CHECK(s.threads >= 1);
}

TEST(switches_are_counted)
{
	uint64_t before = now().switches;

	for (int i = 0; i < 1000; i++)
		tuza_yield();
	CHECK(now().switches >= before + 1000);
	CHECK(now().switches < before + 100000);
}

static void writes_once_it_waits(int fd)
{
	wait_parked("IO wait", 1);
	CHECK_EQ(write(fd, "x", 1), 1);
}

static void yields(tuza_waitgroup *wg)
{
	for (int i = 0; i < 100; i++)
		tuza_yield();
	tuza_waitgroup_done(wg);
}

TEST(thefts_are_counted_where_there_is_a_thief)
{
	tuza_waitgroup wg = {0};
	bool alone = tuza_gomaxprocs(0) == 1;

	// Until there was one: the kernel may run the threads one after the other for a while.
	for (int64_t end = tuza_now() + 10 * TUZA_SECOND; tuza_now() < end;) {
		tuza_waitgroup_add(&wg, 64);
		for (int i = 0; i < 64; i++)
			go(yields, &wg);
		tuza_waitgroup_wait(&wg);
		if (alone || now().stolen > 0)
			break;
	}
	// A single processor may be lent another, which needs a thread, and takes from the first.
	if (alone)
		CHECK(now().stolen == 0 || now().threads > 1);
	else
		CHECK(now().stolen > 0);
}

static void waits_deep(tuza_chan *c)
{
	char frame[20000];

	__asm__ volatile("" ::"r"(frame) : "memory"); // all of it is needed
	tuza_recv(c, NULL);
	__asm__ volatile("" ::"r"(frame) : "memory");
}

TEST(stacks_are_measured)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_statistics before = now(), s;

	for (int i = 0; i < 10; i++)
		go(waits_deep, c);
	WAIT_UNTIL(now().waiting >= before.waiting + 10);
	s = now();
	CHECK(s.stacks_used >= before.stacks_used + 200000);
	CHECK(s.stacks_used < before.stacks_used + 2000000);
	CHECK(s.stacks_reserved >= before.stacks_reserved + (s.stacks_used - before.stacks_used));
	tuza_chan_close(c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}

TEST_PLAIN(nothing_is_counted_while_nothing_runs)
{
	static const tuza_statistics none;
	tuza_statistics s;

	memset(&s, 0xff, sizeof(s));
	tuza_stats(&s);
	CHECK_EQ(memcmp(&s, &none, sizeof(s)), 0);
}

// ---- the text ----------------------------------------------------------------------------------

static char *metrics(void)
{
	int fd = memfd_create("metrics", MFD_CLOEXEC);
	off_t end;
	char *text;

	CHECK_EQ(tuza_metrics_write(fd), 0);
	end = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)end + 1);
	CHECK_EQ(pread(fd, text, (size_t)end, 0), end);
	close(fd);
	return text;
}

static bool is_name(const char *s)
{
	if (*s >= '0' && *s <= '9')
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz_:0123456789")] == 0 && *s;
}

// # HELP name text, # TYPE name counter|gauge, name value: in this order, for each name.
TEST(metrics_have_the_format_that_prometheus_reads)
{
	char *text = metrics(), *rest = text, *line, name[200], type[20], again[200], value[40];
	int count = 0;

	CHECK(text[0] != 0 && text[strlen(text) - 1] == '\n');
	while ((line = strtok_r(rest, "\n", &rest))) {
		char *end;

		count++;
		if (!CHECK_EQ(sscanf(line, "# HELP %199s %19s", name, type), 2) ||
			!CHECK((line = strtok_r(rest, "\n", &rest)) != NULL) ||
			!CHECK_EQ(sscanf(line, "# TYPE %199s %19s", again, type), 2))
			break;
		CHECK_STR(again, name);
		CHECK(is_name(name));
		size_t n = strlen(name);

		CHECK_STR(type, n > 6 && strcmp(name + n - 6, "_total") == 0 ? "counter" : "gauge");
		if (!CHECK((line = strtok_r(rest, "\n", &rest)) != NULL) ||
			!CHECK_EQ(sscanf(line, "%199s %39s", again, value), 2))
			break;
		CHECK_STR(again, name);
		CHECK(strtod(value, &end) >= 0);
		CHECK_EQ(*end, 0);
	}
	CHECK_EQ(count, 20);
	free(text);
}

TEST(metrics_have_the_values_of_the_statistics)
{
	char *text, want[100];

	text = metrics();
	snprintf(want, sizeof(want), "\ntuza_sched_goroutines_goroutines %ju\n",
		(uintmax_t)now().goroutines);
	CHECK_CONTAINS(text, want);
	snprintf(want, sizeof(want), "\ntuza_sched_goroutines_created_goroutines_total %ju\n",
		(uintmax_t)now().created);
	CHECK_CONTAINS(text, want);
	snprintf(want, sizeof(want), "\ntuza_sched_gomaxprocs_threads %ju\n",
		(uintmax_t)now().gomaxprocs);
	CHECK_CONTAINS(text, want);
	CHECK_CONTAINS(text, "\ntuza_sched_goroutines_not_in_go_goroutines 1\n"); // the writer
	free(text);
}

TEST(parks_and_what_ends_them_are_counted)
{
	tuza_statistics before = now();
	int pipes[2];
	char byte = 0;

	CHECK_EQ(pipe(pipes), 0);
	// On a slow machine a sleep may be over before it parks.
	WAIT_UNTIL((tuza_sleep(TUZA_MILLISECOND),
		now().woken_by_timers >= before.woken_by_timers + 10));
	CHECK(now().parks >= before.parks + 10);
	go(writes_once_it_waits, pipes[1]);
	CHECK_EQ(tuza_wait_fd(pipes[0], POLLIN, 0), POLLIN);
	CHECK_EQ(read(pipes[0], &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	// Counted once all that were woken are in the queue, from which others may have taken this.
	WAIT_UNTIL(now().woken_by_descriptors >= before.woken_by_descriptors + 1);
	close(pipes[0]);
	close(pipes[1]);
}

static tuza_mutex mutex;

static void locks(void)
{
	tuza_mutex_lock(&mutex);
	tuza_mutex_unlock(&mutex);
}

// From here on it is measured.
TEST(latencies_and_waits_for_locks_are_measured_once_that_is_wanted)
{
	tuza_statistics before = now(), s;

	CHECK_EQ(before.latencies, 0);
	CHECK_EQ(before.mutex_wait_ns, 0);
	tuza_stats_measure();
	tuza_stats_measure();
	tuza_mutex_lock(&mutex);
	for (int i = 0; i < 400; i++)
		go(locks);
	WAIT_UNTIL(now().waiting >= 400);
	tuza_sleep(2 * TUZA_MILLISECOND);
	tuza_mutex_unlock(&mutex);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	s = now();
	// One in eight: of 400 at least 10 but for a chance of one in many millions.
	CHECK(s.latencies >= 10);
	CHECK(s.latency_median_ns > 0);
	CHECK(s.latency_median_ns <= s.latency_99_ns);
	CHECK(s.mutex_wait_ns >= 10 * 8 * 2 * (uint64_t)TUZA_MILLISECOND);
	char *text = metrics();
	CHECK_CONTAINS(text, "\ntuza_sched_latencies_seconds_bucket{le=\"0.000000512\"} ");
	CHECK_CONTAINS(text, "\ntuza_sched_latencies_seconds_bucket{le=\"+Inf\"} ");
	CHECK_CONTAINS(text, "\ntuza_sched_latencies_seconds_count ");
	free(text);
}

TEST(go_programs_names_are_there_for_who_wants_them)
{
	char *text;

	setenv("TUZA_METRICS", "go", 1);
	text = metrics();
	unsetenv("TUZA_METRICS");
	CHECK_CONTAINS(text, "\ntuza_sched_goroutines_goroutines ");
	CHECK_CONTAINS(text, "\ngo_goroutines 1\n");
	CHECK_CONTAINS(text, "\ngo_threads ");
	CHECK_CONTAINS(text, "\ngo_info{version=\"tuza ");
	CHECK_CONTAINS(text, "\ngo_sched_gomaxprocs_threads ");
	CHECK_CONTAINS(text, "\nprocess_resident_memory_bytes ");
	CHECK_CONTAINS(text, "\nprocess_open_fds ");
	free(text);
	CHECK_EQ(tuza_metrics_write_go(-1), -EBADF);
}

TEST(descriptor_that_refuses_is_reported)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	CHECK_EQ(tuza_metrics_write(full), -EIO);
	CHECK_EQ(tuza_metrics_write(-1), -EBADF);
	close(full);
}
