// SPDX-License-Identifier: MIT
/*
 * Execution traces, the flight recorder, annotations (tuza/trace.h).
 */
#include "trace_support.h"

#include <tuza/sync.h>

enum { GOROUTINES = 50, VALUES = 200 };

static void nothing(void *arg) { (void)arg; }

static void echo(void *arg)
{
	tuza_chan **c = arg;
	int v;

	while (tuza_recv(c[0], &v))
		tuza_send(c[1], v);
	tuza_chan_close(c[1]);
}

// `wait`: first until the other one waits to receive; else the two may always meet so that only
// senders wait.
static void exchange_values(bool wait)
{
	tuza_chan *c[2] = {tuza_chan_new(sizeof(int), 0), tuza_chan_new(sizeof(int), 0)};
	int v;

	CHECK_EQ(tuza_go(echo, c), 0);
	CHECK(!wait || wait_parked("chan receive", 1));
	for (int i = 0; i < VALUES; i++) {
		tuza_send(c[0], i);
		tuza_recv(c[1], &v);
	}
	tuza_chan_close(c[0]);
	CHECK(!tuza_recv(c[1], &v));
	tuza_chan_release(c[0]);
	tuza_chan_release(c[1]);
}

// A goroutine is joined before it notes its end.
static void start_and_join(int n)
{
	for (int i = 0; i < n; i++)
		CHECK_EQ(tuza_join(tuza_spawn(nothing, NULL)), 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// On a slow machine a sleep may be over before it has begun.
static void sleep_once(void)
{
	tuza_statistics before, now;

	tuza_stats(&before);
	do {
		tuza_sleep(TUZA_MILLISECOND);
		tuza_stats(&now);
	} while (now.woken_by_timers == before.woken_by_timers);
}

static struct trace_file *stop_and_read(int fd)
{
	CHECK_EQ(tuza_trace_stop(), 0);
	struct trace_file *t = trace_read(fd);

	close(fd);
	CHECK(!t->is_broken);
	return t;
}

// O40
TEST(a_trace_has_every_goroutine_that_starts_and_ends)
{
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start(fd), 0);
	CHECK(tuza_trace_is_on());
	start_and_join(GOROUTINES);
	struct trace_file *t = stop_and_read(fd);

	CHECK(!tuza_trace_is_on());
	CHECK_EQ(t->count[EV_GO_CREATE], GOROUTINES);
	CHECK_EQ(t->count[EV_GO_DESTROY], GOROUTINES);
	// Goroutine 1 came back from at least the call that started the trace.
	CHECK(t->count[EV_GO_START] >= GOROUTINES);
	CHECK_EQ(t->count[EV_FREQUENCY], 1);
	CHECK(t->end > t->begin);
	CHECK_CONTAINS(t->texts, "nothing");
	free(t);
}

TEST(a_trace_tells_what_goroutines_wait_for)
{
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start(fd), 0);
	exchange_values(true);
	sleep_once();
	struct trace_file *t = stop_and_read(fd);

	// Each round trip is at least two waits; who waited was made ready, but perhaps the last.
	CHECK(t->count[EV_GO_BLOCK] >= 2 * VALUES);
	CHECK(t->count[EV_GO_UNBLOCK] + 2 >= t->count[EV_GO_BLOCK]);
	CHECK(t->count[EV_GO_UNBLOCK] <= t->count[EV_GO_BLOCK] + 2);
	CHECK_CONTAINS(t->texts, "chan receive");
	CHECK_CONTAINS(t->texts, "sleep");
	CHECK_CONTAINS(t->texts, "trace_test.c");
	free(t);
}

TEST(a_trace_shows_yields_and_blocking_sections)
{
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start(fd), 0);
	for (int i = 0; i < 10; i++) {
		tuza_yield();
		tuza_blocking_begin();
		tuza_blocking_end();
	}
	struct trace_file *t = stop_and_read(fd);

	CHECK(t->count[EV_GO_STOP] >= 10);
	CHECK_EQ(t->count[EV_SYSCALL_BEGIN], 11); // that of tuza_trace_stop has no end
	CHECK_EQ(t->count[EV_SYSCALL_END] + t->count[EV_SYSCALL_END_BLOCKED], 11);
	CHECK_CONTAINS(t->texts, "tuza_yield");
	free(t);
}

