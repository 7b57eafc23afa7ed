// SPDX-License-Identifier: MIT
/*
 * How the process ends: one report, whatever else goes wrong. Each test watches a child, which
 * never starts a runtime.
 */
#include "test.h"

#include "base/fatal.h"
#include "panic/panic.h"

#include <pthread.h>
#include <sys/wait.h>

static char output[16384];

static void *call(void *fn)
{
	(*(void (**)(void))fn)();
	return NULL;
}

// Runs fn in a child and keeps what it writes to standard error. Returns its status, 1000 + signal
// if one ended it.
static int die_by(void (*fn)(void))
{
	int fds[2], status = 0;
	size_t length = 0;
	ssize_t n;
	pthread_t thread;

	if (!CHECK_EQ(pipe(fds), 0))
		return -1;
	pid_t child = fork();
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		pthread_create(&thread, NULL, call, &fn); // on this one a tuza_try is under way
		pthread_join(thread, NULL);
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], output + length, sizeof(output) - 1 - length)) > 0)
		length += (size_t)n;
	output[length] = 0;
	close(fds[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int count_in_output(const char *text)
{
	int n = 0;

	for (const char *at = output; (at = strstr(at, text)); at += strlen(text))
		n++;
	return n;
}

static void check_begins(const char *text)
{
	char begin[128];

	snprintf(begin, sizeof(begin), "%.*s", (int)strlen(text), output);
	CHECK_STR(begin, text);
}

static void die_fatally(void) { fatal("out of %s", "luck"); }

// D2
TEST_PLAIN(fatal_error_is_told_with_the_stack_and_status_2)
{
	CHECK_EQ(die_by(die_fatally), 2);
	check_begins("fatal error: out of luck\n\ngoroutine ");
	CHECK_CONTAINS(output, "die_fatally(...)");
}

static void break_invariant(void) { check(1 + 1 == 3); }

TEST_PLAIN(failed_check_names_condition_and_place)
{
	CHECK_EQ(die_by(break_invariant), 2);
	CHECK_CONTAINS(output, "fatal error: tuza: check failed: 1 + 1 == 3 (");
}

static void fail_while_dying(void)
{
	die_begin();
	fatal("again");
}

// D6
TEST_PLAIN(failure_while_dying_is_told)
{
	CHECK_EQ(die_by(fail_while_dying), 2);
	CHECK_CONTAINS(output, "panic during panic\nfatal error: again\n");
}

static void fail_thrice(void)
{
	die_begin();
	die_begin();
	die_begin();
}
static void fail_for_ever(void)
{
	close(STDERR_FILENO);
	fail_thrice();
}

TEST_PLAIN(third_failure_ends_with_status_4)
{
	CHECK_EQ(die_by(fail_thrice), 4);
	CHECK_CONTAINS(output, "stack trace unavailable");
	CHECK_EQ(die_by(fail_for_ever), 4);
}

static void *die_on_thread(void *unused)
{
	(void)unused;
	fatal("the second");
}
static void die_on_two_threads(void)
{
	pthread_t thread;

	die_begin();
	pthread_create(&thread, NULL, die_on_thread, NULL);
	usleep(50000); // the other one is waiting now, or not there yet: the same to it
	die_with_stacks(false, 0);
}
static void die_on_four_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, die_on_thread, NULL);
	pause();
}

// D7
TEST_PLAIN(second_dying_thread_waits_and_says_nothing)
{
	CHECK_EQ(die_by(die_on_two_threads), 2);
	CHECK_EQ(count_in_output("the second"), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(die_by(die_on_four_threads), 2);
		CHECK_EQ(count_in_output("fatal error: the second"), 1);
		CHECK_EQ(count_in_output("goroutine "), 1);
	}
}

static int die_with_traceback(const char *level)
{
	setenv("TUZA_TRACEBACK", level, 1);
	int status = die_by(die_fatally);
	unsetenv("TUZA_TRACEBACK");
	return status;
}

// R14
TEST_PLAIN(TUZA_TRACEBACK_says_how_much_is_shown)
{
	CHECK_EQ(die_with_traceback("none"), 2);
	CHECK_STR(output, "fatal error: out of luck\n\n");
	CHECK_EQ(die_with_traceback("0"), 2);
	CHECK_STR(output, "fatal error: out of luck\n\n");
	CHECK_EQ(die_with_traceback("single"), 2);
	CHECK_CONTAINS(output, "die_fatally(...)");
	CHECK_EQ(die_with_traceback("nonsense"), 2);
	CHECK_CONTAINS(output, "die_fatally(...)");
	CHECK_EQ(die_with_traceback("crash"), 1000 + SIGABRT);
	CHECK_CONTAINS(output, "die_fatally(...)");
}

static void panic_at_length(void) { tuza_panic("one\ntwo\n%s", "three"); }

// P7
TEST_PLAIN(further_lines_of_a_panic_are_indented)
{
	CHECK_EQ(die_by(panic_at_length), 2);
	check_begins("panic: one\n\ttwo\n\tthree\n\ngoroutine ");
}

static void panic_again(const char *text) { tuza_panic("%s", text); }
static void panic_thrice(void)
{
	TUZA_DEFER(panic_again, "third");
	TUZA_DEFER(panic_again, "second");
	tuza_panic("first");
}

// P6, T4.5
TEST_PLAIN(panics_that_were_superseded_are_told_in_order)
{
	CHECK_EQ(die_by(panic_thrice), 2);
	check_begins("panic: first\n\tpanic: second\n\tpanic: third\n\n");
}

static void write_before_death(int c)
{
	char text[] = {(char)c, '\n'};

	(void)!write(STDERR_FILENO, text, sizeof(text));
}
static void panic_under_defers(void)
{
	TUZA_DEFER(write_before_death, 'a');
	TUZA_DEFER(write_before_death, 'b');
	tuza_panic("late");
}

TEST_PLAIN(deferred_calls_are_made_before_an_uncaught_panic_is_told)
{
	CHECK_EQ(die_by(panic_under_defers), 2);
	check_begins("b\na\npanic: late\n");
}
