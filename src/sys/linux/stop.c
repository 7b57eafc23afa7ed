// SPDX-License-Identifier: MIT
/*
 * Stopping the other threads: each is sent a signal, and waits in its handler. Its registers then
 * lie in memory, where the kernel has put them.
 *
 * By SIGURG, as Go preempts: it is ignored by default, debuggers pass it on, and hardly any program
 * uses it. (A tracer as LeakSanitizer's sees more, and disturbs no system call, but is refused
 * under debuggers and in many containers, and emulators have none.)
 *
 * Threads that appear while others are being stopped are found by looking again until there is no
 * new one: none that stands starts another. A thread may have the signal blocked for a moment, in
 * pthread_create or at its beginning and end; one that sleeps with it blocked will not come.
 */
#define _GNU_SOURCE
#include "sys/memory.h"

#include "base/atomic.h"
#include "sys/linux/syscall.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static const int64_t PATIENCE = 5000000000; // ns, for a thread that does not come: a guess
static const int64_t NAP = 100000;
enum { DEAF_LOOKS = 20 }; // as often a thread is seen to sleep with the signal blocked: a guess

enum { RED_ZONE = 128 }; // below the stack pointer, for leaf functions (x86-64's ABI)

static struct {
	struct sys_stopped *threads;
	size_t room, count;
	int self;
	bool is_full;
	bool found_new;
	int error; // of a signal that could not be sent
	// any thread, atomic
	uint32_t is_on;  // futex: 1 while they are to stand
	uint32_t inside; // threads in the handler
} stop;

int sys_stop_signal(void) { return SIGURG; }

static int thread_self(void) { return (int)raw_syscall6(SYS_gettid, 0, 0, 0, 0, 0, 0); }

// ---- the stopped thread's side --------------------------------------------------------------

static const char *interrupted_sp(const void *context)
{
	const ucontext_t *u = context;
#if defined(__x86_64__)
	return (const char *)u->uc_mcontext.gregs[REG_RSP];
#else
	return (const char *)u->uc_mcontext.sp;
#endif
}

const char *sys_signal_stack(size_t *bytes)
{
	stack_t stack = {.ss_flags = SS_DISABLE};

	raw_syscall6(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0);
	*bytes = stack.ss_flags & SS_DISABLE ? 0 : stack.ss_size;
	return stack.ss_flags & SS_DISABLE ? NULL : stack.ss_sp;
}

static void describe(struct sys_stopped *t, const char *here, const void *context)
{
	const char *sp = interrupted_sp(context);

	t->signal_stack = sys_signal_stack(&t->signal_stack_bytes);
	t->sp = sp - RED_ZONE;
	t->registers = here;
	// On one stack the kernel went down from sp; else up to the end of the signals' stack.
	t->registers_end = t->sp;
	if (t->signal_stack && here >= t->signal_stack &&
		here < t->signal_stack + t->signal_stack_bytes &&
		!(sp >= t->signal_stack && sp < t->signal_stack + t->signal_stack_bytes))
		t->registers_end = t->signal_stack + t->signal_stack_bytes;
}

static struct sys_stopped *record_of(int id)
{
	// (stop-count) pairs with see: the records below are written.
	size_t count = load_acquire(&stop.count);

	for (size_t i = 0; i < count; i++)
		if (stop.threads[i].id == id)
			return &stop.threads[i];
	return NULL;
}

/*
 * A signal of an earlier stop may come now, to a thread that had it blocked; if this one has found
 * the thread already, it counts.
 */
static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	if (info->si_code != SI_QUEUE || info->si_pid != getpid())
		return;               // nobody's that we know: as if it were ignored
	add_seq_cst(&stop.inside, 1); // (stop-inside) counted, then looks whether it is over
	struct sys_stopped *t =
		load_seq_cst(&stop.is_on) ? record_of(thread_self()) : NULL; // (stop-inside)
	if (t) {
		describe(t, __builtin_frame_address(0), context);
		store_release(&t->arrived, 1);    // (stopped) pairs with wait_for
		while (load_acquire(&stop.is_on)) // (stop-over) pairs with sys_threads_resume
			sys_futex_wait(&stop.is_on, 1, INT64_MAX);
	}
	sub_seq_cst(&stop.inside, 1); // (stop-inside)
}

// ---- the stopper's side ---------------------------------------------------------------------