static void wait_for_value(void *c)
{
	int v;

	tuza_recv((tuza_chan *)c, &v);
}

TEST(a_trace_shows_goroutines_that_do_nothing_meanwhile)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	int fd = trace_memory();

	for (int i = 0; i < GOROUTINES; i++)
		CHECK_EQ(tuza_go(wait_for_value, c), 0);
	tuza_statistics s;
	WAIT_UNTIL((tuza_stats(&s), s.waiting >= GOROUTINES));
	CHECK_EQ(tuza_trace_start(fd), 0);
	struct trace_file *t = stop_and_read(fd);

	CHECK(t->count[EV_STATUS_STACK] >= GOROUTINES + 1);
	CHECK_EQ(t->count[EV_GO_CREATE], 0);
	CHECK_CONTAINS(t->texts, "wait_for_value");
	free(t);
	tuza_chan_close(c);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
}

TEST(annotations_are_in_the_trace_and_nest)
{
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start(fd), 0);
	uint64_t task = tuza_trace_task_begin(0, "a task");
	uint64_t part = tuza_trace_task_begin(task, "a part");
	CHECK(task != 0 && part != 0 && task != part);
	tuza_trace_region_begin(task, "a region");
	tuza_trace_log(task, "a category", "%d things", 42);
	tuza_trace_region_end(task, "another region"); // wrong: left out
	tuza_trace_region_end(task, "a region");
	tuza_trace_task_end(part);
	tuza_trace_task_end(task);
	struct trace_file *t = stop_and_read(fd);

	CHECK_EQ(t->count[EV_TASK_BEGIN], 2);
	CHECK_EQ(t->count[EV_TASK_END], 2);
	CHECK_EQ(t->count[EV_REGION_BEGIN], 1);
	CHECK_EQ(t->count[EV_REGION_END], 1);
	CHECK_EQ(t->count[EV_LOG], 1);
	CHECK_CONTAINS(t->texts, "a part\n");
	CHECK_CONTAINS(t->texts, "42 things\n");
	free(t);
	CHECK(tuza_trace_task_begin(0, "nobody looks") > part);
	tuza_trace_region_end(0, "nobody looks");
}

TEST(a_second_trace_has_nothing_of_the_first)
{
	for (int i = 0; i < 3; i++) {
		int fd = trace_memory();

		CHECK_EQ(tuza_trace_start(fd), 0);
		start_and_join(GOROUTINES);
		struct trace_file *t = stop_and_read(fd);

		CHECK_EQ(t->count[EV_GO_CREATE], GOROUTINES);
		free(t);
	}
}

TEST(a_trace_without_room_keeps_the_latest)
{
	tuza_trace_options options = {.max_bytes = 1};
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start_with(fd, &options), 0);
	start_and_join(5000); // some 25,000 events; a machine has room for 1,000 at least
	uint64_t task = tuza_trace_task_begin(0, "the latest");
	tuza_trace_task_end(task);
	struct trace_file *t = stop_and_read(fd);

	CHECK_EQ(t->count[EV_TASK_BEGIN], 1);
	CHECK(t->count[EV_GO_CREATE] > 0);
	CHECK(t->count[EV_GO_CREATE] < 5000);
	free(t);
}

TEST(a_trace_refuses_a_second_one_and_a_bad_descriptor)
{
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_stop(), 0);
	CHECK_EQ(tuza_trace_start(-1), -EBADF);
	CHECK_EQ(tuza_trace_start(fd), 0);
	CHECK_EQ(tuza_trace_start(fd), -EBUSY);
	CHECK_EQ(tuza_trace_stop(), 0);
	CHECK_EQ(tuza_trace_stop(), 0);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	CHECK_EQ(tuza_trace_start(fd), 0);
	CHECK_EQ(tuza_trace_stop(), -EIO);
	close(fd);
}

// ---- flight recorder ----------------------------------------------------------------------

