// SPDX-License-Identifier: MIT
// The text of one goroutine, and the lock that keeps two texts apart. Go's words: TB1 to TB5.
#include "dumps.h"

#include "../../memory_limit.h"

#include "sched/timer.h"
#include "sys/sys.h"

#include <pthread.h>

static const int64_t SECOND = 1000000000;

static const char *report(const struct inspected *i, const struct backtrace *b, unsigned flags)
{
	struct writer w;

	writer_to_text(&w, text, sizeof(text));
	report_goroutine(&w, i, b, flags);
	return text;
}

static const struct backtrace no_frames;

// ---- the header -------------------------------------------------------------------------------

TEST_PLAIN(header_has_number_and_state)
{
	static const struct {
		enum goroutine_state state;
		enum wait_reason reason;
		const char *text;
	} headers[] = {
		{GOROUTINE_RUNNABLE, WAIT_NONE, "goroutine 7 [runnable]:\n"},
		{GOROUTINE_RUNNING, WAIT_NONE, "goroutine 7 [running]:\n"},
		{GOROUTINE_BLOCKED, WAIT_NONE, "goroutine 7 [syscall]:\n"},
		{GOROUTINE_WAITING, WAIT_CHAN_RECV, "goroutine 7 [chan receive]:\n"},
		{GOROUTINE_WAITING, WAIT_CHAN_SEND_NIL, "goroutine 7 [chan send (nil chan)]:\n"},
		{GOROUTINE_WAITING, WAIT_SELECT_NONE, "goroutine 7 [select (no cases)]:\n"},
		{GOROUTINE_WAITING, WAIT_IO, "goroutine 7 [IO wait]:\n"},
		{GOROUTINE_WAITING, WAIT_MUTEX, "goroutine 7 [sync.Mutex.Lock]:\n"},
		{GOROUTINE_WAITING, WAIT_NONE, "goroutine 7 [waiting]:\n"},
		{GOROUTINE_DEAD, WAIT_NONE, "goroutine 7 [dead]:\n"},
	};

	for (size_t i = 0; i < COUNT_OF(headers); i++) {
		struct inspected g = {
			.id = 7, .state = headers[i].state, .reason = headers[i].reason};

		CHECK_STR(report(&g, &no_frames, 0), headers[i].text);
	}
}

TEST_PLAIN(header_of_the_caller_says_running_whatever_its_state)
{
	struct inspected g = {
		.id = 1, .state = GOROUTINE_BLOCKED, .is_current = true, .waiting_ns = INT64_MAX};

	CHECK_STR(report(&g, &no_frames, 0), "goroutine 1 [running]:\n");
}

TEST_PLAIN(header_counts_minutes_from_the_first_full_one)
{
	struct inspected g = {.id = 2, .state = GOROUTINE_WAITING, .reason = WAIT_SELECT};

	g.waiting_ns = 60 * SECOND - 1;
	CHECK_STR(report(&g, &no_frames, 0), "goroutine 2 [select]:\n");
	g.waiting_ns = 60 * SECOND;
	CHECK_STR(report(&g, &no_frames, 0), "goroutine 2 [select, 1 minutes]:\n");
	g.waiting_ns = 7199 * SECOND;
	CHECK_STR(report(&g, &no_frames, 0), "goroutine 2 [select, 119 minutes]:\n");
}

TEST_PLAIN(header_shows_thread_name_and_labels_in_this_order)
{
	struct inspected g = {.id = 3,
		.state = GOROUTINE_WAITING,
		.reason = WAIT_SLEEP,
		.waiting_ns = 120 * SECOND,
		.locked_to_thread = true,
		.name = "feeder",
		.labels = "\"job\": \"12\", \"user\": \"eve\""};

	CHECK_STR(report(&g, &no_frames, 0),
		"goroutine 3 [sleep, 2 minutes, locked to thread, name \"feeder\""
		" labels:{\"job\": \"12\", \"user\": \"eve\"}]:\n");
}

// ---- stacks -----------------------------------------------------------------------------------

TEST_PLAIN(running_goroutine_of_another_thread_has_no_stack)
{
	struct inspected g = {.id = 4, .state = GOROUTINE_RUNNING};

	CHECK_STR(report(&g, NULL, 0),
		"goroutine 4 [running]:\n\tgoroutine running on other thread; stack unavailable\n");
}

