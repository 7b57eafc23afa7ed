// SPDX-License-Identifier: MIT
/*
 * Contexts: roots, values, what they say of themselves, misuse. After Go's context_test.go and
 * x_test.go. X10, contexts of the program's own making, cannot be in C: a context is one type.
 */
#include "../test.h"
#include <pthread.h>
#include <tuza/context.h>

static const char key_a, key_b;

static bool is_done(tuza_context *ctx)
{
	return tuza_chan_try_recv(tuza_context_done(ctx), NULL) == TUZA_ECLOSED;
}

// X1, X2, T6.1.
TEST(root_never_ends_and_has_nothing)
{
	tuza_context *roots[] = {tuza_context_background(), tuza_context_todo()};

	CHECK(roots[0] != roots[1]);
	for (int i = 0; i < 2; i++) {
		int64_t deadline = 7;

		CHECK(tuza_context_done(roots[i]) == NULL);
		CHECK_EQ(tuza_context_err(roots[i]), 0);
		CHECK_EQ(tuza_context_cause(roots[i]), 0);
		CHECK(!tuza_context_deadline(roots[i], &deadline));
		CHECK_EQ(deadline, 7);
		CHECK(tuza_context_value(roots[i], &key_a) == NULL);
		tuza_context_release(tuza_context_retain(roots[i]));
		tuza_context_free(roots[i]);
	}
}

// X1, X3, X4, X5, T6.1.
TEST(cancel_ends_the_context_and_all_below_before_it_returns)
{
	tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
	tuza_context *value = tuza_context_with_value(parent, &key_a, NULL);
	tuza_context *child = tuza_context_with_cancel(value);
	tuza_context *late = tuza_context_with_timeout(child, TUZA_HOUR);
	tuza_context *all[] = {parent, value, child, late};

	for (int i = 0; i < 4; i++) {
		CHECK_EQ(tuza_context_err(all[i]), 0);
		CHECK(tuza_context_done(all[i]) == tuza_context_done(all[i]));
		CHECK_EQ(tuza_chan_try_recv(tuza_context_done(all[i]), NULL), -EAGAIN);
	}
	tuza_context_cancel(parent);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(tuza_context_err(all[i]), -ECANCELED);
		CHECK(is_done(all[i]));
	}
	tuza_context_cancel(parent); // X5: nothing happens
	tuza_context_cancel(late);
	CHECK_STR(tuza_strerror(tuza_context_err(late)), "context canceled");
	CHECK_STR(tuza_strerror(-ETIMEDOUT), "context deadline exceeded");
	for (int i = 0; i < 4; i++)
		tuza_context_free(all[i]);
}

// X5.
TEST(parent_goes_on_when_its_child_ends)
{
	tuza_context *parent = tuza_context_with_cancel(tuza_context_background());
	tuza_context *child = tuza_context_with_cancel(parent);
	tuza_context *sibling = tuza_context_with_cancel(parent);

	tuza_context_cancel(child);
	CHECK_EQ(tuza_context_err(parent), 0);
	CHECK_EQ(tuza_context_err(sibling), 0);
	tuza_context_free(child);
	CHECK_EQ(tuza_chan_try_recv(tuza_context_done(parent), NULL), -EAGAIN);
	tuza_context_free(parent);
	CHECK_EQ(tuza_context_err(sibling), -ECANCELED);
	tuza_context_free(sibling);
}

// X8, T6.6.
TEST(child_of_an_ended_parent_has_ended_from_the_start)
{
	tuza_context *parent = tuza_context_with_cancel(tuza_context_background());

	tuza_context_cancel_cause(parent, -EPIPE);
	tuza_context *children[] = {tuza_context_with_cancel(parent),
		tuza_context_with_timeout(parent, TUZA_HOUR), tuza_context_with_timeout(parent, -1),
		tuza_context_with_value(parent, &key_a, NULL)};
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(tuza_context_err(children[i]), -ECANCELED);
		CHECK_EQ(tuza_context_cause(children[i]), -EPIPE);
		CHECK(is_done(children[i]));
		tuza_context_free(children[i]);
	}
	tuza_context_free(parent);
}

