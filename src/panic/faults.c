// SPDX-License-Identifier: MIT
/*
 * Signals of faulting instructions, and SIGQUIT.
 *
 * A goroutine's fault is one of four things, asked in this order:
 *
 *   its stack's guard was hit    fatal "stack overflow"
 *   a tuza_try_with wants it     a panic, raised on the goroutine's own stack after the handler has
 *                                returned: the handler rewrites the interrupted context, so mask
 *                                and stack are as before
 *   the program has a handler    installed before the runtime: it gets the signal
 *   otherwise                    Go's text and the end
 *
 * A fault on a thread that never used tuza is not ours: it goes to the program's handler, or the
 * default action. The sanitizers' handlers do not count as the program's: their report of a fault
 * says no more than ours.
 *
 * Handlers run on an alternate stack that each machine has, because a full stack has no room for
 * them. Where the kernel puts the signal's frame it is touched beforehand: kernels have lost vector
 * registers when they had to fault that in (golang/go#35777).
 *
 * Go: src/runtime/signal_unix.go, sighandler, sigpanic; src/runtime/signal_amd64.go, preparePanic
 */
#define _GNU_SOURCE
#include "panic/panic.h"

#include "arch_signal.h"
#include "debug/dump.h"
#include "debug/unwind_entry.h"
#include "sched/current.h"
#include "sched/upcalls.h"
#include "sys/profile.h"
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum {
	// A report needs 20 KiB, the kernel's frame up to 12 (AMX registers).
	SIGNAL_STACK_BYTES = 64 << 10,
	SIGNAL_FRAME_BYTES = 16 << 10,
	// Go: addresses below are a nil pointer's.
	NIL_PAGE = 4096,
};

// ---- installed handlers ----------------------------------------------------------------------

static void fault_handler(int signal, siginfo_t *info, void *context);
static void quit_handler(int signal, siginfo_t *info, void *context);

static struct taken {
	int signal;
	void (*handler)(int, siginfo_t *, void *);
	bool is_taken;
	struct sigaction previous;
} taken[] = {
	// constant while installed; changed by whoever starts or ends the runtime
	{.signal = SIGSEGV, .handler = fault_handler},
	{.signal = SIGBUS, .handler = fault_handler},
	{.signal = SIGFPE, .handler = fault_handler},
	{.signal = SIGQUIT, .handler = quit_handler},
};

static bool is_default(const struct sigaction *a)
{
	return !(a->sa_flags & SA_SIGINFO) && a->sa_handler == SIG_DFL;
}

void faults_install(void)
{
	die_read_environment();
	for (size_t i = 0; i < COUNT_OF(taken); i++) {
		struct taken *t = &taken[i];
		struct sigaction action = {.sa_sigaction = t->handler};

		// NODEFER: a fault in the handler comes back to it.
		action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
		if (t->is_taken || sigaction(t->signal, NULL, &t->previous) != 0)
			continue;
		if (t->signal == SIGQUIT && !is_default(&t->previous))
			continue;
		sigemptyset(&action.sa_mask);
		t->is_taken = sigaction(t->signal, &action, NULL) == 0;
	}
}

