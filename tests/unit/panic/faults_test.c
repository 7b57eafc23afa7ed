// SPDX-License-Identifier: MIT
/*
 * Faults that become panics, the handlers and their stacks. What ends the process is in tests/die.
 */
#include "test.h"

#include "panic/panic.h"
#include "sched/upcalls.h"
#include "sys/sys.h"

#include <dlfcn.h>
#include <sys/auxv.h>
#include <sys/mman.h>

static int *volatile nil;
static volatile int zero;
static void (*volatile nil_function)(void);
static atomic_int defers;

static void count(int n) { atomic_fetch_add(&defers, n); }

// UBSan would end the program before the CPU can; to TSan two goroutines race for address 0.
#define FAULTY                                                                                     \
	static __attribute__((noinline, no_sanitize("undefined"), no_sanitize("thread"))) void

FAULTY dereference(void *arg)
{
	(void)arg;
	TUZA_DEFER(count, 1);
	*nil = 1;
}
FAULTY divide(void *arg)
{
	(void)arg;
	TUZA_DEFER(count, 1);
	zero = 100 / zero;
}
FAULTY call_nil(void *arg)
{
	(void)arg;
	TUZA_DEFER(count, 1);
	nil_function();
}

static void check_contained(void (*fn)(void *), const char *message, const char *function)
{
	tuza_panic_info info = {"", ""};

	defers = 0;
	errno = EDOM;
	CHECK_EQ(tuza_try_with(fn, NULL, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK_EQ(errno, EDOM);
	CHECK_EQ(defers, 1);
	CHECK_STR(info.message, message);
	CHECK_CONTAINS(info.stack, function);
	CHECK_CONTAINS(info.stack, "check_contained(...)");
}

#define NIL_DEREFERENCE "runtime error: invalid memory address or nil pointer dereference"

// P11. A plain thread has no handlers before the runtime starts.
TEST(nil_dereference_is_contained_when_asked_for)
{
	check_contained(dereference, NIL_DEREFERENCE, "dereference(...)");
}

#if defined(__x86_64__)
TEST(division_by_zero_is_contained_when_asked_for)
{
	check_contained(divide, "runtime error: integer divide by zero", "divide(...)");
}
#else
TEST(division_by_zero_gives_zero_on_this_CPU)
{
	divide(NULL);
	CHECK_EQ(zero, 0);
}
#endif

TEST(call_of_a_nil_function_is_contained_in_its_caller)
{
	check_contained(call_nil, NIL_DEREFERENCE, "call_nil(...)");
}

static void try_without_flag(void *arg)
{
	TUZA_DEFER(count, 10);
	TUZA_IGNORE(tuza_try(dereference, arg, NULL));
	CHECK(!"reached");
}

TEST(fault_passes_a_try_that_did_not_ask_for_it)
{
	defers = 0;
	CHECK_EQ(tuza_try_with(try_without_flag, NULL, TUZA_RECOVER_FAULTS, NULL), TUZA_EPANIC);
	CHECK_EQ(defers, 11);
}

static void raise_ordinary(void *arg)
{
	(void)arg;
	tuza_panic("ordinary");
}

TEST(try_that_asks_for_faults_contains_panics_as_well)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try_with(raise_ordinary, NULL, TUZA_RECOVER_FAULTS, &info), TUZA_EPANIC);
	CHECK_STR(info.message, "ordinary");
}

static void fault_often(void *arg)
{
	atomic_int *left = arg;
	sigset_t mask;

	for (int i = 0; i < 200; i++) {
		CHECK_EQ(tuza_try_with(dereference, NULL, TUZA_RECOVER_FAULTS, NULL), TUZA_EPANIC);
		if (i % 10 == 0)
			tuza_yield();
	}
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	CHECK(!sigismember(&mask, SIGSEGV));
	atomic_fetch_sub(left, 1);
}

TEST(faults_on_several_threads_are_contained_each_in_its_goroutine)
{
	atomic_int left = 4;

	for (int i = 0; i < 4; i++)
		CHECK_EQ(tuza_go(fault_often, &left), 0);
	WAIT_UNTIL(atomic_load(&left) == 0);
}

// ---- what survives a fault ------------------------------------------------------------------

static __attribute__((noinline)) int sum_around_fault(const int *values)
{
	// Leaf code that the compiler keeps below the stack pointer, with a fault in the middle of
	// its callers' life.
	int copy[16], sum = 0;

	memcpy(copy, values, sizeof(copy));
	for (int i = 0; i < 16; i++)
		sum += copy[i];
	return sum;
}

