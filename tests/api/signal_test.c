// SPDX-License-Identifier: MIT
// not-under: thread valgrind they defer asynchronous signals, and lose sight of the stack
/*
 * Signals as values in channels (D8). After Go's os/signal/signal_test.go.
 */
#include "../test.h"
#include <pthread.h>
#include <tuza/context.h>
#include <tuza/signal.h>

static tuza_chan *new_chan(size_t capacity) { return tuza_chan_new(sizeof(int), capacity); }

static int next(tuza_chan *c)
{
	tuza_context *limit =
		tuza_context_with_timeout(tuza_context_background(), 10 * TUZA_SECOND);
	int sig = 0;

	CHECK_EQ(tuza_chan_recv_ctx(c, limit, &sig), 0);
	tuza_context_free(limit);
	return sig;
}

static void end(tuza_chan *c)
{
	tuza_signal_stop(c);
	tuza_chan_release(c);
}

// D8.
TEST(signal_arrives_as_a_value)
{
	tuza_chan *c = new_chan(4);

	tuza_signal_notify(c, SIGUSR1, SIGHUP);
	for (int i = 0; i < 20; i++) {
		kill(getpid(), i % 2 ? SIGUSR1 : SIGHUP);
		CHECK_EQ(next(c), i % 2 ? SIGUSR1 : SIGHUP);
		raise(SIGUSR1);
		CHECK_EQ(next(c), SIGUSR1);
	}
	end(c);
}

TEST(every_channel_that_asks_gets_the_signal)
{
	tuza_chan *one = new_chan(1), *both = new_chan(2),
		  *unbounded = tuza_chan_new_unbounded(sizeof(int));

	tuza_signal_notify(one, SIGUSR1);
	tuza_signal_notify(both, SIGUSR1);
	tuza_signal_notify(both, SIGUSR2); // in addition
	tuza_signal_notify(unbounded, SIGUSR2, SIGUSR1);
	raise(SIGUSR2);
	CHECK_EQ(next(both), SIGUSR2);
	CHECK_EQ(next(unbounded), SIGUSR2);
	raise(SIGUSR1);
	CHECK_EQ(next(one), SIGUSR1);
	CHECK_EQ(next(both), SIGUSR1);
	CHECK_EQ(next(unbounded), SIGUSR1);
	end(one);
	raise(SIGUSR1); // others still ask for it
	CHECK_EQ(next(both), SIGUSR1);
	end(both);
	end(unbounded);
}

// D8: sending never blocks.
TEST(value_without_room_is_dropped)
{
	tuza_chan *full = new_chan(1), *other = new_chan(8);

	tuza_signal_notify(full, SIGUSR1);
	tuza_signal_notify(other, SIGUSR1);
	for (int i = 0; i < 5; i++) {
		raise(SIGUSR1);
		CHECK_EQ(next(other), SIGUSR1);
	}
	tuza_signal_stop(full);
	CHECK_EQ(tuza_chan_len(full), 1);
	tuza_chan_release(full);
	end(other);
}

TEST(stop_leaves_what_has_arrived_in_the_channel)
{
	for (int i = 0; i < 200; i++) {
		tuza_chan *c = new_chan(1);
		int sig = 0;

		tuza_signal_notify(c, SIGUSR1);
		raise(SIGUSR1);
		tuza_signal_stop(c);
		tuza_signal_stop(c); // nothing happens
		CHECK_EQ(tuza_chan_try_recv(c, &sig), 0);
		CHECK_EQ(sig, SIGUSR1);
		tuza_chan_release(c);
	}
}

static int calls; // of the program's own handler
static void own_handler(int sig) { calls += sig == SIGUSR1; }

