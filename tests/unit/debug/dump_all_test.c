// SPDX-License-Identifier: MIT
// tuza_dump: every goroutine with what it waits for, in order.
#include "dumps.h"

#include "../../memory_limit.h"

#include <pthread.h>
#include <tuza/sync.h>

// ---- why they wait ----------------------------------------------------------------------------

static tuza_chan *dry, *full; // of those that wait until they are dropped
static tuza_mutex locked, cond_mutex;
static tuza_rwmutex written;
static tuza_waitgroup group;
static tuza_semaphore none_left;
static tuza_cond never_signalled;
static tuza_once running_once;

static void receives_for_ever(void *arg)
{
	(void)arg;
	tuza_chan_recv(dry, NULL);
	KEEP_FRAME();
}
static void sends(void *arg)
{
	(void)arg;
	tuza_chan_send(full, &(int){1});
	KEEP_FRAME();
}
static void receives_from_nil(void *arg)
{
	(void)arg;
	tuza_chan_recv(NULL, NULL);
	KEEP_FRAME();
}
static void sends_to_nil(void *arg)
{
	(void)arg;
	tuza_chan_send(NULL, &(int){1});
	KEEP_FRAME();
}
static void selects(void *arg)
{
	int v;

	(void)arg;
	TUZA_SELECT(TUZA_RECV(dry, &v), TUZA_SEND(full, &v));
	KEEP_FRAME();
}
static void selects_nothing(void *arg)
{
	(void)arg;
	tuza_select(NULL, 0);
	KEEP_FRAME();
}
static void sleeps(void *arg)
{
	(void)arg;
	tuza_sleep(TUZA_HOUR);
	KEEP_FRAME();
}
static void locks(void *arg)
{
	(void)arg;
	tuza_mutex_lock(&locked);
	KEEP_FRAME();
}
static void reads(void *arg)
{
	(void)arg;
	tuza_rwmutex_rlock(&written);
	KEEP_FRAME();
}
static void writes(void *arg)
{
	(void)arg;
	tuza_rwmutex_lock(&written);
	KEEP_FRAME();
}
static void waits_for_group(void *arg)
{
	(void)arg;
	tuza_waitgroup_wait(&group);
	KEEP_FRAME();
}
static void acquires(void *arg)
{
	(void)arg;
	tuza_semaphore_wait(&none_left, 1);
	KEEP_FRAME();
}
static void waits_for_cond(void *arg)
{
	(void)arg;
	tuza_mutex_lock(&cond_mutex);
	tuza_cond_wait(&never_signalled, &cond_mutex);
	KEEP_FRAME();
}
static void joins(void *g)
{
	(void)!tuza_join(g);
	KEEP_FRAME();
}
static atomic_bool is_running_once;
static void runs_for_ever(void *arg)
{
	atomic_store(&is_running_once, true);
	sleeps(arg);
}
static void runs_once(void *arg)
{
	tuza_once_do(&running_once, runs_for_ever, arg);
	KEEP_FRAME();
}
static void waits_for_once(void *arg)
{
	test_probe_start(runs_once, NULL);
	while (!atomic_load(&is_running_once))
		tuza_yield();
	tuza_once_do(&running_once, runs_for_ever, arg);
	KEEP_FRAME();
}

static const struct {
	void (*fn)(void *);
	const char *name, *reason;
} waits[] = {
	{receives_for_ever, "receives_for_ever", "chan receive"},
	{sends, "sends", "chan send"},
	{receives_from_nil, "receives_from_nil", "chan receive (nil chan)"},
	{sends_to_nil, "sends_to_nil", "chan send (nil chan)"},
	{selects, "selects", "select"},
	{selects_nothing, "selects_nothing", "select (no cases)"},
	{sleeps, "sleeps", "sleep"},
	{locks, "locks", "sync.Mutex.Lock"},
	{reads, "reads", "sync.RWMutex.RLock"},
	{writes, "writes", "sync.RWMutex.Lock"},
	{waits_for_group, "waits_for_group", "sync.WaitGroup.Wait"},
	{acquires, "acquires", "semacquire"},
	{waits_for_cond, "waits_for_cond", "sync.Cond.Wait"},
	{waits_for_once, "waits_for_once", "sync.Once.Do"},
};

// Checks that one goroutine waits for this reason, in this function, and who made it.
static void check_wait(const char *reason, const char *function, const char *creator)
{
	char header[64], frame[64], block[4096];

	snprintf(header, sizeof(header), " [%s]:\n", reason);
	snprintf(frame, sizeof(frame), "\n%s(...)\n\t", function);
	const char *at = strstr(text, header);
	if (!CHECK(at != NULL)) {
		printf("  nobody waits for %s in\n%s", reason, text);
		return;
	}
	const char *end = strstr(at, "\n\ngoroutine ");
	size_t n = end ? (size_t)(end - at) : strlen(at);
	snprintf(block, sizeof(block), "%.*s", (int)n, at);
	CHECK_CONTAINS(block, frame);
	CHECK_CONTAINS(block, "dump_all_test.c:");
	snprintf(frame, sizeof(frame), "\ncreated by %s in goroutine ", creator);
	CHECK_CONTAINS(block, frame);
}