static NOINLINE void entry_function(void) { usleep(1); }

// "name(...)\n\t…file:line" must stand there.
static void check_frame(const char *name)
{
	char frame[128];

	snprintf(frame, sizeof(frame), "%s(...)\n\t", name);
	const char *at = strstr(text, frame);
	if (!CHECK(at != NULL)) {
		printf("  no frame of %s in\n%s", name, text);
		return;
	}
	at += strlen(frame);
	size_t n = strcspn(at, "\n");
	snprintf(frame, sizeof(frame), "%.*s", (int)n, at);
	CHECK_CONTAINS(frame, "dump_test.c:");
}

TEST_PLAIN(goroutine_that_has_not_started_shows_its_function)
{
	if (!has_names())
		return;
	struct inspected g = {.id = 5, .state = GOROUTINE_RUNNABLE, .entry = entry_function};

	report(&g, NULL, 0);
	check_frame("entry_function");
	CHECK(strstr(text, " +0x") == NULL); // Go prints no offset of zero
	CHECK(strstr(text, "unavailable") == NULL);
}

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static struct backtrace here;
static uintptr_t go_statement;

static NOINLINE void notes_its_caller(void)
{
	go_statement = (uintptr_t)__builtin_return_address(0);
	KEEP_FRAME();
}

static NOINLINE void inner(void)
{
	backtrace_here(&here);
	KEEP_FRAME();
}
static NOINLINE void outer(void)
{
	notes_its_caller();
	inner();
	KEEP_FRAME();
}

TEST_PLAIN(frames_stand_from_the_innermost_to_the_creation_site)
{
	if (!has_names())
		return;
	outer();
	struct inspected g = {
		.id = 6, .is_current = true, .creation_pc = go_statement, .creator_id = 2};

	report(&g, &here, 0);
	check_frame("inner");
	check_frame("outer");
	CHECK(strstr(text, "inner(...)") < strstr(text, "outer(...)"));
	const char *created = strstr(text, "created by outer in goroutine 2\n\t");
	if (CHECK(created != NULL)) {
		CHECK(created > strstr(text, "outer(...)"));
		CHECK_CONTAINS(created, "dump_test.c:");
		CHECK_CONTAINS(created, " +0x");
		CHECK_EQ(created[strlen(created) - 1], '\n');
	}
}

TEST_PLAIN(creation_by_no_goroutine_names_the_function_alone)
{
	if (!has_names())
		return;
	outer();
	struct inspected g = {.id = 6, .is_current = true, .creation_pc = go_statement};

	CHECK_CONTAINS(report(&g, &no_frames, 0), "created by outer\n\t");
}

static NOINLINE void recurse(int depth)
{
	if (depth > 1)
		recurse(depth - 1);
	else
		inner();
	KEEP_FRAME();
}

static int count(const char *part)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

TEST_PLAIN(long_stack_says_how_many_frames_it_lacks)
{
	if (!has_names())
		return;
	struct inspected g = {.id = 6, .is_current = true};

	recurse(1);
	uint32_t others = here.count - 1;
	recurse(200);
	report(&g, &here, 0);
	char elided[64];
	snprintf(elided, sizeof(elided), "\n...%u frames elided...\nrecurse(...)\n",
		200 + others - BACKTRACE_MAX);
	CHECK_CONTAINS(text, elided);
	CHECK(count("(...)\n") >= BACKTRACE_MAX); // and inlined ones
	CHECK(count("(...)\n") < BACKTRACE_MAX + 20);
}

TEST_PLAIN(frame_without_a_name_has_its_module_or_a_question_mark)
{
	struct inspected g = {.id = 6, .is_current = true};
	struct backtrace nowhere = {.count = 1, .frames = {{0x10, false}}};

	CHECK_STR(report(&g, &nowhere, 0), "goroutine 6 [running]:\n?(...)\n\t? +0x10\n");
}

// ---- whose frames are shown -------------------------------------------------------------------

// The section that holds the library's functions in a libtuza.a; here those that follow pretend to
// be the library.
#define IN_THE_RUNTIME __attribute__((section("tuza_text"))) NOINLINE

