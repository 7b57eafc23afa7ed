// SPDX-License-Identifier: MIT
/*
 * Each allocation of a call fails in turn: what the tests of that share.
 */
#ifndef TUZA_ALLOCATION_SUPPORT_H
#define TUZA_ALLOCATION_SUPPORT_H

#include "../test.h"

// ---- an allocator that fails when told -----------------------------------------------------

// glibc's own, under other names. This program's malloc comes before it.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void __libc_free(void *p);
extern const char __executable_start, etext;

static _Atomic(void *) held_blocks[4096]; // that this program allocated and has not freed
static atomic_int fails_in; // the number of the allocation that fails, from now on; 0: none
static atomic_bool fails_always;

// The C library allocates too, when the runtime starts a thread: that is another matter.
static bool is_ours(const void *caller)
{
	return (uintptr_t)caller >= (uintptr_t)&__executable_start &&
	       (uintptr_t)caller < (uintptr_t)&etext;
}

// Replaces an entry. False: there is none.
static bool held_replace(void *from, void *to)
{
	for (size_t i = 0; i < sizeof held_blocks / sizeof held_blocks[0]; i++) {
		void *found = from;
		if (atomic_load(&held_blocks[i]) == from &&
			atomic_compare_exchange_strong(&held_blocks[i], &found, to))
			return true;
	}
	return false;
}

static long live(void)
{
	long n = 0;

	for (size_t i = 0; i < sizeof held_blocks / sizeof held_blocks[0]; i++)
		n += held_blocks[i] != NULL;
	return n;
}

static bool fails_now(const void *caller)
{
	if (!is_ours(caller))
		return false;
	if (!fails_always && (fails_in <= 0 || atomic_fetch_sub(&fails_in, 1) != 1))
		return false;
	errno = ENOMEM;
	return true;
}

static void *noted(void *p, const void *caller)
{
	if (p && is_ours(caller) && !held_replace(NULL, p))
		abort();
	return p;
}

void *malloc(size_t bytes)
{
	void *caller = __builtin_return_address(0);

	return fails_now(caller) ? NULL : noted(__libc_malloc(bytes), caller);
}

void *calloc(size_t n, size_t bytes)
{
	void *caller = __builtin_return_address(0);

	return fails_now(caller) ? NULL : noted(__libc_calloc(n, bytes), caller);
}

void *realloc(void *p, size_t bytes)
{
	void *caller = __builtin_return_address(0);

	if (fails_now(caller))
		return NULL;
	void *moved = __libc_realloc(p, bytes);
	if (moved && (!p || !held_replace(p, moved)))
		(void)noted(moved, caller);
	return moved;
}

void free(void *p)
{
	if (p)
		(void)held_replace(p, NULL);
	__libc_free(p);
}

// ---- attempts ----------------------------------------------------------------------------------

// Each gets an input of three values, closed. Returns 0, and then whoever takes references over has
// done so; -ENOMEM; or panics.
struct attempt {
	const char *name;
	int (*fn)(tuza_chan *in);
	bool takes; // the input's reference, when it succeeds
	int code;
	tuza_chan *in;
};

static void attempt_call(void *attempt)
{
	struct attempt *a = attempt;

	a->code = a->fn(a->in);
}

// Makes the n-th allocation fail. Returns whether there was one.
static bool attempt_with_failure(struct attempt *a, int n)
{
	long before = live();
	tuza_panic_info info = {"", ""};

	a->in = tuza_chan_new(sizeof(int), 3);
	for (int i = 0; i < 3; i++)
		tuza_send(a->in, i);
	tuza_chan_close(a->in);
	a->code = -ENOMEM;
	fails_in = n;
	if (tuza_try(attempt_call, a, &info) != 0)
		CHECK_STR(info.message, "tuza: out of memory");
	bool failed = n > 0 && fails_in <= 0;
	fails_in = 0;
	if (a->code != 0) {
		CHECK_EQ(a->code, -ENOMEM);
		CHECK_EQ(tuza_chan_len(a->in), 3);
	}
	if (a->code != 0 || !a->takes)
		tuza_chan_release(a->in);
	CHECK(failed || a->code == 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	if (!WAIT_UNTIL(live() == before))
		printf("  %s, allocation %d: %ld left\n", a->name, n, live() - before);
	return failed;
}

TEST_UNUSED_ static void attempt_all(struct attempt *attempts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int n = 1;

		(void)attempt_with_failure(&attempts[i], 0); // what the runtime keeps, it has now
		while (attempt_with_failure(&attempts[i], n))
			n++;
		printf("  %s: %d allocations\n", attempts[i].name, n - 1);
		CHECK(n > 1);
	}
}

#endif
