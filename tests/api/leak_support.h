// SPDX-License-Identifier: MIT
/*
 * What the tests of the leak check share: goroutines that are left behind until `end`, and one look
 * at them.
 */
#ifndef TUZA_TEST_LEAK_SUPPORT_H
#define TUZA_TEST_LEAK_SUPPORT_H

#include "test.h"

#include <tuza/sync.h>

#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call
#define NOINLINE __attribute__((noinline))

static char report[64 << 10];

static tuza_chan *quit; // closed to end them

static void waits(void *arg)
{
	(void)arg;
	tuza_chan_recv(quit, NULL);
	KEEP_FRAME();
}

static NOINLINE void waits_deep_down(int depth)
{
	if (depth > 0)
		waits_deep_down(depth - 1);
	else
		waits(NULL);
	KEEP_FRAME();
}

TEST_UNUSED_ static void descends(void *arg)
{
	waits_deep_down(3);
	KEEP_FRAME();
	(void)arg;
}

TEST_UNUSED_ static void descends_far(void *arg)
{
	waits_deep_down(150);
	KEEP_FRAME();
	(void)arg;
}

TEST_UNUSED_ static void waits_named(void *arg)
{
	tuza_set_name("reader %d", 3);
	waits(arg);
	KEEP_FRAME();
}

TEST_UNUSED_ static NOINLINE void starts_one(void)
{
	tuza_go(waits, NULL);
	KEEP_FRAME();
}

TEST_UNUSED_ static void does_nothing(void *arg) { (void)arg; }

TEST_UNUSED_ static void begin(void) { quit = tuza_chan_new(1, 0); }

// Starts n of them and waits until they are parked.
TEST_UNUSED_ static void leave(void (*fn)(void *), int n)
{
	int before = test_count_in_dump("[chan receive");

	for (int i = 0; i < n; i++)
		tuza_go(fn, NULL);
	wait_parked("chan receive", before + n);
}

TEST_UNUSED_ static void end(void)
{
	tuza_chan_close(quit);
	CHECK_EQ(tuza_leak_check(&(tuza_leak_options){.wait = 10 * TUZA_SECOND}), 0);
	tuza_chan_release(quit);
}

// How many are found by one look; the report is in `report`.
static size_t found(tuza_leak_options options)
{
	options.wait = -1;
	options.fd = -1;
	options.buffer = report;
	options.buffer_bytes = sizeof(report);
	memset(report, 'x', sizeof(report));
	return tuza_leak_check(&options);
}
#define FOUND(...) found((tuza_leak_options){__VA_ARGS__})

// Static functions have names if the library was built with libbacktrace.
TEST_UNUSED_ static bool has_names(void)
{
	static char stack[4096];

	tuza_stack(stack, sizeof(stack));
	if (strstr(stack, "has_names"))
		return true;
	SKIP("this build has no libbacktrace");
	return false;
}

TEST_UNUSED_ static int occurrences(const char *part)
{
	int n = 0;

	for (const char *at = report; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

#endif
