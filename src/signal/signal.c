// SPDX-License-Identifier: MIT
/*
 * Signals as values in channels.
 *
 * The handler sets a bit and wakes the monitor, which sends: a handler may interrupt any
 * instruction, so it can take no lock. Hence no thread and no goroutine beside those that are
 * there anyway. What arrives twice before the monitor has looked is sent once, as the kernel does
 * with pending signals.
 *
 * A stop sends what has arrived itself, after the handlers that are under way: a signal is either
 * sent to the channel, or does what it did before, and is not lost between them.
 *
 * `registry_mutex` guards everything but `arrived`, `handling` and `asked`. It is held across the
 * growth of an unbounded channel, so it is none of the runtime's locks; nobody parks with it.
 *
 * Go: src/os/signal/signal.go, src/runtime/sigqueue.go
 */
#define _GNU_SOURCE
#include <tuza/signal.h>

#include "chan/chan.h"
#include "sched/start.h"
#include "sched/upcalls.h"
#include "sys/sys.h"
#include <tuza/error.h>
#include <tuza/goroutine.h>
#include <tuza/panic.h>
#include <tuza/select.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

enum { SIGNALS = 64 };

// Sets of signals: bit n - 1 is signal n.
static ALWAYS_INLINE uint64_t bit_of(int sig) { return (uint64_t)1 << (sig - 1); }
static ALWAYS_INLINE int first_of(uint64_t set) { return __builtin_ctzll(set) + 1; }

static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;

struct registration {
	struct registration *next;
	tuza_chan *chan; // one reference
	uint64_t wanted;
};

static struct registration *registrations;
static uint64_t taken;                               // that we have given another action
static struct sigaction previous[SIGNALS + 1] APART; // of those

static uint64_t arrived;  // any thread, atomic: not sent yet
static uint32_t handling; // any thread, atomic: handlers under way
static uint64_t asked;    // atomic, written under the mutex: what some channel wants

// Those that can be asked for. 32 and 33 are the C library's.
static uint64_t possible(void)
{
	return ~(bit_of(SIGKILL) | bit_of(SIGSTOP) | bit_of(SIGSEGV) | bit_of(SIGBUS) |
		 bit_of(SIGFPE) | bit_of(32) | bit_of(33));
}

// Those that the runtime sends to its own threads, to profile and to show them: whoever asks for
// all does not mean them, and would make both impossible.
static uint64_t own(void) { return bit_of(SIGPROF) | bit_of(SIGURG); }

// ---- what arrives -------------------------------------------------------------------------

static void handler(int sig)
{
	int saved_errno = errno;

	// (signal-handling) pairs with await_handlers.
	add_acq_rel(&handling, 1);
	// (signal-arrived) pairs with the exchange in send_arrived.
	or_acq_rel(&arrived, bit_of(sig));
	monitor_rouse();
	sub_acq_rel(&handling, 1); // (signal-handling)
	errno = saved_errno;
}

// Needs: the mutex.
static void send(tuza_chan *c, int sig)
{
	struct goroutine *wake = NULL;

	lock_acquire(&c->lock);
	if (c->kind == CHAN_UNBOUNDED)
		chan_make_room(c);
	(void)chan_send_locked(c, &sig, &wake); // closed or full: dropped
	lock_release(&c->lock);
	if (wake)
		ready(wake);
}

// Needs: the mutex.
static void send_arrived(void)
{
	// (signal-arrived) pairs with handler.
	for (uint64_t set = exchange_acquire(&arrived, 0); set; set &= set - 1)
		for (struct registration *r = registrations; r; r = r->next)
			if (r->wanted & bit_of(first_of(set)))
				send(r->chan, first_of(set));
}

void signals_deliver(void)
{
	if (likely(load_relaxed(&arrived) == 0)) // a hint: who sets it wakes the monitor after
		return;
	pthread_mutex_lock(&registry_mutex);
	send_arrived();
	pthread_mutex_unlock(&registry_mutex);
}

bool signals_are_awaited(void) { return load_relaxed(&asked) != 0; } // a hint

