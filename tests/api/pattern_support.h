// SPDX-License-Identifier: MIT
/*
 * What the tests of patterns share: sources of numbers, and values that own memory, of which
 * AddressSanitizer and valgrind see each that is lost or freed twice.
 */
#ifndef TUZA_PATTERN_SUPPORT_H
#define TUZA_PATTERN_SUPPORT_H

#include "../test.h"
#include <tuza/pattern.h>
#include <tuza/sync.h>

// ---- numbers -------------------------------------------------------------------------------

// A closed channel that holds 0 to n - 1.
TEST_UNUSED_ static tuza_chan *numbers_ready(int n)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), (size_t)n);

	for (int i = 0; i < n; i++)
		tuza_send(c, i);
	tuza_chan_close(c);
	return c;
}

TEST_UNUSED_ static void numbers_send(tuza_context *ctx, tuza_chan *c, int n)
{
	for (int i = 0; i < n && tuza_chan_send_ctx(c, ctx, &i) == 0; i++)
		;
	tuza_chan_close(c);
	tuza_chan_release(c);
	tuza_context_release(ctx);
}

// A channel to which a goroutine sends 0 to n - 1 (n < 0: no end in sight), then closes; it stops
// with ctx.
TEST_UNUSED_ static tuza_chan *numbers(tuza_context *ctx, int n, size_t capacity)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), capacity);

	TUZA_GO(numbers_send, tuza_context_retain(ctx), tuza_chan_retain(c), n < 0 ? 1 << 30 : n);
	return c;
}

TEST_UNUSED_ static int square(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int n = *(const int *)in;

	(void)ctx;
	(void)arg;
	*(int *)out = n * n;
	return 0;
}

// ---- values that own memory ----------------------------------------------------------------

TEST_UNUSED_ static atomic_int owned_now, owned_dropped;

TEST_UNUSED_ static int *owned_new(int n)
{
	int *p = malloc(sizeof *p);

	*p = n;
	owned_now++;
	return p;
}

// Returns the number.
TEST_UNUSED_ static int owned_free(int *p)
{
	int n = *p;

	free(p);
	owned_now--;
	return n;
}

// For tuza_chan_on_drop.
TEST_UNUSED_ static void owned_drop(void *elem)
{
	owned_dropped++; // first: tests wait until no value is left
	owned_free(*(int **)elem);
}

// A closed channel of 0 to n - 1, owned, that drops what is left in it.
TEST_UNUSED_ static tuza_chan *owned_ready(int n)
{
	tuza_chan *c = tuza_chan_new(sizeof(int *), (size_t)n);

	tuza_chan_on_drop(c, owned_drop);
	for (int i = 0; i < n; i++)
		tuza_send(c, owned_new(i));
	tuza_chan_close(c);
	return c;
}

// Frees the input and makes a value of its own of it.
TEST_UNUSED_ static int owned_square(tuza_context *ctx, const void *in, void *out, void *arg)
{
	int n = owned_free(*(int *const *)in);

	(void)ctx;
	(void)arg;
	*(int **)out = owned_new(n * n);
	return 0;
}

#endif
