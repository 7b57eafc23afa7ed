// SPDX-License-Identifier: MIT
// not-under: thread valgrind they deliver signals late, when the stack is another one
// The unwinder, compared with libgcc's wherever a signal arrives.
#include "test.h"

#include "debug/backtrace.h"
#include "debug/unwind.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>
#include <unwind.h>
#include <tuza/go.h>
#include <tuza/sync.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static atomic_int signals, deep, switches, mismatches;
static char mismatch[4096]; // of the first one

// In a signal handler of a test: not all of this is allowed there, and the test has failed anyway.
static void describe(const struct backtrace_frame *got, uint32_t n, const struct backtrace *want)
{
	size_t at = 0;

	for (uint32_t i = 0; i < n && at < sizeof(mismatch) - 100; i++)
		at += (size_t)snprintf(
			mismatch + at, 40, " %p%s", (void *)got[i].pc, got[i].is_return ? "" : "!");
	at += (size_t)snprintf(mismatch + at, 20, " want");
	for (uint32_t i = 0; i < want->count && at < sizeof(mismatch) - 100; i++)
		at += (size_t)snprintf(mismatch + at, 40, " %p%s", (void *)want->frames[i].pc,
			want->frames[i].is_return ? "" : "!");
}

static bool is_root(struct _Unwind_Context *context)
{
	uintptr_t function = (uintptr_t)_Unwind_GetRegionStart(context);

	return function == (uintptr_t)arch_start || function == (uintptr_t)arch_park ||
	       function == (uintptr_t)arch_jump;
}

struct libgcc_walk {
	struct backtrace *b;
	bool is_under_way; // what the signal interrupted has been found
};

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *arg)
{
	struct libgcc_walk *w = arg;
	int is_interrupted = 0;
	uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &is_interrupted);

	if (!w->is_under_way && !is_interrupted)
		return _URC_NO_REASON;
	w->is_under_way = true;
	// The C library's outermost function has no return address.
	if (is_root(context) || (pc == 0 && !is_interrupted) || w->b->count == BACKTRACE_INNER)
		return _URC_END_OF_STACK;
	w->b->frames[w->b->count++] = (struct backtrace_frame){pc, !is_interrupted};
	return _URC_NO_REASON;
}

static void libgcc_interrupted(struct backtrace *b)
{
	struct libgcc_walk w = {.b = b};

	b->count = 0;
	_Unwind_Backtrace(walk_frame, &w);
}

static bool is_same(struct backtrace_frame a, struct backtrace_frame b)
{
	return a.pc == b.pc && a.is_return == b.is_return;
}

static void compare(int number, siginfo_t *info, void *context)
{
	struct backtrace_frame got[BACKTRACE_INNER];
	struct backtrace want, from_handler;
	int saved_errno = errno;
	uint32_t n = unwind_interrupted(context, got, BACKTRACE_INNER), kept;
	bool same;

	(void)number;
	(void)info;
	libgcc_interrupted(&want);
	backtrace_interrupted(&from_handler);
	kept = want.count;
	// That one ends where a switch is under way, before it has begun.
	same = n == kept || (kept == 0 && n >= 1);
	for (uint32_t i = 0; i < kept && same; i++)
		same = is_same(got[i], want.frames[i]);
	// The same walk from the handler on, through the trampoline.
	same = same &&
	       (from_handler.count < BACKTRACE_INNER ? from_handler.count : BACKTRACE_INNER) == n;
	for (uint32_t i = 0; i < n && same; i++)
		same = is_same(got[i], from_handler.frames[i]);
	if (!same && atomic_fetch_add(&mismatches, 1) == 0)
		describe(got, n, &want);
	atomic_fetch_add(&signals, 1);
	if (n > 20)
		atomic_fetch_add(&deep, 1);
	if (kept == 0)
		atomic_fetch_add(&switches, 1);
	errno = saved_errno;
}

// ---- signals for every thread, often -----------------------------------------------------------

static timer_t timers[64];
static int timer_count;

static void start_timer(int id, void *arg)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
	struct itimerspec when = {{0, 200000}, {0, 100000 + id % 7 * 1000}};

	(void)arg;
	event._sigev_un._tid = id;
	if (timer_count < 64 && timer_create(CLOCK_MONOTONIC, &event, &timers[timer_count]) == 0)
		timer_settime(timers[timer_count++], 0, &when, NULL);
}

