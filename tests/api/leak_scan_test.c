// SPDX-License-Identifier: MIT
/*
 * tuza_leak_scan: who is found, and above all who is not. tests/api/leak_kernels_test.c has the
 * bugs of real programs.
 *
 * A goroutine that a test leaks is freed after the scan: its channel's address is kept where the
 * scan cannot see it, with all bits turned round.
 */
#include "alone.h"

#include <tuza/context.h>
#include <tuza/pprof.h>
#include <tuza/sync.h>
#include <tuza/time.h>

#include <pthread.h>

#define NOINLINE __attribute__((noinline))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory") // no tail call

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

// Whether malloc is glibc's, so that the scan knows its blocks; an emulator hides where they are.
static bool sees_heap(void)
{
	return !IS_SANITIZED && !test_is_on_valgrind() && !getenv("TUZA_TEST_EMULATOR");
}

// The scan found so many; fewer where it does not know malloc's blocks, never more.
#define CHECK_FOUND(n)                                                                             \
	do {                                                                                       \
		int found_ = scan();                                                               \
		CHECK(found_ >= 0 && found_ <= (n));                                               \
		if (sees_heap())                                                                   \
			CHECK_EQ(found_, (n));                                                     \
	} while (0)

// Waits until every goroutine but the caller is parked.
static void settle(void)
{
	tuza_statistics s;

	WAIT_UNTIL((tuza_stats(&s), s.runnable == 0 && s.running + s.blocked <= 1));
}

static NOINLINE int scan(void)
{
	settle();
	int n = tuza_leak_scan(-1);
	KEEP_FRAME();
	return n;
}

static _Atomic uintptr_t hidden[8];

static void hide(int i, const void *p) { hidden[i] = ~(uintptr_t)p; }
static void *shown(int i) { return (void *)~hidden[i]; }

static void recvs(void *c)
{
	tuza_chan_recv(c, NULL);
	tuza_chan_release(c);
}

// A goroutine waits for a channel that only it knows.
static NOINLINE void leak_one(int i)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	hide(i, c);
	tuza_go(recvs, c);
	KEEP_FRAME();
}

static void let_go(int i) { tuza_chan_close(shown(i)); }

// ---- found -------------------------------------------------------------------------------------

TEST_ALONE(a_goroutine_is_leaked_when_only_it_knows_its_channel)
{
	leak_one(0);
	CHECK_FOUND(1);
	let_go(0);
}

TEST_ALONE(a_second_scan_finds_the_same)
{
	leak_one(0);
	leak_one(1);
	CHECK_FOUND(2);
	CHECK_FOUND(2);
	let_go(0);
	CHECK_FOUND(1);
	let_go(1);
	CHECK_EQ(scan(), 0);
}

struct pair {
	tuza_mutex a, b;
	tuza_waitgroup both, ended;
};

static void meet(struct pair *p)
{
	tuza_waitgroup_done(&p->both);
	tuza_waitgroup_wait(&p->both);
}

static void locks_a_then_b(void *arg)
{
	struct pair *p = arg;

	tuza_mutex_lock(&p->a);
	meet(p);
	tuza_mutex_lock(&p->b);
	tuza_mutex_unlock(&p->b);
	tuza_mutex_unlock(&p->a);
	tuza_waitgroup_done(&p->ended);
}

static void locks_b_then_a(void *arg)
{
	struct pair *p = arg;

	tuza_mutex_lock(&p->b);
	meet(p);
	tuza_mutex_lock(&p->a);
	tuza_mutex_unlock(&p->a);
	tuza_waitgroup_done(&p->ended);
}

TEST_ALONE(two_goroutines_that_wait_for_each_other_are_leaked)
{
	struct pair *p = calloc(1, sizeof(*p));

	tuza_waitgroup_add(&p->both, 2);
	tuza_waitgroup_add(&p->ended, 2);
	tuza_go(locks_a_then_b, p);
	tuza_go(locks_b_then_a, p);
	hide(0, p);
	p = NULL;
	CHECK_FOUND(2);
	p = shown(0);
	tuza_mutex_unlock(&p->b); // by another than its holder: that is allowed
	tuza_waitgroup_wait(&p->ended);
	free(p);
}

