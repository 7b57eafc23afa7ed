// SPDX-License-Identifier: MIT
/*
 * Part of every test: signals do what they do by default.
 *
 * Who starts tests in the background of a script (`make test &`, nohup) has them ignore SIGINT,
 * SIGQUIT or SIGHUP, and so do the children that they start.
 */
#include <signal.h>

__attribute__((constructor)) static void forget_ignored_signals(void)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM};

	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_DFL);
}