static void signals_start(void)
{
	struct sigaction action = {
		.sa_sigaction = compare, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

	CHECK_EQ(sigaction(SIGPROF, &action, NULL), 0);
	libgcc_interrupted(&(struct backtrace){.count = 0}); // what is lazy there is done now
	CHECK_EQ(sys_threads_each(start_timer, NULL), 0);
}

static void signals_stop(void)
{
	for (int i = 0; i < timer_count; i++)
		timer_delete(timers[i]);
	timer_count = 0;
	// One that was sent may still arrive: the handler stays.
}

// ---- what is interrupted -----------------------------------------------------------------------

static atomic_bool ending;

static NOINLINE unsigned recurse(unsigned depth)
{
	unsigned below = depth > 0 ? recurse(depth - 1) : (unsigned)tuza_now();

	KEEP_FRAME();
	return below + depth;
}

static void digs(tuza_waitgroup *wg)
{
	while (!atomic_load(&ending)) {
		for (int i = 0; i < 1000; i++)
			recurse(40);
		tuza_yield();
	}
	tuza_waitgroup_done(wg);
}

static void sends(tuza_chan *c, tuza_waitgroup *wg)
{
	for (int i = 0; !atomic_load(&ending); i++)
		tuza_send(c, i);
	tuza_chan_close(c);
	tuza_waitgroup_done(wg);
}

static void receives(tuza_chan *c, tuza_waitgroup *wg)
{
	int v;

	while (tuza_recv(c, &v))
		;
	tuza_waitgroup_done(wg);
}

static void is_short(tuza_waitgroup *wg) { tuza_waitgroup_done(wg); }

static void spawns(tuza_waitgroup *wg)
{
	tuza_waitgroup inner = {0};

	while (!atomic_load(&ending)) {
		tuza_waitgroup_add(&inner, 10);
		for (int i = 0; i < 10; i++)
			go(is_short, &inner);
		tuza_waitgroup_wait(&inner);
		free(malloc(100));
	}
	tuza_waitgroup_done(wg);
}

static void panics(void *arg)
{
	(void)arg;
	tuza_panic("on purpose");
}

static void tries(tuza_waitgroup *wg)
{
	tuza_panic_info info;

	while (!atomic_load(&ending)) {
		CHECK_EQ(tuza_try(panics, NULL, &info), TUZA_EPANIC);
		tuza_sleep(TUZA_MICROSECOND);
	}
	tuza_waitgroup_done(wg);
}

TEST(stack_is_the_same_wherever_a_signal_arrives)
{
	tuza_waitgroup wg = {0};
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);

	sys_unwind_refresh();
	tuza_waitgroup_add(&wg, 5);
	go(digs, &wg);
	go(sends, c, &wg);
	go(receives, c, &wg);
	go(spawns, &wg);
	go(tries, &wg);
	tuza_sleep(TUZA_MILLISECOND); // so that there are threads; no matter how many
	signals_start();
	for (int64_t end = tuza_now() + 10 * TUZA_SECOND;
		(atomic_load(&signals) < 20000 || atomic_load(&deep) == 0) && tuza_now() < end;)
		tuza_sleep(TUZA_MILLISECOND);
	signals_stop();
	atomic_store(&ending, true);
	tuza_waitgroup_wait(&wg);
	printf("  %d signals, %d in deep stacks, %d in switches\n", signals, deep, switches);
	CHECK(signals > 100);
	CHECK(deep > 0);
	if (!CHECK_EQ(mismatches, 0))
		printf("  got%s\n", mismatch);
	tuza_chan_release(c);
}

// ---- memory that is not there ------------------------------------------------------------------

// Walks as if a function had just been called with its stack, and so its return address, at `sp`.
static void walk_from(uintptr_t sp)
{
	struct backtrace_frame frames[10];
	ucontext_t context;

	memset(&context, 0, sizeof(context));
	CHECK_EQ(getcontext(&context), 0);
#if defined(__x86_64__)
	context.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)recurse;
	context.uc_mcontext.gregs[REG_RSP] = (greg_t)sp;
#else
	context.uc_mcontext.pc = (uintptr_t)recurse;
	context.uc_mcontext.sp = sp;
	context.uc_mcontext.regs[30] = sp;
#endif
	uint32_t n = unwind_interrupted(&context, frames, 10);

	CHECK(n == 1 || n == 2);
	CHECK_EQ(frames[0].pc, (uintptr_t)recurse);
}

TEST_PLAIN(stack_that_cannot_be_read_ends_the_walk)
{
	char *hole = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	sys_init();
	walk_from((uintptr_t)hole + (1 << 19));
	walk_from(0);
	walk_from(64);
	walk_from(UINTPTR_MAX - 7);
	walk_from((uintptr_t)1 << 63);
	munmap(hole, 1 << 20);
}

TEST_PLAIN(code_that_is_none_ends_the_walk)
{
	struct backtrace_frame frames[10];
	ucontext_t context;

	sys_init();
	CHECK_EQ(getcontext(&context), 0);
#if defined(__x86_64__)
	context.uc_mcontext.gregs[REG_RIP] = 0x1234;
#else
	context.uc_mcontext.pc = 0x1234;
#endif
	CHECK_EQ(unwind_interrupted(&context, frames, 10), 1);
	CHECK_EQ(frames[0].pc, 0x1234);
}

TEST_PLAIN(pages_are_told_readable_or_not)
{
	char *pages;

	sys_init();
	pages = mmap(NULL, 2 * sys_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	CHECK_EQ(mprotect(pages + sys_page_bytes, sys_page_bytes, PROT_NONE), 0);
	errno = 4711;
	CHECK(sys_is_readable(pages + 8));
	CHECK(!sys_is_readable(pages + sys_page_bytes));
	CHECK(!sys_is_readable((void *)(uintptr_t)0x1234));
	CHECK_EQ(errno, 4711);
	munmap(pages, 2 * sys_page_bytes);
}

// ---- where tables are --------------------------------------------------------------------------

static void check_index(const void *code)
{
	const void *index = sys_unwind_index((uintptr_t)code);

	CHECK(index != NULL);
	CHECK(sys_unwind_table_index((uintptr_t)code) == index);
}

// What is done where the C library does not tell where tables are, beside what it tells here.
TEST_PLAIN(table_of_modules_knows_what_the_c_library_tells)
{
	static char data[16];
	void *library, *later;

	sys_unwind_table_refresh();
	check_index((void *)(uintptr_t)check_index);
	check_index(dlsym(RTLD_DEFAULT, "qsort"));
	CHECK(sys_unwind_table_index((uintptr_t)data) == NULL); // no code
	CHECK(sys_unwind_table_index(1) == NULL);
	library = dlopen("libm.so.6", RTLD_NOW);
	if (!library) {
		SKIP("no library to load");
		return;
	}
	later = dlsym(library, "lgamma");
	sys_unwind_table_refresh();
	check_index(later);
	sys_unwind_table_refresh(); // nothing has changed
	check_index(later);
	dlclose(library);
}