TEST(program_s_handler_is_back_when_nobody_asks)
{
	struct sigaction own = {.sa_handler = own_handler}, now;
	tuza_chan *a = new_chan(1), *b = new_chan(1);

	calls = 0;
	sigaction(SIGUSR1, &own, NULL);
	tuza_signal_notify(a, SIGUSR1);
	tuza_signal_notify(b, SIGUSR1);
	raise(SIGUSR1);
	CHECK_EQ(next(a), SIGUSR1);
	CHECK_EQ(next(b), SIGUSR1);
	CHECK_EQ(calls, 0);
	tuza_signal_stop(a);
	raise(SIGUSR1);
	CHECK_EQ(next(b), SIGUSR1);
	CHECK_EQ(calls, 0);
	tuza_signal_reset(SIGUSR1);
	raise(SIGUSR1);
	CHECK_EQ(calls, 1);
	CHECK_EQ(tuza_chan_len(a) + tuza_chan_len(b), 0);
	CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == own_handler);
	signal(SIGUSR1, SIG_DFL);
	end(a);
	end(b);
}

TEST(ignored_signal_does_nothing_until_reset_or_notify)
{
	tuza_chan *c = new_chan(1);

	CHECK(!tuza_signal_ignored(SIGTERM));
	tuza_signal_notify(c, SIGTERM);
	tuza_signal_ignore(SIGTERM);
	CHECK(tuza_signal_ignored(SIGTERM));
	raise(SIGTERM);
	tuza_signal_stop(c);
	CHECK_EQ(tuza_chan_len(c), 0);
	tuza_signal_notify(c, SIGTERM);
	CHECK(!tuza_signal_ignored(SIGTERM));
	raise(SIGTERM);
	CHECK_EQ(next(c), SIGTERM);
	end(c);
	CHECK(!tuza_signal_ignored(SIGTERM));
	tuza_signal_ignore(SIGTERM);
	tuza_signal_reset(SIGTERM);
	CHECK(!tuza_signal_ignored(SIGTERM));
}

TEST(zero_stands_for_all_signals)
{
	struct sigaction fault, now;
	tuza_chan *c = new_chan(4);

	sigaction(SIGSEGV, NULL, &fault);
	tuza_signal_notify(c, 0);
	raise(SIGWINCH);
	CHECK_EQ(next(c), SIGWINCH);
	raise(SIGRTMIN + 1);
	CHECK_EQ(next(c), SIGRTMIN + 1);
	raise(SIGQUIT); // no dump: it was asked for
	CHECK_EQ(next(c), SIGQUIT);
	sigaction(SIGSEGV, NULL, &now);
	CHECK(now.sa_sigaction == fault.sa_sigaction);
	tuza_signal_reset(0);
	end(c);
}

// SIGPROF and SIGURG are the runtime's means to look at threads, unless they are asked for by name.
TEST(zero_leaves_the_runtime_its_own_signals)
{
	static const int own[] = {SIGPROF, SIGURG};
	tuza_chan *c = new_chan(4);

	for (int i = 0; i < 2; i++) {
		struct sigaction before, now;

		sigaction(own[i], NULL, &before);
		tuza_signal_notify(c, 0);
		sigaction(own[i], NULL, &now);
		CHECK(now.sa_handler == before.sa_handler);
		tuza_signal_ignore(0);
		CHECK(!tuza_signal_ignored(own[i]));
		tuza_signal_reset(0);
		tuza_signal_notify(c, own[i]);
		raise(own[i]);
		CHECK_EQ(next(c), own[i]);
		tuza_signal_reset(0); // undoes that as well
		sigaction(own[i], NULL, &now);
		CHECK(now.sa_handler == before.sa_handler);
	}
	end(c);
}

static void *raise_often(void *n)
{
	int64_t begin = tuza_now();

	// On a busy machine it may be long until it is our turn again.
	for (int i = 0; i < *(int *)n && tuza_now() - begin < 2 * TUZA_SECOND; i++) {
		raise(SIGUSR1); // has been handled when it returns; kill's may come after a stop
		sched_yield();
	}
	return NULL;
}

static void come_and_go(atomic_int *stop)
{
	while (!atomic_load(stop)) {
		tuza_chan *c = new_chan(1);
		tuza_signal_notify(c, SIGUSR1, SIGUSR2);
		tuza_yield();
		end(c);
	}
	atomic_fetch_add(stop, 1);
}