void faults_uninstall(void)
{
	for (size_t i = 0; i < COUNT_OF(taken); i++) {
		struct taken *t = &taken[i];
		struct sigaction now;

		if (!t->is_taken)
			continue;
		t->is_taken = false;
		// A handler that the program installed meanwhile stays.
		if (sigaction(t->signal, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
			now.sa_sigaction == t->handler)
			sigaction(t->signal, &t->previous, NULL);
	}
}

// ---- the alternate stack ---------------------------------------------------------------------

static __thread struct {
	char *memory;
	stack_t previous;
} signal_stack;

// A fault whose signal is blocked kills without a word, and many programs block all signals early.
static void unblock_faults(void)
{
	sigset_t faults;

	sigemptyset(&faults);
	sigaddset(&faults, SIGSEGV);
	sigaddset(&faults, SIGBUS);
	sigaddset(&faults, SIGFPE);
	pthread_sigmask(SIG_UNBLOCK, &faults, NULL);
}

int faults_thread_start(void)
{
	size_t guard = sys_page_bytes;
	char *memory = sys_pages_alloc(guard + SIGNAL_STACK_BYTES);

	if (!memory)
		return -ENOMEM;
	stack_t new = {.ss_sp = memory + guard, .ss_size = SIGNAL_STACK_BYTES};
	int error = sys_guard_install(SYS_GUARD_MPROTECT, memory, 0, 1, guard);
	if (!error && sigaltstack(&new, &signal_stack.previous) != 0)
		error = -errno;
	if (error) {
		sys_pages_free(memory, guard + SIGNAL_STACK_BYTES);
		return error;
	}
	sys_pages_touch(
		memory + guard + SIGNAL_STACK_BYTES - SIGNAL_FRAME_BYTES, SIGNAL_FRAME_BYTES);
	signal_stack.memory = memory;
	unblock_faults();
	return 0;
}

void faults_thread_end(void)
{
	if (!signal_stack.memory)
		return;
	sigaltstack(&signal_stack.previous, NULL);
	sys_pages_free(signal_stack.memory, sys_page_bytes + SIGNAL_STACK_BYTES);
	signal_stack.memory = NULL;
}

// ---- a fault ---------------------------------------------------------------------------------

// There in a program with any sanitizer, whose handlers were first but are not the program's.
WEAK void __sanitizer_print_stack_trace(void);

static bool is_code(uintptr_t pc)
{
	struct unwind_fde fde;

	return unwind_entry_find(pc, UNWIND_ALL, &fde);
}

/*
 * A call through a wild pointer stands where no code is, and nobody can unwind from there. The call
 * itself, known by its return address, is where the fault belongs.
 */
static bool is_wild_call(const ucontext_t *c)
{
	sys_unwind_refresh(); // as a report does: code of a module that nobody knows yet is code
	return !is_code(arch_signal_pc(c)) && is_code(arch_signal_caller(c) - 1);
}

// Whether the fault is to become a panic.
static bool is_contained(const struct goroutine *g, const ucontext_t *c, bool wild_call)
{
	return try_find(g, true) && !die_is_under_way() &&
	       own_code_holds(wild_call ? arch_signal_caller(c) - 1 : arch_signal_pc(c));
}

static NORETURN void overflow_die(
	const struct inspected *i, size_t limit_bytes, const ucontext_t *c)
{
	struct writer w;

	die_begin();
	die_writer(&w);
	writer_text(&w, "runtime: goroutine stack exceeds ");
	writer_number(&w, limit_bytes);
	writer_text(&w, "-byte limit\nruntime: sp=");
	writer_hex(&w, arch_signal_sp(c));
	writer_text(&w, " stack=[");
	writer_hex(&w, (uintptr_t)i->stack.low);
	writer_text(&w, ", ");
	writer_hex(&w, (uintptr_t)i->stack.top);
	writer_text(&w, "]\nfatal error: stack overflow\n\n");
	writer_flush(&w);
	die_with_stacks(false, REPORT_INTERRUPTED);
}

/*
 * Whether Go panics; it throws for an address beyond the first page. What is no address at all
 * (x86-64: not canonical) comes as 0 with another code.
 */
static bool is_panic_in_go(const struct fault *f)
{
	if (f->signal == SIGFPE)
		return true;
	if (f->signal == SIGSEGV && f->code != SEGV_MAPERR && f->code != SEGV_ACCERR)
		return false;
	return f->address < NIL_PAGE;
}

static NORETURN void fault_die(const struct fault *f)
{
	if (die_begin()) {
		struct writer w;

		die_writer(&w);
		if (is_panic_in_go(f)) {
			writer_text(&w, "panic: ");
			writer_text(&w, panic_fault_text(f));
			writer_text(&w, "\n");
		} else {
			writer_text(&w, "unexpected fault address ");
			writer_hex(&w, f->address);
			writer_text(&w, "\nfatal error: fault\n");
		}
		die_write_fault(&w, f);
		writer_text(&w, "\n");
		writer_flush(&w);
	}
	die_with_stacks(false, REPORT_INTERRUPTED);
}

static void raise_on_goroutine(void *fault) { panic_fault(fault); }

static const struct sigaction *previous_action(int signal)
{
	const struct taken *t = taken;

	while (t->signal != signal)
		t++;
	return &t->previous;
}

// What the program or the kernel does with a signal that is not ours.
static void pass_on(int signal, siginfo_t *info, void *context)
{
	const struct sigaction *previous = previous_action(signal);

	if (previous->sa_flags & SA_SIGINFO) {
		previous->sa_sigaction(signal, info, context);
	} else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
		previous->sa_handler(signal);
	} else if (info->si_code > 0 || previous->sa_handler == SIG_DFL) {
		// The instruction faults, or the signal is sent, once more, and the kernel ends the
		// process.
		struct sigaction action = {.sa_handler = SIG_DFL};

		sigaction(signal, &action, NULL);
		if (info->si_code <= 0)
			raise(signal);
	}
}

static bool has_handler_of_program(int signal)
{
	const struct sigaction *previous = previous_action(signal);

	return !__sanitizer_print_stack_trace && !is_default(previous) &&
	       previous->sa_handler != SIG_IGN;
}

static void fault_handler(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	struct goroutine *g = goroutine_current_or_null();
	ucontext_t *c = context;
	struct fault fault = {signal, info->si_code, (uintptr_t)info->si_addr, arch_signal_pc(c)};
	struct inspected inspected;
	size_t limit_bytes;

	// si_code > 0: raised by the thread's own instruction, not sent.
	if (!machine_current() || info->si_code <= 0) {
		pass_on(signal, info, context);
		errno = saved_errno;
		return;
	}
	if (g && signal != SIGFPE &&
		inspect_stack_guard_hit(info->si_addr, &inspected, &limit_bytes))
		overflow_die(&inspected, limit_bytes, c);
	bool wild_call = is_wild_call(c);
	bool contained = g && is_contained(g, c, wild_call);
	if (!contained && has_handler_of_program(signal)) {
		pass_on(signal, info, context);
		errno = saved_errno;
		return;
	}
	if (wild_call)
		arch_signal_return(c);
	if (!contained)
		fault_die(&fault);
	arch_signal_call(c, raise_on_goroutine, &fault, sizeof(fault));
	errno = saved_errno;
}

static void quit_handler(int signal, siginfo_t *info, void *context)
{
	struct writer w;

	(void)signal;
	if (die_is_under_way())
		return; // impatience
	die_begin();
	die_writer(&w);
	writer_text(&w, "SIGQUIT: quit\nPC=");
	writer_hex(&w, arch_signal_pc(context));
	writer_text(&w, " m=0 sigcode=");
	if (info->si_code < 0)
		writer_text(&w, "-");
	writer_number(&w, (uint64_t)(info->si_code < 0 ? -(int64_t)info->si_code : info->si_code));
	writer_text(&w, "\n\n");
	writer_flush(&w);
	die_with_stacks(true, REPORT_INTERRUPTED);
}