TEST(dump_tells_what_each_goroutine_waits_for)
{
	if (!has_names())
		return;
	dry = tuza_chan_new(sizeof(int), 0);
	full = tuza_chan_new(sizeof(int), 1);
	tuza_chan_send(full, &(int){1});
	tuza_mutex_lock(&locked);
	tuza_rwmutex_lock(&written);
	tuza_waitgroup_add(&group, 1);
	tuza_semaphore_init(&none_left, 0);
	for (size_t i = 0; i < COUNT_OF(waits); i++)
		test_probe_start(waits[i].fn, NULL);
	for (size_t i = 0; i < COUNT_OF(waits); i++)
		wait_parked(waits[i].reason, 1);
	dump();
	for (size_t i = 0; i < COUNT_OF(waits); i++)
		check_wait(waits[i].reason, waits[i].name, "test_probe_start");
}

TEST(dump_tells_who_joins)
{
	if (!has_names())
		return;
	empty = tuza_chan_new(1, 0);
	tuza_goroutine *g = tuza_spawn(receives, NULL);
	tuza_go(joins, g);
	wait_parked("tuza_join", 1);
	wait_parked("chan receive", 1);
	dump();
	check_wait("tuza_join", "joins", "dump_tells_who_joins");
	check_wait("chan receive", "receives", "dump_tells_who_joins");
	tuza_chan_close(empty);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(empty);
}

// ---- those that do not wait -------------------------------------------------------------------

static atomic_bool go_on;

static void runs(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
	while (!atomic_load(&go_on))
		;
}

// Where signals are delivered late nobody is asked.
#if defined(__SANITIZE_THREAD__)
#define RUNNING "\tgoroutine running on other thread; stack unavailable\n"
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RUNNING "\tgoroutine running on other thread; stack unavailable\n"
#endif
#endif
#ifndef RUNNING
#define RUNNING "runs(...)\n"
#endif

TEST(dump_shows_the_stack_of_one_that_runs)
{
	atomic_bool is_running = false;

	if (getenv("TUZA_TEST_EMULATOR")) {
		SKIP("its threads seldom answer within 20 ms");
		return;
	}
	atomic_store(&go_on, false);
	tuza_go(runs, &is_running);
	while (!atomic_load(&is_running))
		tuza_sleep(TUZA_MILLISECOND); // with one processor the monitor lends another
	// It has 20 ms to answer: on a busy machine perhaps not at once.
	WAIT_UNTIL(strstr(dump(), " [running]:\n" RUNNING));
	CHECK_CONTAINS(strstr(dump(), "\n\ngoroutine "), "created by ");
	atomic_store(&go_on, true);
}

// What a dying process would write.
static const char *last_dump(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	report_all(fd, REPORT_FATAL, 0);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return text;
}

TEST(last_dump_shows_the_stack_of_one_that_runs)
{
	atomic_bool is_running = false;

	if (getenv("TUZA_TEST_EMULATOR")) {
		SKIP("its threads seldom answer within 20 ms");
		return;
	}
	atomic_store(&go_on, false);
	tuza_go(runs, &is_running);
	while (!atomic_load(&is_running))
		tuza_sleep(TUZA_MILLISECOND);
	WAIT_UNTIL(strstr(last_dump(), " [running]:\n" RUNNING));
	atomic_store(&go_on, true);
}

static void blocks_outside(void *arg)
{
	tuza_blocking_begin();
	atomic_store((atomic_bool *)arg, true);
	while (!atomic_load(&go_on))
		usleep(100);
	tuza_blocking_end();
}

TEST(dump_shows_a_blocking_section_as_a_system_call)
{
	atomic_bool is_inside = false;

	atomic_store(&go_on, false);
	tuza_go(blocks_outside, &is_inside);
	while (!atomic_load(&is_inside))
		tuza_sleep(TUZA_MILLISECOND);
	CHECK_CONTAINS(dump(), " [syscall]:\n");
	atomic_store(&go_on, true);
}

static void does_nothing(void *arg) { (void)arg; }

static void report_waiting_to_start(const struct inspected *i, void *w)
{
	if (i->entry)
		report_goroutine(w, i, NULL, 0);
}

