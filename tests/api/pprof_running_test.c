// SPDX-License-Identifier: MIT
// not-under: thread valgrind they deliver signals late, so nobody is asked there
// The stacks of goroutines that run, on other threads, in profiles and dumps. (O30, O36)
#include "pprof_support.h"

#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <tuza/go.h>
#include <tuza/sync.h>

#define KEEP __attribute__((noinline))

static uint64_t count_of(const char *const *functions, const char *key, const char *value)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_write(fd, "goroutine", 0), 0);
	struct decoded *d = decode(fd);
	uint64_t n = value_of(d, 0, functions, key, value);

	decoded_free(d);
	return n;
}

// ---- running -----------------------------------------------------------------------------------

static int stop;
static volatile unsigned sink;

KEEP static void spins_inside(void)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		for (int i = 0; i < 100; i++)
			sink = sink + 1;
}

KEEP static void spins(tuza_waitgroup *wg)
{
	spins_inside();
	tuza_waitgroup_done(wg);
}

static void start_spinners(int n, tuza_waitgroup *wg)
{
	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	tuza_waitgroup_add(wg, n);
	for (int i = 0; i < n; i++)
		go(spins, wg);
}

static void stop_spinners(tuza_waitgroup *wg)
{
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	tuza_waitgroup_wait(wg);
}

TEST(running_goroutine_has_its_stack_and_labels)
{
	tuza_waitgroup wg = {0};

	CHECK_EQ(tuza_set_label("job", "spin"), 0);
	start_spinners(1, &wg);
	CHECK_EQ(tuza_set_label("job", NULL), 0);
	WAIT_UNTIL(count_of(FUNCTIONS("spins_inside", "spins"), "job", "spin") == 1);
	stop_spinners(&wg);
}

static char *dump(void)
{
	int fd = scratch();
	size_t n;
	char *text;

	tuza_dump(fd);
	text = read_back(fd, &n);
	close(fd);
	return text;
}

static bool spinner_is_shown(void)
{
	char *text = dump();
	bool is_shown = strstr(text, " [running]:\nspins_inside(...)\n");

	free(text);
	return is_shown;
}

// Once it runs, and its thread is let run while it is asked.
TEST(dump_shows_running_goroutines)
{
	tuza_waitgroup wg = {0};

	start_spinners(1, &wg);
	WAIT_UNTIL(spinner_is_shown());
	stop_spinners(&wg);
}

static void moves_on(tuza_waitgroup *wg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < 1000; i++)
			sink = sink + 1;
		tuza_yield();
	}
	tuza_waitgroup_done(wg);
}

TEST(asking_disturbs_nobody_who_moves_on)
{
	tuza_waitgroup wg = {0};
	int cpu = scratch();

	__atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
	CHECK_EQ(tuza_pprof_cpu_start(cpu), 0);
	tuza_waitgroup_add(&wg, 20);
	for (int i = 0; i < 20; i++)
		go(moves_on, &wg);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(count_of(ALL_FUNCTIONS, NULL, NULL), 21);
	stop_spinners(&wg);
	CHECK_EQ(tuza_pprof_cpu_stop(), 0);
	close(cpu);
}

// ---- in blocking sections ----------------------------------------------------------------------

struct section {
	int gate[2];
	tuza_chan *entered, *left;
	bool is_signal_blocked;
	int status;
	pid_t thread; // atomic: that is about to poll
};

static void open_section(struct section *s)
{
	*s = (struct section){.entered = tuza_chan_new(0, 0), .left = tuza_chan_new(0, 0)};
	CHECK_EQ(pipe2(s->gate, O_CLOEXEC), 0);
}

static void close_section(struct section *s)
{
	CHECK_EQ(write(s->gate[1], "x", 1), 1);
	tuza_recv(s->left, NULL);
	close(s->gate[0]);
	close(s->gate[1]);
	tuza_chan_release(s->entered);
	tuza_chan_release(s->left);
}

