// SPDX-License-Identifier: MIT
// The handler of SIGPROF, and the values that it knows: nothing else that arrives is looked at.
#define _GNU_SOURCE
#include "debug/profile_signal.h"

#include "base/atomic.h"

#include <errno.h>

static struct profile_signal *known; // any thread, atomic: a list that only grows

static bool is_known(const struct profile_signal *s)
{
	// (profile-signal) pairs with the cas in profile_signal_use.
	const struct profile_signal *at = load_acquire(&known);

	while (at && at != s)
		at = at->next;
	return at != NULL;
}

// Anybody may send the signal, with any value.
static void on_signal(int number, siginfo_t *info, void *context)
{
	const struct profile_signal *s = info->si_value.sival_ptr;
	int saved_errno = errno;

	(void)number;
	if ((info->si_code == SI_TIMER || info->si_code == SI_QUEUE) && is_known(s))
		s->handle(info, context);
	errno = saved_errno;
}

static int install(void)
{
	struct sigaction action = {.sa_sigaction = on_signal}, found;

	if (sigaction(SIGPROF, NULL, &found) != 0)
		return -errno;
	if (found.sa_flags & SA_SIGINFO)
		return found.sa_sigaction == on_signal ? 0 : -EBUSY;
	if (found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN)
		return -EBUSY;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	sigfillset(&action.sa_mask);
	// A fault in the handler would be the runtime's own: it is to be reported.
	sigdelset(&action.sa_mask, SIGSEGV);
	sigdelset(&action.sa_mask, SIGBUS);
	return sigaction(SIGPROF, &action, NULL) == 0 ? 0 : -errno;
}

int profile_signal_use(struct profile_signal *s)
{
	uint32_t not_listed = 0;

	// Relaxed: who wins publishes it below. The list would become a circle if it came in twice.
	if (!is_known(s) && cas_relaxed(&s->is_listed, &not_listed, 1)) {
		s->next = load_relaxed(&known); // a guess, checked by the cas
		// (profile-signal) pairs with the load in is_known: published here.
		while (!cas_release(&known, &s->next, s))
			;
	}
	return install();
}