// O42
TEST(the_recorder_is_written_again_and_again_beside_a_trace)
{
	int fd = trace_memory(), second = trace_memory(), of_trace = trace_memory();

	CHECK_EQ(tuza_flight_recorder_write(fd), -ENOENT);
	CHECK(!tuza_flight_recorder_is_on());
	CHECK_EQ(tuza_flight_recorder_start(NULL), 0);
	CHECK_EQ(tuza_flight_recorder_start(NULL), -EBUSY);
	CHECK(tuza_flight_recorder_is_on());
	CHECK_EQ(tuza_flight_recorder_write(-1), -EBADF);
	start_and_join(GOROUTINES);
	CHECK_EQ(tuza_flight_recorder_write(fd), 0);
	CHECK_EQ(tuza_trace_start(of_trace), 0);
	start_and_join(GOROUTINES);
	struct trace_file *t = stop_and_read(of_trace);
	CHECK_EQ(t->count[EV_GO_CREATE], GOROUTINES);
	free(t);
	CHECK(tuza_trace_is_on());
	CHECK_EQ(tuza_flight_recorder_write(second), 0);
	tuza_flight_recorder_stop();
	tuza_flight_recorder_stop();
	CHECK(!tuza_trace_is_on());
	t = trace_read(fd);
	CHECK(!t->is_broken);
	CHECK_EQ(t->count[EV_GO_CREATE], GOROUTINES);
	free(t);
	t = trace_read(second);
	CHECK(!t->is_broken);
	CHECK_EQ(t->count[EV_GO_CREATE], 2 * GOROUTINES);
	free(t);
	close(fd);
	close(second);
}

TEST(the_recorder_writes_what_is_young_enough)
{
	tuza_flight_recorder_options options = {.age = 20 * TUZA_MILLISECOND};
	int fd = trace_memory();

	CHECK_EQ(tuza_flight_recorder_start(&options), 0);
	start_and_join(GOROUTINES);
	tuza_sleep(30 * TUZA_MILLISECOND);
	CHECK_EQ(tuza_flight_recorder_write(fd), 0);
	tuza_flight_recorder_stop();
	struct trace_file *t = trace_read(fd);

	CHECK(!t->is_broken);
	CHECK_EQ(t->count[EV_GO_CREATE], 0);
	free(t);
	close(fd);
}

static atomic_bool is_over;

static void work_on(void *arg)
{
	(void)arg;
	while (!is_over) {
		exchange_values(false);
		tuza_yield();
	}
}

TEST(the_recorder_is_written_while_all_is_busy)
{
	tuza_flight_recorder_options options = {.max_bytes = 256 << 10};

	is_over = false;
	CHECK_EQ(tuza_flight_recorder_start(&options), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(tuza_go(work_on, NULL), 0);
	for (int i = 0; i < 3; i++) {
		int fd = trace_memory();

		CHECK_EQ(tuza_flight_recorder_write(fd), 0);
		struct trace_file *t = trace_read(fd);

		CHECK(!t->is_broken);
		CHECK(t->count[EV_STATUS_STACK] > 0);
		free(t);
		close(fd);
	}
	is_over = true;
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_flight_recorder_stop();
}

// ---- beyond goroutines ------------------------------------------------------------------------

static int use_runtime(void *arg)
{
	(void)arg;
	start_and_join(GOROUTINES);
	return 0;
}

TEST_PLAIN(a_trace_covers_runs_that_begin_and_end_meanwhile)
{
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start(fd), 0);
	CHECK_EQ(tuza_run(use_runtime, NULL), 0);
	CHECK_EQ(tuza_run(use_runtime, NULL), 0);
	struct trace_file *t = stop_and_read(fd);

	CHECK_EQ(t->count[EV_GO_CREATE], 2 * GOROUTINES);
	free(t);
}

// The file's bytes alone, for formats that trace_read does not know.
static struct trace_file trace_an_exchange(tuza_trace_format format)
{
	tuza_trace_options options = {.format = format};
	struct trace_file t = {.at = 0};
	int fd = trace_memory();

	CHECK_EQ(tuza_trace_start_with(fd, &options), 0);
	exchange_values(true);
	tuza_trace_log(0, "a category", "a remark");
	CHECK_EQ(tuza_trace_stop(), 0);
	t.length = (size_t)lseek(fd, 0, SEEK_END);
	t.data = malloc(t.length);
	CHECK_EQ(pread(fd, t.data, t.length, 0), (ssize_t)t.length);
	close(fd);
	return t;
}