static IN_THE_RUNTIME void parks(void)
{
	backtrace_here(&here);
	KEEP_FRAME();
}
static IN_THE_RUNTIME void waits(void)
{
	parks();
	KEEP_FRAME();
}
static IN_THE_RUNTIME void tuza_waits_for_something(void)
{
	waits();
	KEEP_FRAME();
}
static NOINLINE void users_callback(void)
{
	tuza_waits_for_something();
	KEEP_FRAME();
}
static IN_THE_RUNTIME void calls_back(void (*fn)(void))
{
	fn();
	KEEP_FRAME();
}
static IN_THE_RUNTIME void tuza_calls_back(void (*fn)(void))
{
	calls_back(fn);
	KEEP_FRAME();
}
static IN_THE_RUNTIME void tuza_defers_(void (*fn)(void))
{
	KEEP_FRAME(); // and no merging with the function above
	calls_back(fn);
	KEEP_FRAME();
}
static NOINLINE void users_function(void)
{
	tuza_calls_back(users_callback);
	KEEP_FRAME();
}
static NOINLINE void users_block(void)
{
	tuza_defers_(users_callback);
	KEEP_FRAME();
}
// Of a header, and so in the program.
static NOINLINE void tuza_macros_step_(void)
{
	KEEP_FRAME(); // and no merging with the functions above
	tuza_calls_back(users_callback);
	KEEP_FRAME();
}
static NOINLINE void users_locked_block(void)
{
	KEEP_FRAME();
	tuza_macros_step_();
	KEEP_FRAME();
}
static IN_THE_RUNTIME void begins_goroutine(void (*fn)(void))
{
	uint32_t below;

	backtrace_here(&here);
	below = here.count;
	fn();
	here.count -= below - 1; // the root is the last frame
}

// The names of the frames in the text, each with a blank behind it.
static const char *shown(unsigned flags)
{
	static char names[512];
	struct inspected g = {.id = 6, .is_current = true};
	char *end = names;

	report(&g, &here, flags);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char *call = strstr(line, "(...)");

		if (call)
			end += sprintf(end, "%.*s ", (int)(call - line), line);
	}
	return names;
}

TEST_PLAIN(runtime_is_shown_by_the_functions_that_were_called)
{
	if (!has_names())
		return;
	begins_goroutine(users_function);
	CHECK_STR(shown(0),
		"tuza_waits_for_something users_callback tuza_calls_back users_function ");
}

TEST_PLAIN(private_entries_of_macros_are_not_shown)
{
	if (!has_names())
		return;
	begins_goroutine(users_block);
	CHECK_STR(shown(0), "tuza_waits_for_something users_callback users_block ");
}

TEST_PLAIN(steps_of_macros_in_the_program_are_not_shown)
{
	if (!has_names())
		return;
	begins_goroutine(users_locked_block);
	CHECK_STR(shown(0),
		"tuza_waits_for_something users_callback tuza_calls_back users_locked_block ");
	CHECK(strstr(shown(REPORT_RUNTIME_FRAMES), "tuza_macros_step_") != NULL);
}

TEST_PLAIN(runtime_is_shown_as_it_is_when_asked_for)
{
	if (!has_names())
		return;
	begins_goroutine(users_function);
	CHECK_STR(shown(REPORT_RUNTIME_FRAMES),
		"parks waits tuza_waits_for_something users_callback calls_back"
		" tuza_calls_back users_function begins_goroutine ");
}

TEST_PLAIN(goroutine_of_the_runtime_itself_is_shown_as_it_is)
{
	if (!has_names())
		return;
	begins_goroutine(tuza_waits_for_something);
	CHECK_STR(shown(0), "parks waits tuza_waits_for_something begins_goroutine ");
}

TEST_PLAIN(public_function_that_is_the_goroutine_itself_is_shown_alone)
{
	if (!has_names())
		return;
	begins_goroutine(tuza_waits_for_something);
	here.count--;
	CHECK_STR(shown(0), "tuza_waits_for_something ");
}

// ---- the calling goroutine --------------------------------------------------------------------

static NOINLINE size_t asks_for_its_stack(char *buffer, size_t n)
{
	size_t length = tuza_stack(buffer, n);

	KEEP_FRAME();
	return length;
}

TEST_PLAIN(own_stack_is_shown_from_the_call_on)
{
	if (!has_names())
		return;
	size_t length = asks_for_its_stack(text, sizeof(text));

	CHECK_EQ(length, strlen(text));
	check_frame("asks_for_its_stack");
	CHECK_CONTAINS(text, " [running");
}

