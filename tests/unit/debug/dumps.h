// SPDX-License-Identifier: MIT
/*
 * What the tests of dumps share.
 */
#ifndef TUZA_TEST_DUMPS_H
#define TUZA_TEST_DUMPS_H

#include "test.h"

#include "debug/dump.h"
#include "debug/symbol.h"

static char text[256 << 10];

// The dump as a text.
TEST_UNUSED_ static const char *dump(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);

	tuza_dump(fd);
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return text;
}

TEST_UNUSED_ static bool has_names(void)
{
	uintptr_t start;

	if (lines_function((uintptr_t)has_names, &start))
		return true;
	SKIP("this build has no libbacktrace");
	return false;
}

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

static tuza_chan *empty; // of those that end

TEST_UNUSED_ static void receives(void *arg)
{
	(void)arg;
	tuza_chan_recv(empty, NULL);
	KEEP_FRAME();
}

// The numbers in the headers; fails when the blocks are not as they must be.
TEST_UNUSED_ static size_t read_numbers(const char *at, uint64_t *numbers, size_t room)
{
	size_t n = 0;

	while (n < room) {
		unsigned long long number;

		if (!CHECK_EQ(sscanf(at, "goroutine %llu [", &number), 1))
			break;
		numbers[n++] = number;
		at = strstr(at, "\n\n");
		if (!at)
			break;
		at += 2;
	}
	return n;
}

#endif