static void waits_for_child(void *arg)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_waitgroup wg = {0}; // on a stack that only leaked ones know

	(void)arg;
	hide(0, c);
	tuza_waitgroup_add(&wg, 1);
	tuza_go(recvs, c);
	hide(1, &wg);
	c = NULL;
	tuza_waitgroup_wait(&wg);
	KEEP_FRAME();
}

TEST_ALONE(who_waits_for_a_group_on_its_own_stack_is_leaked)
{
	tuza_go(waits_for_child, NULL);
	CHECK_FOUND(2);
	tuza_waitgroup_done(shown(1));
	let_go(0);
}

static void recvs_nil(void *unused)
{
	(void)unused;
	tuza_chan_recv(NULL, NULL);
}

static int leaks_for_ever(void *unused)
{
	(void)unused;
	tuza_go(recvs_nil, NULL);
	return scan();
}

TEST_PLAIN(a_nil_channel_leaks_for_certain)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(tuza_run(leaks_for_ever, NULL));
	waitpid(child, &status, 0);
	CHECK(status == 1 << 8 || (status == 0 && !sees_heap()));
}

static void waits_for_end(void *ctx)
{
	tuza_chan_recv(tuza_context_done(ctx), NULL);
	tuza_context_release(ctx);
}

TEST_ALONE(a_context_that_nobody_can_cancel_leaks_its_waiters)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	tuza_go(waits_for_end, tuza_context_retain(ctx));
	hide(0, ctx);
	ctx = NULL;
	CHECK_FOUND(1);
	tuza_context_free(shown(0));
}

static char report[64 << 10];

TEST_ALONE(the_report_is_a_dump_of_the_leaked)
{
	int fd = memfd_create("report", MFD_CLOEXEC);

	if (!sees_heap())
		SKIP("the scan knows nothing of this malloc");
	leak_one(0);
	settle();
	int n = tuza_leak_scan(fd);
	ssize_t bytes = pread(fd, report, sizeof(report) - 1, 0);
	report[bytes > 0 ? bytes : 0] = 0;
	close(fd);
	if (sees_heap()) {
		CHECK_EQ(n, 1);
		CHECK_CONTAINS(report, "found leaked goroutines:\ngoroutine ");
		CHECK_CONTAINS(report, " [chan receive (leaked)]:\n");
		CHECK_CONTAINS(report, "created by leak_one in goroutine 1\n");
	}
	let_go(0);
}

// ---- pointers that cannot be seen --------------------------------------------------------------

TEST_ALONE(a_hidden_pointer_is_known_when_it_is_named)
{
	leak_one(0);
	tuza_leak_root_add(shown(0));
	CHECK_EQ(scan(), 0);
	tuza_leak_root_remove(shown(0));
	CHECK_FOUND(1);
	let_go(0);
}

// ---- not found: somebody may come --------------------------------------------------------------

static tuza_chan *_Atomic global;

TEST_ALONE(a_channel_in_a_global_variable_is_known)
{
	global = tuza_chan_new(0, 0);
	tuza_go(recvs, global);
	CHECK_EQ(scan(), 0);
	tuza_chan_close(global);
	global = NULL;
}

struct node {
	struct node *next;
	tuza_chan *c;
};
static struct node *volatile list;

TEST_ALONE(a_channel_at_the_end_of_a_list_is_known)
{
	for (int i = 0; i < 100; i++) {
		struct node *n = malloc(sizeof(*n));

		*n = (struct node){list, i ? NULL : tuza_chan_new(0, 0)};
		if (i == 0)
			tuza_go(recvs, n->c);
		list = n;
	}
	CHECK_EQ(scan(), 0);
	for (struct node *n = list, *next; n; n = next) {
		next = n->next;
		if (n->c)
			tuza_chan_close(n->c);
		free(n);
	}
	list = NULL;
}

TEST_ALONE(a_channel_in_the_callers_frame_is_known)
{
	tuza_chan *volatile c = tuza_chan_new(0, 0);

	tuza_go(recvs, c);
	CHECK_EQ(scan(), 0);
	tuza_chan_close(c);
}

static void passes_on(void *arg)
{
	tuza_chan **both = arg;

	tuza_chan_recv(both[0], NULL);
	tuza_chan_close(both[1]);
	tuza_chan_release(both[0]);
	free(both);
}