TEST_PLAIN(own_stack_is_cut_to_the_room_there_is)
{
	memset(text, 'x', 32);
	CHECK_EQ(asks_for_its_stack(text, 20), 19);
	CHECK_EQ(strlen(text), 19);
	CHECK_EQ(text[20], 'x');
	CHECK_EQ(asks_for_its_stack(text, 0), 0);
	CHECK_EQ(strlen(text), 19);
}

static NOINLINE size_t asks_without_memory(void)
{
	struct rlimit before;
	bool is_limited = limit_addresses(0, &before);
	size_t length = tuza_stack(text, sizeof(text));

	if (is_limited)
		setrlimit(RLIMIT_AS, &before);
	else
		SKIP("nothing limits memory here");
	return length;
}

TEST_PLAIN(own_stack_can_be_had_without_memory)
{
	asks_for_its_stack(text, sizeof(text)); // libbacktrace has read what it needs
	memset(text, 0, sizeof(text));
	size_t length = asks_without_memory();
	CHECK_EQ(length, strlen(text));
	CHECK_CONTAINS(text, "goroutine ");
	if (has_names())
		check_frame("asks_without_memory");
}

// ---- the lock ---------------------------------------------------------------------------------

TEST_PLAIN(report_lock_can_be_taken_again_by_its_holder)
{
	report_lock(0);
	report_lock(0);
	report_unlock();
	report_unlock();
}

static atomic_int step;
static atomic_int waiter; // the thread's id

static void *waits_for_lock(void *flags)
{
	atomic_store(&waiter, gettid());
	atomic_store(&step, 1);
	report_lock(*(unsigned *)flags);
	atomic_store(&step, 2);
	report_unlock();
	return NULL;
}

static pthread_t start_waiting(unsigned *flags)
{
	pthread_t other;

	atomic_store(&step, 0);
	pthread_create(&other, NULL, waits_for_lock, flags);
	while (atomic_load(&step) == 0 ||
		(atomic_load(&step) == 1 && !sys_thread_sleeps(atomic_load(&waiter))))
		usleep(100);
	usleep(20000);
	return other;
}

TEST_PLAIN(report_lock_keeps_others_waiting)
{
	unsigned flags = 0;

	report_lock(0);
	report_lock(0);
	pthread_t other = start_waiting(&flags);
	CHECK_EQ(atomic_load(&step), 1);
	report_unlock();
	usleep(20000);
	CHECK_EQ(atomic_load(&step), 1);
	report_unlock();
	pthread_join(other, NULL);
	CHECK_EQ(atomic_load(&step), 2);
}

// However soon others come again.
TEST_PLAIN(a_dying_process_has_its_turn_after_the_report_under_way)
{
	for (int i = 0; i < 10; i++) {
		unsigned flags = REPORT_FATAL;

		report_lock(0);
		pthread_t other = start_waiting(&flags);
		CHECK_EQ(atomic_load(&step), 1);
		report_unlock();
		report_lock(0);
		CHECK_EQ(atomic_load(&step), 2);
		report_unlock();
		pthread_join(other, NULL);
	}
}

TEST_PLAIN(a_report_that_goes_on_is_waited_for)
{
	unsigned flags = REPORT_FATAL;
	char buffer[16];
	struct writer w;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	writer_to_fd(&w, fd, buffer, sizeof(buffer));
	report_lock(0);
	pthread_t other = start_waiting(&flags);
	for (int64_t end = clock_now() + 3 * SECOND; clock_now() < end; usleep(50000)) {
		writer_text(&w, "more");
		writer_flush(&w);
	}
	CHECK_EQ(atomic_load(&step), 1);
	report_unlock();
	pthread_join(other, NULL);
	close(fd);
}

TEST_PLAIN(report_lock_is_taken_from_a_holder_who_keeps_a_dying_process_waiting)
{
	unsigned flags = REPORT_FATAL;
	int64_t start = clock_now();

	report_lock(0);
	pthread_t other = start_waiting(&flags);
	CHECK_EQ(atomic_load(&step), 1);
	pthread_join(other, NULL);
	CHECK(clock_now() - start >= SECOND);
	report_unlock(); // lost; nothing happens
	report_lock(0);
	report_unlock();
}