// The first bytes of a file in Perfetto's format: a packet with the process.
TEST(perfettos_format_is_a_row_of_packets)
{
	struct trace_file t = trace_an_exchange(TUZA_TRACE_PERFETTO);
	unsigned char head[3];
	uint64_t packets = 0;

	memcpy(head, t.data, 3);
	CHECK_EQ(head[0], 1 << 3 | 2);
	while (t.at < t.length && !t.is_broken) {
		CHECK_EQ(trace_varint(&t), 1 << 3 | 2);
		size_t n = trace_varint(&t);

		if (!CHECK(n <= t.length - t.at))
			break;
		t.at += n;
		packets++;
	}
	// A track each, and two events for each change of what a goroutine does.
	CHECK(packets > 8 * VALUES);
	CHECK(memmem(t.data, t.length, "chan receive", 12) != NULL);
	CHECK(memmem(t.data, t.length, "a remark", 8) != NULL);
	CHECK(memmem(t.data, t.length, "processor ", 10) != NULL); // whichever it was
	free(t.data);
}

// ---- Go's format of before 1.22 ----------------------------------------------------------------

enum { V1_BATCH = 1, V1_FREQUENCY = 2, V1_STACK = 3, V1_CREATE = 13, V1_START = 14 };
enum {
	V1_UNBLOCK = 21,
	V1_BLOCK_SEND = 22,
	V1_BLOCK_RECV,
	V1_STRING = 37,
	V1_LOG = 48,
	V1_KINDS = 50
};

struct v1 {
	uint64_t count[V1_KINDS];
	uint64_t goroutine;            // the one that exchange_values starts
	uint64_t sequences, sum, most; // of those that it has
};

static void v1_event(struct trace_file *t, struct v1 *v)
{
	unsigned byte = t->data[t->at++], kind = byte & 63;
	uint64_t arguments[3] = {0};
	size_t end = 0;

	if (!CHECK(kind > 0 && kind < V1_KINDS))
		return;
	v->count[kind]++;
	if (kind == V1_STRING) {
		(void)trace_varint(t);
		end = trace_varint(t);
		t->at += end;
		return;
	}
	if (byte >> 6 == 3)
		end = trace_varint(t) + t->at;
	for (unsigned i = 0; i < (end ? 3 : (byte >> 6) + 1); i++)
		arguments[i] = trace_varint(t);
	if (kind == V1_CREATE && arguments[1] > v->goroutine)
		v->goroutine = arguments[1];
	if (end)
		t->at = end;
	if (kind == V1_LOG) {
		end = trace_varint(t);
		t->at += end;
	}
	if ((kind == V1_START || kind == V1_UNBLOCK) && arguments[1] == v->goroutine) {
		v->sequences++;
		v->sum += arguments[2];
		v->most = arguments[2] > v->most ? arguments[2] : v->most;
	}
}

TEST(the_older_format_numbers_what_happens_to_a_goroutine)
{
	struct trace_file t = trace_an_exchange(TUZA_TRACE_GO_V1);
	struct v1 v = {.goroutine = 0};

	t.at = 16;
	CHECK(memcmp(t.data, "go 1.11 trace\0\0", 16) == 0);
	// Twice: batches are in no order, and the second time its number is known.
	while (t.at < t.length)
		v1_event(&t, &v);
	t.at = 16;
	v = (struct v1){.goroutine = v.goroutine};
	while (t.at < t.length)
		v1_event(&t, &v);
	CHECK_EQ(t.at, t.length);
	CHECK_EQ(v.count[V1_FREQUENCY], 1);
	CHECK(v.count[V1_CREATE] >= 2 && v.count[V1_LOG] == 1);
	CHECK(v.count[V1_BLOCK_RECV] + v.count[V1_BLOCK_SEND] >= VALUES);
	CHECK(v.count[V1_STACK] >= 3);
	// It is made runnable, and run, one after the other: none is missing and none there twice.
	CHECK(v.most >= 1);
	CHECK_EQ(v.sequences, v.most);
	CHECK_EQ(v.sum, v.most * (v.most + 1) / 2);
	free(t.data);
}