// X1, X11, T6.4: the nearest value of a key is the one.
TEST(values_are_looked_up_from_the_context_upwards)
{
	int one, two, three;
	tuza_context *a = tuza_context_with_value(tuza_context_background(), &key_a, &one);
	tuza_context *b = tuza_context_with_value(a, &key_b, &two);
	tuza_context *c = tuza_context_with_cancel(b);
	tuza_context *shadow = tuza_context_with_value(c, &key_a, &three);
	tuza_context *none = tuza_context_with_value(shadow, &key_b, NULL);

	CHECK(tuza_context_value(a, &key_a) == &one);
	CHECK(tuza_context_value(a, &key_b) == NULL);
	CHECK(tuza_context_value(c, &key_a) == &one);
	CHECK(tuza_context_value(c, &key_b) == &two);
	CHECK(tuza_context_value(shadow, &key_a) == &three);
	CHECK(tuza_context_value(none, &key_b) == NULL);
	CHECK(tuza_context_value(none, &key_a) == &three);
	// A value above any canceller never ends.
	CHECK(tuza_context_done(b) == NULL);
	CHECK_EQ(tuza_context_err(b), 0);
	tuza_context *all[] = {a, b, c, shadow, none};
	for (int i = 0; i < 5; i++)
		tuza_context_free(all[i]);
}

static void count_free(void *counter) { atomic_fetch_add((atomic_int *)counter, 1); }

TEST(owned_value_is_freed_once_with_the_last_that_sees_it)
{
	atomic_int freed = 0;
	tuza_context *value =
		tuza_context_with_value_free(tuza_context_background(), &key_a, &freed, count_free);
	tuza_context *child = tuza_context_with_cancel(value);

	tuza_context *held = tuza_context_retain(child);
	tuza_context_free(value);
	tuza_context_free(child);
	CHECK_EQ(freed, 0);
	CHECK(tuza_context_value(held, &key_a) == &freed);
	tuza_context_release(held);
	CHECK_EQ(freed, 1);
}

// X12, T6.7.
TEST(without_cancel_keeps_the_values_alone)
{
	int one;
	tuza_context *value = tuza_context_with_value(tuza_context_background(), &key_a, &one);
	tuza_context *timed = tuza_context_with_timeout(value, TUZA_HOUR);
	tuza_context *without = tuza_context_without_cancel(timed);

	CHECK(tuza_context_done(without) == NULL);
	CHECK(!tuza_context_deadline(without, NULL));
	CHECK(tuza_context_value(without, &key_a) == &one);
	tuza_context_cancel(timed);
	CHECK_EQ(tuza_context_err(without), 0);
	CHECK_EQ(tuza_context_cause(without), 0);
	// What is derived from it ends by itself only.
	tuza_context *child = tuza_context_with_cancel(without);
	CHECK_EQ(tuza_context_err(child), 0);
	tuza_context_cancel(child);
	CHECK_EQ(tuza_context_err(child), -ECANCELED);
	tuza_context_free(child);
	tuza_context_free(without);
	tuza_context_free(timed);
	tuza_context_free(value);
}

// X2, X13.
TEST(context_tells_how_it_came_about)
{
	char text[128];
	tuza_context *cancel = tuza_context_with_cancel(tuza_context_background());
	tuza_context *value = tuza_context_with_value(cancel, &key_a, NULL);
	tuza_context *without = tuza_context_without_cancel(value);
	tuza_context *timed = tuza_context_with_timeout(tuza_context_todo(), TUZA_HOUR);

	tuza_context_string(tuza_context_background(), text, sizeof(text));
	CHECK_STR(text, "context.Background");
	tuza_context_string(tuza_context_todo(), text, sizeof(text));
	CHECK_STR(text, "context.TODO");
	size_t n = tuza_context_string(without, text, sizeof(text));
	CHECK_STR(text, "context.Background.WithCancel.WithValue.WithoutCancel");
	CHECK_EQ(n, strlen(text));
	tuza_context_string(timed, text, sizeof(text));
	CHECK_CONTAINS(text, "context.TODO.WithDeadline(+3");
	// Cut anywhere, it is a prefix.
	for (size_t bytes = 0; bytes < 60; bytes++) {
		char whole[128], part[64];

		tuza_context_string(without, whole, sizeof(whole));
		memset(part, 'x', sizeof(part));
		CHECK_EQ(tuza_context_string(without, part, bytes), n);
		if (bytes > 0) {
			size_t length = bytes - 1 < n ? bytes - 1 : n;
			CHECK_EQ(strlen(part), length);
			CHECK(strncmp(part, whole, length) == 0);
		}
		CHECK(part[bytes] == 'x');
	}
	tuza_context_free(timed);
	tuza_context_free(without);
	tuza_context_free(value);
	tuza_context_free(cancel);
}

struct polled {
	tuza_context *ctx;
	atomic_int ready, open;
};

static void poll_err(void *arg)
{
	struct polled *p = arg;

	atomic_fetch_add(&p->ready, 1);
	while (tuza_context_err(p->ctx) == 0)
		tuza_yield();
	if (!is_done(p->ctx))
		atomic_fetch_add(&p->open, 1);
}