struct kernel_action { // the kernel's sigaction
	void (*handler)(int number, siginfo_t *info, void *context);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
enum { MASK_BYTES = 8 };

static void read_action(struct kernel_action *action)
{
	raw_syscall6(SYS_rt_sigaction, SIGURG, 0, (long)action, MASK_BYTES, 0, 0);
}

/*
 * In two steps: the C library knows the way back from a handler and puts it into the kernel's
 * structure; then the handler is put in again, past ThreadSanitizer, which would put the call off
 * until the thread does something that it knows.
 */
static int install_handler(void)
{
	struct sigaction action = {.sa_sigaction = on_signal}, found;
	struct kernel_action installed = {.handler = NULL};

	read_action(&installed);
	if (installed.handler == on_signal)
		return 0;
	if (sigaction(SIGURG, NULL, &found) != 0)
		return -errno;
	if ((found.sa_flags & SA_SIGINFO) ||
		(found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN))
		return -EBUSY;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigfillset(&action.sa_mask);
	// A fault in the handler would be the runtime's own: it is to be reported.
	sigdelset(&action.sa_mask, SIGSEGV);
	sigdelset(&action.sa_mask, SIGBUS);
	if (sigaction(SIGURG, &action, NULL) != 0)
		return -errno;
	read_action(&installed);
	installed.handler = on_signal;
	return (int)raw_syscall6(SYS_rt_sigaction, SIGURG, (long)&installed, 0, MASK_BYTES, 0, 0);
}

// A file of /proc/self/task/<id>/, as text. False: there is no such thread.
static bool read_of_thread(int id, const char *file, char *text, size_t bytes)
{
	char path[64], digits[16];
	size_t n = 0;

	for (; id > 0; id /= 10)
		digits[n++] = (char)('0' + id % 10);
	char *at = stpcpy(path, "/proc/self/task/");
	while (n > 0)
		*at++ = digits[--n];
	stpcpy(at, file);
	long fd = raw_syscall6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return false;
	long got = raw_syscall6(SYS_read, fd, (long)text, (long)bytes - 1, 0, 0, 0);
	raw_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
	text[got > 0 ? got : 0] = 0;
	return got > 0;
}

// Whether the thread sleeps with the signal blocked, or is none of the living.
static bool is_deaf(int id)
{
	char text[4096];
	const char *at;
	uint64_t mask = 0;

	if (!read_of_thread(id, "/status", text, sizeof(text)))
		return true;
	at = strstr(text, "\nState:\t");
	if (at && at[8] != 'S')
		return at[8] == 'Z' || at[8] == 'X';
	at = strstr(text, "\nSigBlk:\t");
	for (at = at ? at + 9 : ""; *at && *at != '\n'; at++)
		mask = mask << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	return mask >> (SIGURG - 1) & 1;
}

// 0, also to a thread that is gone; an error when the system does not let us.
static int send(int id)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGURG;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	long r = raw_syscall6(SYS_rt_tgsigqueueinfo, getpid(), id, SIGURG, (long)&info, 0, 0);
	return r == -ESRCH ? 0 : (int)r;
}

static void see(int id, void *unused)
{
	(void)unused;
	if (id == stop.self || stop.error)
		return;
	for (size_t i = 0; i < stop.count; i++)
		if (stop.threads[i].id == id)
			return;
	if (stop.count == stop.room) {
		stop.is_full = true;
		return;
	}
	stop.threads[stop.count] = (struct sys_stopped){.id = id};
	store_release(&stop.count, stop.count + 1); // (stop-count)
	stop.found_new = true;
	stop.error = send(id);
}

static bool has_gone(int id)
{
	return raw_syscall6(SYS_tgkill, getpid(), id, 0, 0, 0, 0) == -ESRCH;
}

// Waits until the thread stands, or will not come; one that has ended loses its number.
static void wait_for(struct sys_stopped *t)
{
	int deaf_looks = 0;

	for (int64_t waited = 0; waited < PATIENCE; waited += NAP) {
		if (load_acquire(&t->arrived)) // (stopped)
			return;
		if (has_gone(t->id)) {
			t->id = 0;
			return;
		}
		if (waited >= 10 * NAP) {
			deaf_looks = is_deaf(t->id) ? deaf_looks + 1 : 0;
			if (deaf_looks == DEAF_LOOKS)
				return;
		}
		sys_sleep(NAP);
	}
}

int sys_threads_stop(struct sys_stopped *stopped, size_t room)
{
	int error = install_handler();
	size_t waited_for = 0;

	if (error)
		return error;
	stop.threads = stopped;
	stop.room = room;
	stop.count = 0;
	stop.error = 0;
	stop.is_full = false;
	stop.self = thread_self();
	store_seq_cst(&stop.is_on, 1); // (stop-inside)
	do {
		stop.found_new = false;
		error = sys_threads_each(see, NULL);
		error = error ? error : stop.error;
		while (!error && !stop.is_full && waited_for < stop.count)
			wait_for(&stop.threads[waited_for++]);
	} while (stop.found_new && !error && !stop.is_full);
	if (!error && stop.is_full)
		error = -ENOSPC;
	if (error) {
		sys_threads_resume();
		return error;
	}
	return (int)stop.count;
}

void sys_threads_resume(void)
{
	store_seq_cst(&stop.is_on, 0); // (stop-over), (stop-inside): from here on none stays
	sys_futex_wake(&stop.is_on, INT32_MAX);
	while (load_seq_cst(&stop.inside) != 0) // (stop-inside)
		sys_yield();
}
