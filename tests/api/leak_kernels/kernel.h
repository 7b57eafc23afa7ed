// SPDX-License-Identifier: MIT
/*
 * Kernels: what is left of bugs of real programs when all is taken away that they do not need. Each
 * is written anew after the idea of the bug; those of GoBench's GoKer collection have its names.
 *
 *	// What went wrong.
 *	KERNEL(moby4951, 2)             // leaves two goroutines that can never go on
 *	{
 *		…                       // in a goroutine of its own, which may be one of them
 *		if (is_fixed)
 *			…               // with this, all goroutines end
 *	}
 *
 * What a kernel allocates stays: its process is short.
 */
#ifndef TUZA_TEST_KERNEL_H
#define TUZA_TEST_KERNEL_H

#include "alone.h"

#include <tuza/context.h>
#include <tuza/sync.h>
#include <tuza/time.h>

struct kernel {
	const char *name;
	int leaked;
	void (*start)(bool is_fixed);
	struct kernel *next;
};
static struct kernel *kernels, **kernels_last = &kernels;

#define KERNEL(name_, leaked_)                                                                     \
	static void name_##_kernel(bool is_fixed);                                                 \
	__attribute__((constructor)) static void name_##_register(void)                            \
	{                                                                                          \
		static struct kernel kernel = {#name_, leaked_, name_##_kernel, NULL};             \
		*kernels_last = &kernel;                                                           \
		kernels_last = &kernel.next;                                                       \
	}                                                                                          \
	static void name_##_kernel(TEST_UNUSED_ bool is_fixed)

// Zeroed memory.
#define NEW(type) ((type *)kernel_new(sizeof(type)))

TEST_UNUSED_ static void *kernel_new(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		abort();
	return p;
}

// A channel of nothing in particular, and its operations.
TEST_UNUSED_ static tuza_chan *chan(size_t capacity)
{
	return tuza_chan_new(sizeof(int), capacity);
}
TEST_UNUSED_ static void put(tuza_chan *c) { tuza_chan_send(c, &(int){1}); }
TEST_UNUSED_ static bool take(tuza_chan *c) { return tuza_chan_recv(c, NULL); }

#define lock tuza_mutex_lock
#define unlock tuza_mutex_unlock

// Both of two come here before either goes on: the bad order of events, every time.
struct meeting {
	tuza_waitgroup both;
};
TEST_UNUSED_ static void expect_two(struct meeting *m) { tuza_waitgroup_add(&m->both, 2); }
TEST_UNUSED_ static void meet(struct meeting *m)
{
	tuza_waitgroup_done(&m->both);
	tuza_waitgroup_wait(&m->both);
}

// Until a writer waits behind the reader that calls.
TEST_UNUSED_ static void until_writer_waits(tuza_rwmutex *rw)
{
	while (tuza_rwmutex_try_rlock(rw)) {
		tuza_rwmutex_runlock(rw);
		tuza_yield();
	}
}

#endif
