// SPDX-License-Identifier: MIT
// Part of every test: its main, and what the macros of test.h call.
#include "test.h"

#include <time.h>

static struct test_case *test_first;
struct test_case **test_last = &test_first;
atomic_int test_failures;
bool test_skipped;
int test_seconds = 60;
static int test_count_failed, test_count_skipped, test_count_run;

bool test_check(bool held, const char *what, const char *file, int line)
{
	if (!held) {
		atomic_fetch_add(&test_failures, 1);
		printf("  %s:%d: failed: %s\n", file, line, what);
	}
	return held;
}

bool test_check_eq(intmax_t got, intmax_t want, const char *what, const char *file, int line)
{
	if (got != want)
		printf("  %s:%d: got %jd, want %jd\n", file, line, got, want);
	return test_check(got == want, what, file, line);
}

bool test_check_str(const char *got, const char *want, bool part, const char *file, int line)
{
	bool held = part ? strstr(got, want) != NULL : strcmp(got, want) == 0;

	if (!held)
		printf("  %s:%d: got \"%s\", want %s\"%s\"\n", file, line, got,
			part ? "in it " : "", want);
	return test_check(held, "text", file, line);
}

bool test_check_panics(const char *text, void (*fn)(void *), void *arg, const char *file, int line)
{
	tuza_panic_info info = {"", ""};

	if (!test_check_eq(tuza_try(fn, arg, &info), TUZA_EPANIC, "it panics", file, line))
		return false;
	return test_check_str(info.message, text, false, file, line);
}

// ---- running -----------------------------------------------------------------------------------

void test_call(void *arg) { ((struct test_case *)arg)->body(); }

// The test itself, then the wait for goroutines that are about to end.
static void test_body(struct test_case *test)
{
	tuza_leak_snapshot *before = tuza_leak_snapshot_new();
	size_t count_before = tuza_num_goroutine();
	tuza_panic_info info = {"", ""};
	tuza_leak_options leaks = {
		.ignore_current = before, .wait = test_seconds * TUZA_SECOND / 3};

	if (tuza_try(test_call, test, &info) != 0) {
		atomic_fetch_add(&test_failures, 1);
		printf("  panic: %s\n%s\n", info.message, info.stack);
	}
	fflush(stdout);
	if (test_probes_pending() > 0) // only then: to look names up takes its time
		leaks.ignore_created_by = "test_probe_start";
	CHECK_EQ(tuza_leak_check(&leaks), 0);
	WAIT_UNTIL(tuza_num_goroutine() == count_before + test_probes_pending());
	tuza_leak_snapshot_free(before);
}

int test_in_run(void *arg)
{
	test_body(arg);
	return 0;
}

// The runtime shows all goroutines on SIGQUIT and ends; should it not, the second alarm kills.
static void test_too_slow(int sig)
{
	static const char text[] = "test: time is up\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	signal(sig, SIG_DFL);
	alarm(10);
	kill(getpid(), SIGQUIT);
}

static void test_run(struct test_case *test)
{
	struct sigaction action = {
		.sa_handler = test_too_slow, .sa_flags = SA_ONSTACK | SA_RESTART};
	int fds = test_count_fds();
	clock_t began = clock();

	sigaction(SIGALRM, &action, NULL);
	alarm((unsigned)test_seconds);
	atomic_store(&test_failures, 0);
	test_skipped = false;
	if (test->plain)
		test_body(test);
	else
		CHECK_EQ(tuza_run(test_in_run, test), 0);
	if (!test->plain)
		test_probes_forget();
	if (test_probes_pending() == 0)
		CHECK_EQ(tuza_shutdown(), 0);
	// A thread on its way to its end may have one for a moment.
	for (int ms = 0; test_count_fds() > fds && ms < 5000; ms++)
		usleep(1000);
	CHECK(test_count_fds() <= fds);
	alarm(0);
	test_count_run++;
	test_count_skipped += test_skipped;
	test_count_failed += test_failures != 0;
	printf("%s %s", test_failures ? "FAIL" : test_skipped ? "skip" : "ok  ", test->name);
	if (getenv("TUZA_TEST_TIMES"))
		printf(": %.2f s of CPU", (double)(clock() - began) / CLOCKS_PER_SEC);
	puts("");
}

bool test_is_chaotic(void)
{
	const char *debug = getenv("TUZA_DEBUG");

	return debug && strstr(debug, "chaos");
}

// Chaos without a seed gets one, so that all runs of this program have the same and it can be told.
static void test_choose_seed(void)
{
	char debug[128];

	if (!test_is_chaotic() || strstr(getenv("TUZA_DEBUG"), "chaos="))
		return;
	snprintf(debug, sizeof(debug), "%s,chaos=%u", getenv("TUZA_DEBUG"),
		(unsigned)(tuza_now() ^ getpid()) | 1);
	setenv("TUZA_DEBUG", debug, 1);
}

static bool test_is_chosen(const char *name, char **words)
{
	bool any = false;

	for (; *words; any = true, words++)
		if (strstr(name, *words))
			return true;
	return !any;
}

// A thread that is not quite at its end has memory of the C library, which valgrind takes for lost.
static void test_await_threads(void)
{
	for (int ms = 0; test_is_on_valgrind() && test_count_threads() > 1 && ms < 20000; ms++)
		usleep(1000);
}

int main(int argc, char **argv)
{
	const char *seconds = getenv("TUZA_TEST_SECONDS");

	(void)argc;
	test_seconds = seconds ? atoi(seconds) : test_seconds;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	test_choose_seed();
	for (struct test_case *test = test_first; test; test = test->next)
		if (test_is_chosen(test->name, argv + 1))
			test_run(test);
	test_await_threads();
	if (test_count_failed && test_is_chaotic())
		printf("again: TUZA_DEBUG=%s\n", getenv("TUZA_DEBUG"));
	if (test_count_failed)
		return 1;
	return test_count_run == test_count_skipped ? 77 : 0;
}