// X14, T6.9.
TEST(channel_is_closed_when_the_error_is_there)
{
	for (int round = 0; round < 200; round++) {
		struct polled p = {.ctx = tuza_context_with_cancel(tuza_context_background())};

		for (int i = 0; i < 4; i++)
			(void)test_probe_start(poll_err, &p);
		if (round % 2)
			(void)tuza_context_done(p.ctx);
		WAIT_UNTIL(atomic_load(&p.ready) == 4);
		tuza_context_cancel(p.ctx);
		WAIT_UNTIL(test_probes_pending() == 0);
		CHECK_EQ(p.open, 0);
		tuza_context_free(p.ctx);
	}
}

static void *use_in_thread(void *arg)
{
	tuza_context *parent = arg;
	tuza_context *ctx = tuza_context_with_timeout(parent, TUZA_HOUR);

	CHECK(!tuza_recv(tuza_context_done(ctx), NULL));
	CHECK_EQ(tuza_context_err(ctx), -ECANCELED);
	tuza_context_free(ctx);
	return NULL;
}

TEST_PLAIN(plain_threads_wait_and_cancel)
{
	pthread_t threads[4];
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use_in_thread, ctx), 0);
	wait_parked("chan receive", 4);
	tuza_context_cancel(ctx);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	tuza_context_free(ctx);
}

static void derive_from_nil(void *arg)
{
	(void)arg;
	(void)!tuza_context_with_cancel(NULL);
}
static void time_from_nil(void *arg)
{
	(void)arg;
	(void)!tuza_context_with_timeout(NULL, 1);
}
static void value_from_nil(void *arg)
{
	(void)arg;
	(void)!tuza_context_with_value(NULL, &key_a, NULL);
}
static void without_from_nil(void *arg)
{
	(void)arg;
	(void)!tuza_context_without_cancel(NULL);
}
static void set_nil_key(void *arg)
{
	(void)arg;
	(void)!tuza_context_with_value(tuza_context_background(), NULL, NULL);
}
static void get_nil_key(void *arg)
{
	(void)arg;
	(void)!tuza_context_value(tuza_context_background(), NULL);
}
static void err_of_nil(void *arg) { (void)tuza_context_err(arg); }
static void done_of_nil(void *arg) { (void)tuza_context_done(arg); }
static void select_nil(void *arg) { (void)TUZA_SELECT(TUZA_DONE((tuza_context *)arg)); }
static void sleep_nil(void *arg) { (void)tuza_sleep_ctx(arg, 1); }
static void cancel(void *ctx) { tuza_context_cancel(ctx); }
static void release(void *ctx) { tuza_context_release(ctx); }
static void free_context(void *ctx) { tuza_context_free(ctx); }
static void close_done(void *ctx) { tuza_chan_close(tuza_context_done(ctx)); }

// X11, T6.6.
TEST(nil_parents_and_keys_panic)
{
	static void (*const from_nil[])(void *) = {
		derive_from_nil, time_from_nil, value_from_nil, without_from_nil};
	static void (*const of_nil[])(void *) = {
		err_of_nil, done_of_nil, select_nil, sleep_nil, cancel, free_context, release};

	for (size_t i = 0; i < sizeof(from_nil) / sizeof(from_nil[0]); i++)
		CHECK_PANICS("cannot create context from nil parent", from_nil[i], NULL);
	for (size_t i = 0; i < sizeof(of_nil) / sizeof(of_nil[0]); i++)
		CHECK_PANICS("nil context", of_nil[i], NULL);
	CHECK_PANICS("nil key", set_nil_key, NULL);
	CHECK_PANICS("nil key", get_nil_key, NULL);
}

TEST(misuse_panics_and_leaves_the_context_as_it_was)
{
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	tuza_context *value = tuza_context_with_value(ctx, &key_a, NULL);
	tuza_context *without = tuza_context_without_cancel(ctx);
	const char *text = "tuza: cancel of a context that only ends with its parent";

	CHECK_PANICS(text, cancel, value);
	CHECK_PANICS(text, cancel, without);
	CHECK_PANICS(text, cancel, tuza_context_background());
	tuza_context_free(value);
	tuza_context_free(without);
	CHECK_PANICS("tuza: context released more often than retained", release, ctx);
	CHECK_PANICS("tuza: close of a context's channel", close_done, ctx);
	CHECK_EQ(tuza_context_err(ctx), 0);
	tuza_context *held = tuza_context_retain(ctx);
	tuza_context_free(ctx);
	CHECK_EQ(tuza_context_err(held), -ECANCELED);
	CHECK_PANICS("tuza: context freed twice", free_context, held);
	tuza_context_release(held);
}