TEST(frames_that_survive_keep_what_they_hold)
{
	int values[16];

	for (int i = 0; i < 16; i++)
		values[i] = i * 3;
	double product = (double)sum_around_fault(values) * 1.5;
	CHECK_EQ(tuza_try_with(dereference, NULL, TUZA_RECOVER_FAULTS, NULL), TUZA_EPANIC);
	CHECK(product == (double)sum_around_fault(values) * 1.5);
}

// ---- handlers and stacks ---------------------------------------------------------------------

static void on_signal(int sig) { (void)sig; }

static void check_handler(int sig, void (*handler)(int))
{
	struct sigaction action;

	CHECK_EQ(sigaction(sig, NULL, &action), 0);
	CHECK(!(action.sa_flags & SA_SIGINFO) && action.sa_handler == handler);
}

static int return_zero(void *arg)
{
	struct sigaction action;

	CHECK_EQ(sigaction(SIGSEGV, NULL, &action), 0);
	CHECK(action.sa_flags & SA_SIGINFO && action.sa_flags & SA_ONSTACK);
	if (arg)
		check_handler(SIGQUIT, on_signal);
	return 0;
}

TEST_PLAIN(handlers_are_given_back_when_the_runtime_ends)
{
	struct sigaction before, after;

	CHECK_EQ(sigaction(SIGSEGV, NULL, &before), 0);
	CHECK_EQ(tuza_run(return_zero, NULL), 0);
	CHECK_EQ(sigaction(SIGSEGV, NULL, &after), 0);
	CHECK(before.sa_handler == after.sa_handler);
	check_handler(SIGQUIT, SIG_DFL);
}

TEST_PLAIN(handler_of_the_program_for_SIGQUIT_stays)
{
	signal(SIGQUIT, on_signal);
	CHECK_EQ(tuza_run(return_zero, "check"), 0);
	check_handler(SIGQUIT, on_signal);
	signal(SIGQUIT, SIG_DFL);
}

static int fault_once(void *arg)
{
	(void)arg;
	return tuza_try_with(dereference, NULL, TUZA_RECOVER_FAULTS, NULL);
}

TEST_PLAIN(fault_is_contained_when_the_program_has_blocked_all_signals)
{
	sigset_t all, before;

	sigfillset(&all);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
	CHECK_EQ(tuza_run(fault_once, NULL), TUZA_EPANIC);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

TEST_PLAIN(alternate_stack_is_put_back_as_it_was_found)
{
	static char memory[64 << 10];
	stack_t own = {.ss_sp = memory, .ss_size = sizeof(memory)}, before, now;

	sys_init();
	CHECK_EQ(sigaltstack(&own, &before), 0);
	CHECK_EQ(faults_thread_start(), 0);
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_sp != (void *)memory && now.ss_size >= 64 << 10);
	faults_thread_end();
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK(now.ss_sp == (void *)memory);
	CHECK_EQ(sigaltstack(&before, NULL), 0);
}

// golang/go#35777: kernels have lost vector registers when the memory for a signal's frame was not
// there yet. It lies at the upper end; the kernel says how large it may be.
TEST(signals_frame_on_the_alternate_stack_of_a_goroutine_is_in_memory)
{
	stack_t now;
	unsigned char there[64] = {0}; // of its pages

	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK_EQ(now.ss_flags & SS_DISABLE, 0);
	size_t most = getauxval(AT_MINSIGSTKSZ);
	size_t pages = ((most ? most : MINSIGSTKSZ) + sys_page_bytes - 1) / sys_page_bytes;
	CHECK(pages > 0 && pages <= sizeof there && pages * sys_page_bytes <= now.ss_size);
	char *low = (char *)now.ss_sp + now.ss_size - pages * sys_page_bytes;
	CHECK_EQ(mincore(low, pages * sys_page_bytes, there), 0);
	for (size_t i = 0; i < pages; i++)
		CHECK_EQ(there[i] & 1, 1);
}

// ---- whose code ------------------------------------------------------------------------------

TEST_PLAIN(own_code_is_the_programs_and_not_the_C_librarys)
{
	CHECK(own_code_holds((uintptr_t)on_signal));
	CHECK(!own_code_holds((uintptr_t)dlsym(RTLD_DEFAULT, "getppid")));
	CHECK(!own_code_holds(0));
}