KEEP static void reads_in_section(struct section *s)
{
	sigset_t signal;
	char c;

	tuza_blocking_begin();
	sigemptyset(&signal);
	sigaddset(&signal, SIGPROF);
	if (s->is_signal_blocked)
		sigprocmask(SIG_BLOCK, &signal, NULL);
	CHECK_EQ(read(s->gate[0], &c, 1), 1);
	if (s->is_signal_blocked)
		sigprocmask(SIG_UNBLOCK, &signal, NULL);
	tuza_blocking_end();
	tuza_chan_close(s->left);
}

// Whether the goroutine is in the profile with its stack, and then with nothing else.
static bool is_shown_in_section(void)
{
	int fd = scratch();

	CHECK_EQ(tuza_pprof_write(fd, "goroutine", 0), 0);
	struct decoded *d = decode(fd);
	bool is_shown = value_of(d, 0, FUNCTIONS("reads_in_section"), NULL, NULL) == 1;

	if (is_shown)
		CHECK_EQ(value_of(d, 0, FUNCTIONS("[in a blocking section]"), NULL, NULL), 0);
	decoded_free(d);
	return is_shown;
}

TEST(goroutine_in_a_section_has_its_stack)
{
	struct section s;

	if (getenv("TUZA_TEST_EMULATOR")) {
		SKIP("the kernel tells the numbers of another CPU's system calls");
		return;
	}
	open_section(&s);
	go(reads_in_section, &s);
	WAIT_UNTIL(is_shown_in_section());
	close_section(&s);
}

TEST(thread_that_does_not_answer_is_counted_all_the_same)
{
	struct section s;

	open_section(&s);
	s.is_signal_blocked = true;
	go(reads_in_section, &s);
	WAIT_UNTIL(count_of(FUNCTIONS("[in a blocking section]"), NULL, NULL) == 1);
	// The late signal, when it is let in, finds no question.
	close_section(&s);
}

KEEP static void polls_in_section(struct section *s)
{
	struct pollfd p = {.fd = s->gate[0], .events = POLLIN};

	tuza_blocking_begin();
	__atomic_store_n(&s->thread, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->status = poll(&p, 1, -1);
	tuza_blocking_end();
	tuza_chan_close(s->left);
}

static bool sleeps(const pid_t *thread)
{
	pid_t id = __atomic_load_n(thread, __ATOMIC_ACQUIRE);
	char path[64], state = 0;
	FILE *stat;

	if (id == 0)
		return false;
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)id);
	stat = fopen(path, "r");
	if (!CHECK(stat != NULL))
		return true;
	CHECK_EQ(fscanf(stat, "%*d (%*[^)]) %c", &state), 1);
	fclose(stat);
	return state == 'S';
}

TEST(calls_that_a_signal_would_end_are_left_alone)
{
	struct section s;

	open_section(&s);
	go(polls_in_section, &s);
	WAIT_UNTIL(
		sleeps(&s.thread)); // who is on the way to the call may be asked, and that end it
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(count_of(FUNCTIONS("[in a blocking section]"), NULL, NULL), 1);
		CHECK_EQ(count_of(ALL_FUNCTIONS, NULL, NULL), 2);
	}
	close_section(&s);
	CHECK_EQ(s.status, 1); // not EINTR
}

// ---- the program's own handler -----------------------------------------------------------------

static int handled;

static void programs_handler(int signal)
{
	(void)signal;
	handled++;
}

TEST(programs_own_handler_is_respected)
{
	struct sigaction action = {.sa_handler = programs_handler}, old;
	tuza_waitgroup wg = {0};

	CHECK_EQ(sigaction(SIGPROF, &action, &old), 0);
	start_spinners(1, &wg);
	WAIT_UNTIL(count_of(FUNCTIONS("[running]"), NULL, NULL) == 1);
	CHECK_EQ(count_of(FUNCTIONS("spins"), NULL, NULL), 0);
	CHECK_EQ(sigaction(SIGPROF, NULL, &action), 0);
	CHECK(action.sa_handler == programs_handler);
	stop_spinners(&wg);
	CHECK_EQ(handled, 0);
	CHECK_EQ(sigaction(SIGPROF, &old, NULL), 0);
}
