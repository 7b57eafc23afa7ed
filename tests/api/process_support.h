// SPDX-License-Identifier: MIT
/*
 * What the tests of processes share.
 */
#ifndef TUZA_PROCESS_SUPPORT_H
#define TUZA_PROCESS_SUPPORT_H

#include <tuza/context.h>
#include <tuza/net.h>
#include <tuza/process.h>

#include <sys/wait.h>

TEST_UNUSED_ static int start(
	const char *const *argv, const tuza_process_options *o, tuza_process **p)
{
	return tuza_process_start(tuza_context_background(), argv, o, p);
}

// Runs a script of the shell.
TEST_UNUSED_ static int sh(
	const char *script, const tuza_process_options *o, tuza_process_state *state)
{
	return tuza_process_run(tuza_context_background(), TUZA_ARGV("sh", "-c", script), o, state);
}

TEST_UNUSED_ static int output(const char *script, const tuza_process_options *o, char **out)
{
	return tuza_process_output(
		tuza_context_background(), TUZA_ARGV("sh", "-c", script), o, out, NULL);
}

// Whether this process has no child at all, dead or alive. Not inlined: the caller may have gone to
// another thread since it last looked at errno.
TEST_UNUSED_ __attribute__((noinline)) static bool no_zombies(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

// All descriptors of this process, those of children too. Not the runtime's sets: it may have one
// for each processor, from when that is found busy. Nor the control groups' (probe.h).
TEST_UNUSED_ static int count_all_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		char target[64] = "";
		n += readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) > 0 &&
		     strcmp(target, "anon_inode:[eventpoll]") != 0 &&
		     strcmp(target, "anon_inode:[eventfd]") != 0 && !test_is_of_cgroups(target);
	}
	if (dir)
		closedir(dir);
	return n - 1; // the directory
}

#endif
