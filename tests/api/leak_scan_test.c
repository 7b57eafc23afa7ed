// SPDX-License-Identifier: MIT
/*
 * tuza_leak_scan: who is found. leak_scan_known_test.c: who is not; leak_kernels_test.c: bugs of
 * real programs.
 */
#include "leak_scan_support.h"

#include <tuza/context.h>
#include <tuza/pprof.h>
#include <tuza/sync.h>

#include <pthread.h>

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
	static tuza_chan *_Atomic known;

	known = tuza_chan_new(0, 0);
	tuza_go(recvs, known);
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
	tuza_chan_close(known);
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
