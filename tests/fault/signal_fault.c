// SPDX-License-Identifier: MIT
/*
 * An action that the system refuses: who asked for several signals gets none, and what it had
 * before stays.
 *
 * The program's own sigaction stands before the C library's and refuses one signal.
 */
#include "../test.h"

#include <dlfcn.h>
#include <tuza/context.h>
#include <tuza/signal.h>

static atomic_int refused; // 0: none

int sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
	static int (*real)(int, const struct sigaction *, struct sigaction *);

	if (!real)
		*(void **)(void *)&real = dlsym(RTLD_NEXT, "sigaction");
	if (new &&sig == atomic_load(&refused)) {
		errno = EPERM;
		return -1;
	}
	return real(sig, new, old);
}

static volatile sig_atomic_t calls; // of the program's own handler

static void own_handler(int sig) { calls += sig == SIGUSR1; }

static void begin(void)
{
	struct sigaction own = {.sa_handler = own_handler};

	calls = 0;
	atomic_store(&refused, 0);
	CHECK_EQ(sigaction(SIGUSR1, &own, NULL), 0);
	atomic_store(&refused, SIGUSR2);
}

static void ask_for_both(void *c) { tuza_signal_notify((tuza_chan *)c, SIGUSR1, SIGUSR2); }

static void check_refused(tuza_chan *c)
{
	tuza_panic_info info;

	CHECK_EQ(tuza_try(ask_for_both, c, &info), TUZA_EPANIC);
	CHECK_CONTAINS(info.message, "tuza: signals cannot be had");
}

TEST(a_notify_that_is_refused_half_way_asks_for_nothing)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 4);

	begin();
	check_refused(c);
	raise(SIGUSR1);
	CHECK_EQ(calls, 1);
	atomic_store(&refused, 0);
	tuza_signal_notify(c, SIGUSR1); // as if the first had never been
	raise(SIGUSR1);
	int sig = 0;
	(void)!tuza_recv(c, &sig);
	CHECK_EQ(sig, SIGUSR1);
	CHECK_EQ(calls, 1);
	tuza_signal_stop(c);
	CHECK_EQ(tuza_chan_len(c), 0);
	tuza_chan_release(c);
}

TEST(a_notify_that_is_refused_leaves_what_was_asked_for_before)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 4), *other = tuza_chan_new(sizeof(int), 4);
	int sig = 0;

	begin();
	tuza_signal_notify(c, SIGUSR1);
	check_refused(c);
	raise(SIGUSR1);
	(void)!tuza_recv(c, &sig);
	CHECK_EQ(sig, SIGUSR1);
	check_refused(other); // what somebody else wants stays as well
	raise(SIGUSR1);
	sig = 0;
	(void)!tuza_recv(c, &sig);
	CHECK_EQ(sig, SIGUSR1);
	tuza_signal_stop(c);
	CHECK_EQ(calls, 0);
	raise(SIGUSR1);
	CHECK_EQ(calls, 1);
	CHECK_EQ(tuza_chan_len(other), 0);
	tuza_chan_release(other);
	tuza_chan_release(c);
}

static void make_context(void *unused)
{
	(void)unused;
	tuza_context_free(tuza_context_notify_signal(tuza_context_background(), SIGUSR1, SIGUSR2));
}

TEST(a_context_whose_signals_are_refused_leaves_nothing_behind)
{
	tuza_panic_info info;

	begin();
	CHECK_EQ(tuza_try(make_context, NULL, &info), TUZA_EPANIC);
	CHECK_CONTAINS(info.message, "tuza: signals cannot be had");
	raise(SIGUSR1);
	CHECK_EQ(calls, 1);
}
