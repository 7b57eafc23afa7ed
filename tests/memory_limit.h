// SPDX-License-Identifier: MIT
/*
 * What the tests of missing memory share.
 */
#ifndef TUZA_TEST_MEMORY_LIMIT_H
#define TUZA_TEST_MEMORY_LIMIT_H

#include "test.h"

#include <sys/mman.h>
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
// done. An emulator has limits that nobody keeps; a sanitizer takes memory whenever it likes, and
// ends the process when there is none.
TEST_UNUSED_ static bool limit_addresses(size_t more, struct rlimit *old)
{
	struct rlimit tight;

	if (TEST_SANITIZED)
		return false;
	getrlimit(RLIMIT_AS, old);
	tight = *old;
	tight.rlim_cur = address_space() + more;
	if (setrlimit(RLIMIT_AS, &tight) != 0)
		return false;
	void *too_much =
		mmap(NULL, more + (1 << 16), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (too_much == MAP_FAILED)
		return true;
	munmap(too_much, more + (1 << 16));
	setrlimit(RLIMIT_AS, old);
	return false;
}

#endif