// Not by tuza_dump: it hands its processor on while it writes, and the goroutine might start.
TEST(report_shows_the_function_of_a_goroutine_that_has_not_started)
{
	int processors = tuza_gomaxprocs(1);
	struct writer w;

	writer_to_text(&w, text, sizeof(text));
	tuza_yield(); // now the others have retired
	tuza_go(does_nothing, NULL);
	inspect_each(report_waiting_to_start, &w);
	tuza_gomaxprocs(processors);
	CHECK_CONTAINS(text, " [runnable]:\n");
	if (has_names())
		CHECK_CONTAINS(text, " [runnable]:\ndoes_nothing(...)\n\t");
}

TEST(report_shows_the_function_of_a_spawned_goroutine_that_has_not_started)
{
	int processors = tuza_gomaxprocs(1);
	struct writer w;

	writer_to_text(&w, text, sizeof(text));
	tuza_yield(); // now the others have retired
	tuza_goroutine *spawned = tuza_spawn(does_nothing, NULL);
	inspect_each(report_waiting_to_start, &w);
	tuza_gomaxprocs(processors);
	CHECK_CONTAINS(text, " [runnable]:\n");
	if (has_names())
		CHECK_CONTAINS(text, " [runnable]:\ndoes_nothing(...)\n\t");
	CHECK_EQ(tuza_join(spawned), 0);
}

// ---- order and form ---------------------------------------------------------------------------

static void dumps_from_inside(void *arg)
{
	(void)arg;
	dump();
}

TEST(dump_begins_with_the_caller_and_orders_the_others)
{
	uint64_t numbers[64] = {0};
	tuza_goroutine *g[8];

	empty = tuza_chan_new(1, 0);
	for (int i = 0; i < 8; i++)
		g[i] = tuza_spawn(receives, NULL);
	wait_parked("chan receive", 8);
	tuza_join(tuza_spawn(dumps_from_inside, NULL));
	size_t n = read_numbers(text, numbers, COUNT_OF(numbers));
	CHECK_EQ(n, 10);
	CHECK_EQ(numbers[1], 1);
	for (size_t i = 2; i < n; i++) {
		CHECK(numbers[i] > numbers[i - 1]);
		CHECK(numbers[i] != numbers[0]);
	}
	CHECK_EQ(text[strlen(text) - 1], '\n');
	tuza_chan_close(empty);
	for (int i = 0; i < 8; i++)
		tuza_join(g[i]);
	tuza_chan_release(empty);
}

static void is_named(void *arg)
{
	tuza_set_name("reader %d", 3);
	(void)!tuza_set_label("job", "12");
	tuza_lock_os_thread();
	receives(arg);
	tuza_unlock_os_thread();
}

TEST(dump_shows_name_label_and_thread)
{
	empty = tuza_chan_new(1, 0);
	tuza_goroutine *g = tuza_spawn(is_named, NULL);
	wait_parked("chan receive", 1);
	CHECK_CONTAINS(dump(),
		" [chan receive, locked to thread, name \"reader 3\" labels:{\"job\": \"12\"}]:\n");
	tuza_chan_close(empty);
	tuza_join(g);
	tuza_chan_release(empty);
}

static void *waits_on_a_thread(void *arg)
{
	receives(arg);
	return NULL;
}

TEST(dump_shows_plain_threads_that_wait)
{
	pthread_t thread;

	empty = tuza_chan_new(1, 0);
	pthread_create(&thread, NULL, waits_on_a_thread, NULL);
	wait_parked("chan receive", 1);
	CHECK_CONTAINS(dump(), " [chan receive]:\n\tthread; stack unavailable\n");
	tuza_chan_close(empty);
	pthread_join(thread, NULL);
	tuza_chan_release(empty);
}

static void *dumps_on_a_thread(void *arg)
{
	dump();
	return arg;
}

TEST(dump_can_be_asked_for_by_a_plain_thread)
{
	pthread_t thread;

	tuza_blocking_begin();
	pthread_create(&thread, NULL, dumps_on_a_thread, NULL);
	pthread_join(thread, NULL);
	tuza_blocking_end();
	CHECK_CONTAINS(text, "goroutine 1 [syscall]:\n");
}

TEST(dump_without_memory_says_how_many_it_left_out)
{
	struct rlimit before;

	empty = tuza_chan_new(1, 0);
	tuza_goroutine *g = tuza_spawn(receives, NULL);
	wait_parked("chan receive", 1);
	int fd = memfd_create("dump", MFD_CLOEXEC);
	char left_out[64] = "";
	if (limit_addresses(0, &before)) {
		tuza_dump(fd);
		setrlimit(RLIMIT_AS, &before);
		CHECK(pread(fd, left_out, sizeof(left_out) - 1, 0) > 0);
		CHECK_STR(left_out, "...2 goroutines left out: out of memory...\n");
	} else {
		SKIP("nothing limits memory here");
	}
	close(fd);
	tuza_chan_close(empty);
	tuza_join(g);
	tuza_chan_release(empty);
}
