// SPDX-License-Identifier: MIT
/*
 * What the tests of missing memory share.
 */
#ifndef TUZA_MEMORY_SUPPORT_H
#define TUZA_MEMORY_SUPPORT_H

#include "../test.h"

#include <sys/resource.h>

// How many bytes of addresses the process has.
TEST_UNUSED_ static size_t address_space(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%ld", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

// Leaves the process so many more bytes; *old gets what setrlimit puts back. False: it cannot be
// done.
TEST_UNUSED_ static bool limit_addresses(size_t more, struct rlimit *old)
{
	struct rlimit tight;

	getrlimit(RLIMIT_AS, old);
	tight = *old;
	tight.rlim_cur = address_space() + more;
	return setrlimit(RLIMIT_AS, &tight) == 0;
}

#endif
