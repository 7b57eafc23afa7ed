// SPDX-License-Identifier: MIT
/*
 * Each allocation of a pattern fails in turn: it says so, has taken nothing, and leaves nothing
 * behind.
 */
#include "../test.h"

#include <tuza/pattern.h>

// ---- an allocator that fails when told -----------------------------------------------------

// glibc's own, under other names. This program's malloc comes before it.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void __libc_free(void *p);
extern const char __executable_start, etext;

static _Atomic(void *) held_blocks[4096]; // that this program allocated and has not freed
static atomic_int fails_in; // the number of the allocation that fails, from now on; 0: none

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
	if (!is_ours(caller) || fails_in <= 0 || atomic_fetch_sub(&fails_in, 1) != 1)
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

void free(void *p)
{
	if (p)
		(void)held_replace(p, NULL);
	__libc_free(p);
}

// ---- the patterns --------------------------------------------------------------------------

// Each gets an input of three values, closed. Returns 0, and then whoever takes references over has
// done so; -ENOMEM; or panics.
struct attempt {
	const char *name;
	int (*fn)(tuza_chan *in);
	bool takes; // the input's reference, when it succeeds
	int code;
	tuza_chan *in;
};

static tuza_context *background(void) { return tuza_context_background(); }

static int copy_work(tuza_context *ctx, const void *in, void *out, void *arg)
{
	(void)ctx;
	(void)arg;
	*(int *)out = *(const int *)in;
	return 0;
}

static int drain(tuza_chan *c)
{
	int n = 0;

	for (; tuza_recv(c, (int *)NULL); n++)
		;
	tuza_chan_release(c);
	return n;
}

static int try_stage(tuza_chan *in)
{
	CHECK_EQ(drain(tuza_pipeline_stage(background(), in, sizeof(int), copy_work, NULL)), 3);
	return 0;
}

static int try_or_done(tuza_chan *in)
{
	CHECK_EQ(drain(tuza_or_done(background(), in)), 3);
	return 0;
}

// Two outputs that together, or each, give what came in.
static int drain_two(int code, tuza_chan *outs[2], int want)
{
	if (code != 0) {
		CHECK(!outs[0] && !outs[1]);
		return code;
	}
	CHECK_EQ(drain(outs[0]) + drain(outs[1]), want);
	return 0;
}

static int try_fan_out(tuza_chan *in)
{
	tuza_chan *outs[2];
	int code = tuza_fan_out(background(), in, 2, sizeof(int), copy_work, NULL, outs);

	return drain_two(code, outs, 3);
}

static int try_tee(tuza_chan *in)
{
	tuza_chan *outs[2];
	int code = tuza_tee(background(), in, 2, outs, NULL);

	return drain_two(code, outs, 6); // the buffers hold all three
}

static int try_pool(tuza_chan *in)
{
	tuza_chan *results;
	int code = tuza_chan_try_new(sizeof(int), 8, &results);

	if (code != 0)
		return code;
	code = tuza_worker_pool(background(), 1, in, results, copy_work, NULL);
	CHECK_EQ(drain(results), code == 0 ? 3 : 0);
	return code;
}

static int count_index(tuza_context *ctx, size_t i, void *arg)
{
	(void)ctx;
	(void)i;
	++*(atomic_int *)arg;
	return 0;
}

static int count_run(tuza_context *ctx, void *arg) { return count_index(ctx, 0, arg); }

static int try_parallel(tuza_chan *in)
{
	atomic_int calls = 0;
	int code = tuza_parallel(background(), 10, 3, count_index, &calls);

	(void)in;
	CHECK_EQ(calls, code == 0 ? 10 : 0);
	return code;
}

static int try_scope(tuza_chan *in)
{
	atomic_int calls = 0;
	int started = 0;
	tuza_scope *s = tuza_scope_open(background());

	(void)in;
	for (int i = 0; i < 3; i++)
		started += tuza_scope_go(s, count_run, &calls) == 0;
	started += tuza_scope_supervise(s, NULL, count_run, &calls) == 0;
	int code = tuza_scope_close(s);
	CHECK(started == 4 || code == -ENOMEM);
	CHECK(calls == started || code == -ENOMEM);
	return code;
}

// The first time, so that it is restarted.
static int fail_first(tuza_context *ctx, void *calls)
{
	return count_run(ctx, calls) != 0 || *(atomic_int *)calls == 1 ? -EIO : 0;
}

static int try_supervise(tuza_chan *in)
{
	atomic_int calls = 0;
	tuza_supervisor_options o = {.backoff = TUZA_MICROSECOND};
	int code = tuza_supervise(background(), &o, fail_first, &calls);

	(void)in;
	CHECK(calls == 2 || (code == -ENOMEM && calls < 2));
	return code;
}

static void free_broadcast(tuza_broadcast *b) { tuza_broadcast_free(b); }

static int try_broadcast(tuza_chan *in)
{
	tuza_broadcast *b = tuza_broadcast_new(sizeof(int));
	TUZA_DEFER(free_broadcast, b);
	tuza_subscription *s = tuza_subscribe(b, 1, TUZA_SLOW_WAIT);
	TUZA_DEFER(tuza_unsubscribe, s);
	int v = 1;

	(void)in;
	return tuza_broadcast_send(b, background(), &v);
}

static struct attempt attempts[] = {
	{.name = "tuza_pipeline_stage", .fn = try_stage, .takes = true},
	{.name = "tuza_or_done", .fn = try_or_done, .takes = true},
	{.name = "tuza_fan_out", .fn = try_fan_out, .takes = true},
	{.name = "tuza_tee", .fn = try_tee, .takes = true},
	{.name = "tuza_worker_pool", .fn = try_pool},
	{.name = "tuza_parallel", .fn = try_parallel},
	{.name = "tuza_scope", .fn = try_scope},
	{.name = "tuza_supervise", .fn = try_supervise},
	{.name = "tuza_broadcast", .fn = try_broadcast},
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

TEST(each_allocation_that_fails_is_told_and_leaves_nothing)
{
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		int n = 1;

		(void)attempt_with_failure(&attempts[i], 0); // what the runtime keeps, it has now
		while (attempt_with_failure(&attempts[i], n))
			n++;
		printf("  %s: %d allocations\n", attempts[i].name, n - 1);
		CHECK(n > 1);
	}
}