TEST_ALONE(a_channel_is_known_if_one_who_can_be_woken_knows_it)
{
	tuza_chan **both = malloc(2 * sizeof(*both));
	tuza_chan *first = both[0] = tuza_chan_new(0, 0);

	both[1] = tuza_chan_new(0, 0);
	global = first;
	tuza_go(recvs, both[1]);
	tuza_go(passes_on, both);
	both = NULL;
	CHECK_EQ(scan(), 0);
	tuza_chan_close(first);
	global = NULL;
}

static void closes(void *c) { tuza_chan_close(c); }

TEST_ALONE(a_channel_that_a_timer_will_close_is_known)
{
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_timer *t = tuza_after_func(TUZA_HOUR, closes, c);

	tuza_go(recvs, c);
	hide(0, c);
	c = NULL;
	CHECK_EQ(scan(), 0);
	tuza_timer_stop(t);
	tuza_timer_free(t);
	let_go(0);
}

static void sleeps_and_closes(void *c)
{
	while (!global)
		tuza_sleep(TUZA_MILLISECOND);
	global = NULL;
	tuza_chan_close(c);
}

TEST_ALONE(a_channel_that_a_sleeper_knows_is_known)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	global = NULL;
	tuza_go(recvs, c);
	tuza_go(sleeps_and_closes, c);
	hide(0, c);
	c = NULL;
	CHECK_EQ(scan(), 0);
	global = shown(0);
	WAIT_UNTIL(!global);
}

TEST_ALONE(a_channel_in_a_full_buffer_is_known_by_who_knows_the_buffer)
{
	tuza_chan *volatile outer = tuza_chan_new(sizeof(tuza_chan *), 3);
	tuza_chan *inner = tuza_chan_new(0, 0);

	tuza_go(recvs, inner);
	tuza_chan_send(outer, &inner);
	inner = NULL;
	CHECK_EQ(scan(), 0);
	tuza_chan_recv(outer, &inner);
	tuza_chan_close(inner);
	tuza_chan_release(outer);
}

TEST_ALONE(a_deadline_is_known_to_the_timers)
{
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), TUZA_HOUR);

	tuza_go(waits_for_end, tuza_context_retain(ctx));
	hide(0, ctx);
	ctx = NULL;
	CHECK_EQ(scan(), 0);
	tuza_context_free(shown(0));
}

static void locks_with(void *arg)
{
	void **both = arg;

	if (tuza_mutex_lock_ctx(both[0], both[1]) == 0)
		tuza_mutex_unlock(both[0]);
	tuza_context_release(both[1]);
	free(both[0]);
	free(both);
}

TEST_ALONE(a_lock_with_a_context_that_can_be_cancelled_is_no_leak)
{
	tuza_context *volatile ctx = tuza_context_with_cancel(tuza_context_background());
	void **both = malloc(2 * sizeof(*both));

	both[0] = calloc(1, sizeof(tuza_mutex));
	both[1] = tuza_context_retain(ctx);
	tuza_mutex_lock(both[0]);
	tuza_go(locks_with, both);
	both = NULL;
	CHECK_EQ(scan(), 0);
	tuza_context_free(ctx);
}

static __thread tuza_chan *of_thread;
static atomic_int step;

static void *knows_by_thread_local(void *c)
{
	of_thread = c;
	c = NULL;
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		usleep(1000);
	tuza_chan_close(of_thread);
	return NULL;
}

static void *knows_by_stack(void *arg)
{
	tuza_chan *volatile c = arg;

	arg = NULL;
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		usleep(1000);
	tuza_chan_close(c);
	return NULL;
}

static void *knows_by_register(void *c)
{
	atomic_store(&step, 1);
	while (atomic_load(&step) != 2)
		__asm__ volatile("" : "+r"(c)::"memory");
	tuza_chan_close(c);
	return NULL;
}

static void *knows_deafly(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	return knows_by_stack(arg);
}

static void known_to_thread(void *(*fn)(void *))
{
	tuza_chan *c = tuza_chan_new(0, 0);
	pthread_t thread;

	atomic_store(&step, 0);
	tuza_go(recvs, c);
	pthread_create(&thread, NULL, fn, c);
	c = NULL;
	while (atomic_load(&step) != 1)
		tuza_sleep(TUZA_MILLISECOND);
	CHECK_EQ(scan(), 0);
	atomic_store(&step, 2);
	pthread_join(thread, NULL);
}