// T9.5: notify and stop while signals arrive on all threads.
TEST(channels_come_and_go_while_signals_arrive)
{
	atomic_int stop = 0;
	int n = 2000;
	pthread_t thread;
	tuza_chan *c = new_chan(1);

	tuza_signal_notify(c, SIGUSR1);
	for (int i = 0; i < 3; i++)
		TUZA_GO(come_and_go, &stop);
	pthread_create(&thread, NULL, raise_often, &n);
	tuza_blocking_begin();
	pthread_join(thread, NULL);
	tuza_blocking_end();
	CHECK_EQ(next(c), SIGUSR1);
	atomic_store(&stop, 1);
	WAIT_UNTIL(stop == 4);
	end(c);
}

static bool is_default(int sig)
{
	struct sigaction now;
	return sigaction(sig, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

// D8, X16: Go: NotifyContext, with a cause that tells which (1.26).
TEST(context_ends_when_a_signal_arrives)
{
	tuza_context *ctx = tuza_context_notify_signal(tuza_context_background(), SIGUSR1, SIGINT);
	tuza_context *child = tuza_context_with_cancel(ctx);

	CHECK_EQ(tuza_context_err(ctx), 0);
	raise(SIGINT);
	CHECK(!tuza_recv(tuza_context_done(child), NULL));
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	CHECK_EQ(tuza_context_cause(ctx), TUZA_ESIGNAL(SIGINT));
	CHECK_EQ(tuza_context_cause(child), TUZA_ESIGNAL(SIGINT));
	CHECK_STR(tuza_strerror(tuza_context_cause(ctx)), "Interrupt");
	CHECK(is_default(SIGINT) && is_default(SIGUSR1)); // a second one ends the program
	tuza_context_free(child);
	tuza_context_free(ctx);
}

TEST(context_of_a_signal_ends_otherwise_and_lets_the_signal_be)
{
	tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
	tuza_context *ctxs[] = {tuza_context_notify_signal(parent, SIGUSR1),
		tuza_context_notify_signal(tuza_context_background(), SIGUSR1),
		tuza_context_notify_signal(tuza_context_background(), SIGUSR1)};

	CHECK(!is_default(SIGUSR1));
	tuza_context_cancel_cause(parent, -EPIPE);
	CHECK_EQ(tuza_context_cause(ctxs[0]), -EPIPE);
	tuza_context_cancel(ctxs[1]);
	CHECK_EQ(tuza_context_cause(ctxs[1]), -ECANCELED);
	for (int i = 0; i < 3; i++)
		tuza_context_free(ctxs[i]);
	WAIT_UNTIL(is_default(SIGUSR1));
	// One below a context that has ended has ended.
	tuza_context *late = tuza_context_notify_signal(parent, SIGUSR1);
	CHECK_EQ(tuza_context_err(late), -ECANCELED);
	tuza_context_free(late);
	WAIT_UNTIL(is_default(SIGUSR1));
	tuza_context_free(parent);
}

static void notify_nil(void *arg) { tuza_signal_notify((tuza_chan *)arg, SIGUSR1); }
static void notify_bytes(void *c) { tuza_signal_notify((tuza_chan *)c, SIGUSR1); }
static void notify_65(void *c) { tuza_signal_notify((tuza_chan *)c, 65); }
static void ignored_0(void *arg)
{
	(void)arg;
	(void)tuza_signal_ignored(0);
}

TEST(misuse_of_signals_panics)
{
	tuza_chan *bytes = tuza_chan_new(1, 1), *c = new_chan(1);

	CHECK_PANICS("os/signal: Notify using nil channel", notify_nil, NULL);
	CHECK_PANICS("tuza: signals need a channel of int", notify_bytes, bytes);
	CHECK_PANICS("tuza: no such signal: 65", notify_65, c);
	CHECK_PANICS("tuza: no such signal: 0", ignored_0, NULL);
	tuza_signal_stop(c);
	tuza_chan_release(bytes);
	tuza_chan_release(c);
}

// Between two runs it waits for the next.
static int receive_one(void *c)
{
	CHECK_EQ(next(c), SIGUSR1);
	return 0;
}

TEST_PLAIN(signal_between_two_runs_is_sent_in_the_next)
{
	tuza_chan *c = new_chan(1);

	tuza_signal_notify(c, SIGUSR1);
	CHECK_EQ(tuza_shutdown(), 0);
	raise(SIGUSR1);
	CHECK_EQ(tuza_run(receive_one, c), 0);
	end(c);
}