// ---- actions: all of these need the mutex -------------------------------------------------

// 0; a negative code when the system refuses.
static int take(int sig, void (*fn)(int))
{
	struct sigaction action = {.sa_handler = fn, .sa_flags = SA_ONSTACK | SA_RESTART};
	struct sigaction before;

	sigfillset(&action.sa_mask);
	if (sigaction(sig, &action, &before) != 0)
		return errno == EINVAL ? 0 : -errno; // EINVAL: none of the program's
	if (!(taken & bit_of(sig)))
		previous[sig] = before;
	taken |= bit_of(sig);
	return 0;
}

static void give_back(int sig)
{
	struct sigaction now;

	if (!(taken & bit_of(sig)))
		return;
	taken &= ~bit_of(sig);
	// A handler that the program installed meanwhile stays.
	if (sigaction(sig, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
		(now.sa_handler == handler || now.sa_handler == SIG_IGN))
		sigaction(sig, &previous[sig], NULL);
}

static void await_handlers(void)
{
	// (signal-handling) pairs with handler: what has interrupted a thread is in `arrived`.
	while (load_acquire(&handling) != 0)
		sys_yield();
}

static void count_asked(void)
{
	uint64_t set = 0;

	for (const struct registration *r = registrations; r; r = r->next)
		set |= r->wanted;
	store_relaxed(&asked, set); // a hint for others
}

static struct registration **find(const tuza_chan *c)
{
	struct registration **at = &registrations;

	while (*at && (*at)->chan != c)
		at = &(*at)->next;
	return at;
}

/*
 * Ends that the registration at `at`, if there is one, wants the signals of `set`: those that
 * nobody else wants do again what they did before.
 *
 * Returns  the registration, out of the list, when it wants nothing any more; else NULL.
 */
static struct registration *withdraw(struct registration **at, uint64_t set)
{
	struct registration *r = *at;
	uint64_t others = 0;

	if (!r)
		return NULL;
	for (const struct registration *o = registrations; o; o = o->next)
		others |= o != r ? o->wanted : 0;
	for (uint64_t left = r->wanted & set & ~others; left; left &= left - 1)
		give_back(first_of(left));
	await_handlers();
	send_arrived();
	r->wanted &= ~set;
	if (r->wanted == 0)
		*at = r->next;
	count_asked();
	return r->wanted == 0 ? r : NULL;
}

// Without the mutex, which a drop of what is left in the channel might want.
static void registration_free(struct registration *r)
{
	if (!r)
		return;
	tuza_chan_release(r->chan);
	free(r);
}

// ---- the program's calls ------------------------------------------------------------------

// The set that the arguments name; `all` for a single 0. Panics, so it comes before the mutex.
static uint64_t set_of(int sig, va_list more, uint64_t all)
{
	uint64_t set = 0;

	if (sig == 0)
		return all;
	for (; sig != 0; sig = va_arg(more, int)) {
		if (sig < 1 || sig > SIGNALS)
			tuza_panic("tuza: no such signal: %d", sig);
		set |= bit_of(sig);
	}
	return set & possible();
}

// 0, or what the system refuses: then the channel gets what it got before.
static int notify(tuza_chan *c, uint64_t wanted)
{
	struct registration *made = malloc(sizeof *made);
	int error = 0;

	if (!made)
		return -ENOMEM;
	runtime_ensure_started(); // whose monitor sends
	*made = (struct registration){.chan = c};

	pthread_mutex_lock(&registry_mutex);
	struct registration **at = find(c);
	if (!*at) {
		*at = made;
		tuza_chan_retain(c);
		made = NULL;
	}
	uint64_t added = wanted & ~(*at)->wanted;
	(*at)->wanted |= wanted;
	for (uint64_t set = wanted; set && !error; set &= set - 1)
		error = take(first_of(set), handler);
	count_asked();
	struct registration *unused = error ? withdraw(at, added) : NULL;
	pthread_mutex_unlock(&registry_mutex);
	free(made);
	registration_free(unused);
	return error;
}

static NORETURN void tell_refused(int error)
{
	if (error == -ENOMEM)
		tuza_panic("tuza: out of memory");
	tuza_panic("tuza: signals cannot be had: %s", tuza_strerror(error));
}

EXPORT void tuza_signal_notify_(tuza_chan *c, int sig, ...)
{
	va_list more;

	if (!c)
		tuza_panic("os/signal: Notify using nil channel");
	if (c->elem_bytes != sizeof(int))
		tuza_panic("tuza: signals need a channel of int");
	va_start(more, sig);
	uint64_t wanted = set_of(sig, more, possible() & ~own());
	va_end(more);
	int error = notify(c, wanted);
	if (error)
		tell_refused(error);
}

EXPORT void tuza_signal_stop(tuza_chan *c)
{
	pthread_mutex_lock(&registry_mutex);
	struct registration *r = withdraw(find(c), UINT64_MAX);
	pthread_mutex_unlock(&registry_mutex);
	registration_free(r);
}

// Nobody asks for the signals of `set` any more. ignored: SIG_IGN, else as before.
static void cancel(uint64_t set, bool ignored)
{
	struct registration *unused = NULL;

	pthread_mutex_lock(&registry_mutex);
	for (uint64_t left = set; left; left &= left - 1) {
		if (ignored)
			take(first_of(left), SIG_IGN);
		else
			give_back(first_of(left));
	}
	await_handlers();
	send_arrived();
	for (struct registration **at = &registrations, *r; (r = *at);) {
		r->wanted &= ~set;
		if (r->wanted) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = unused;
		unused = r;
	}
	count_asked();
	pthread_mutex_unlock(&registry_mutex);
	for (struct registration *r; (r = unused);) {
		unused = r->next;
		registration_free(r);
	}
}

EXPORT void tuza_signal_ignore_(int sig, ...)
{
	va_list more;

	va_start(more, sig);
	uint64_t set = set_of(sig, more, possible() & ~own());
	va_end(more);
	cancel(set, true);
}

EXPORT void tuza_signal_reset_(int sig, ...)
{
	va_list more;

	va_start(more, sig);
	uint64_t set = set_of(sig, more, possible());
	va_end(more);
	cancel(set, false);
}

EXPORT bool tuza_signal_ignored(int sig)
{
	struct sigaction now;

	if (sig < 1 || sig > SIGNALS)
		tuza_panic("tuza: no such signal: %d", sig);
	return sigaction(sig, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
	       now.sa_handler == SIG_IGN;
}

// ---- a context ----------------------------------------------------------------------------

struct notified {
	tuza_context *ctx; // one reference
	tuza_chan *signals;
};

static void wait_for_signal(void *arg)
{
	const struct notified *n = arg;
	int sig = 0;
	bool arrives = TUZA_SELECT(TUZA_RECV(n->signals, &sig), TUZA_DONE(n->ctx)) == 0;

	tuza_signal_stop(n->signals);
	tuza_chan_release(n->signals);
	if (arrives)
		tuza_context_cancel_cause(n->ctx, TUZA_ESIGNAL(sig));
	tuza_context_release(n->ctx);
}

EXPORT tuza_context *tuza_context_notify_signal_(tuza_context *parent, int sig, ...)
{
	struct notified n;
	va_list more;

	va_start(more, sig);
	uint64_t wanted = set_of(sig, more, possible() & ~own());
	va_end(more);
	tuza_context *ctx = tuza_context_with_cancel(parent);
	int error = tuza_chan_try_new(sizeof(int), 1, &n.signals);
	if (error)
		goto free_context;
	error = notify(n.signals, wanted);
	if (error)
		goto stop_signals;
	n.ctx = tuza_context_retain(ctx);
	error = tuza_go_copy(wait_for_signal, &n, sizeof n);
	if (error == 0)
		return ctx;
	tuza_context_release(ctx);
stop_signals:
	tuza_signal_stop(n.signals);
	tuza_chan_release(n.signals);
free_context:
	tuza_context_free(ctx);
	tell_refused(error);
}