TEST_ALONE(a_channel_in_a_threads_stack_is_known) { known_to_thread(knows_by_stack); }
TEST_ALONE(a_channel_in_a_thread_local_variable_is_known)
{
	known_to_thread(knows_by_thread_local);
}
TEST_ALONE(a_channel_in_a_threads_register_is_known) { known_to_thread(knows_by_register); }
TEST_ALONE(a_channel_in_the_stack_of_a_thread_that_blocks_signals_is_known)
{
	known_to_thread(knows_deafly);
}

static tuza_local *local;

static void has_local(void *c)
{
	tuza_local_set(local, c);
	c = NULL;
	while (!global)
		tuza_sleep(TUZA_MILLISECOND);
	global = NULL;
	tuza_chan_close(tuza_local_get(local));
}

TEST_ALONE(a_channel_in_a_goroutines_local_value_is_known)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	global = NULL;
	if (!local)
		local = tuza_local_new(NULL);
	tuza_go(recvs, c);
	tuza_go(has_local, c);
	hide(0, c);
	c = NULL;
	CHECK_EQ(scan(), 0);
	global = shown(0);
	WAIT_UNTIL(!global);
}

static const char *profile(int debug)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);

	CHECK_EQ(tuza_pprof_write(fd, "goroutineleak", debug), 0);
	ssize_t bytes = pread(fd, report, sizeof(report) - 1, 0);
	report[bytes > 0 ? bytes : 0] = 0;
	close(fd);
	return report;
}

TEST_ALONE(the_profile_counts_the_leaked_alone)
{
	global = tuza_chan_new(0, 0);
	tuza_go(recvs, global);
	for (int i = 0; i < 2; i++)
		leak_one(i);
	settle();
	if (sees_heap()) {
		CHECK_CONTAINS(profile(1), "goroutineleak profile: total 2\n2 @ 0x");
		CHECK_CONTAINS(report, "recvs+0x");
		CHECK_CONTAINS(profile(2), "found leaked goroutines:\n");
	}
	CHECK_CONTAINS(profile(0), "\x1f\x8b"); // gzip
	for (int i = 0; i < 2; i++)
		let_go(i);
	tuza_chan_close(global);
}

// ---- while others run --------------------------------------------------------------------------

static atomic_int ending;

// The two of them always have a way to go on, however the pointers move.
static void plays(void *arg)
{
	tuza_chan *ball = arg, *next;

	while (!atomic_load(&ending)) {
		tuza_chan *mine = tuza_chan_new(sizeof(tuza_chan *), 0);

		if (tuza_send(ball, tuza_chan_retain(mine)), !tuza_recv(mine, &next))
			break;
		tuza_chan_release(mine);
	}
	tuza_chan_close(ball);
}

static void answers(void *arg)
{
	tuza_chan *ball = arg, *reply;

	while (tuza_recv(ball, &reply)) {
		tuza_send(reply, reply);
		tuza_chan_release(reply);
	}
	tuza_chan_release(ball);
}

TEST_ALONE(nobody_who_plays_is_reported)
{
	enum { GAMES = 8 };

	atomic_store(&ending, 0);
	for (int i = 0; i < GAMES; i++) {
		tuza_chan *ball = tuza_chan_new(sizeof(tuza_chan *), 0);

		tuza_go(plays, ball);
		tuza_go(answers, ball);
	}
	for (int i = 0; i < 20; i++)
		CHECK_EQ(tuza_leak_scan(-1), 0);
	atomic_store(&ending, 1);
}

static void *mallocs(void *unused)
{
	while (!atomic_load(&ending)) {
		void *blocks[32];

		for (int i = 0; i < 32; i++)
			blocks[i] = malloc((size_t)(16 + i * 24));
		for (int i = 0; i < 32; i++)
			free(blocks[i]);
	}
	return unused;
}

TEST_ALONE(scans_get_along_with_threads_in_malloc)
{
	pthread_t threads[2];

	atomic_store(&ending, 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, mallocs, NULL);
	leak_one(0);
	settle();
	for (int i = 0; i < 10; i++) {
		int n = tuza_leak_scan(-1);

		CHECK(n == 0 || n == 1); // one meets malloc in the midst of a change now and then
	}
	atomic_store(&ending, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_FOUND(1);
	let_go(0);
}

TEST_PLAIN(without_a_runtime_nobody_is_leaked) { CHECK_EQ(tuza_leak_scan(-1), 0); }
