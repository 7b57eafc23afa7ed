// SPDX-License-Identifier: MIT
/*
 * Connections over connections: a layer that turns each byte around behaves as what is under it.
 */
#include "net_support.h"

#include <tuza/layer.h>

#include <pthread.h>

// A layer that complements all bytes, and counts.
struct turned {
	tuza_conn *self;
	atomic_int freed, forgotten, closed, may_write, inside;
};

static void turn_round(char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)~bytes[i];
}

static ssize_t turned_read(tuza_layer *l, void *bytes, size_t count)
{
	struct turned *t = tuza_layer_state(l);
	atomic_fetch_add(&t->inside, 1);
	ssize_t n = tuza_conn_read(tuza_layer_under(l), bytes, count);
	if (n > 0)
		turn_round(bytes, (size_t)n);
	CHECK_EQ(t->freed, 0);
	atomic_fetch_sub(&t->inside, 1);
	return n;
}

static ssize_t turned_peek(tuza_layer *l, void *bytes, size_t count)
{
	if (count == 0)
		return tuza_conn_wait_readable(tuza_layer_under(l));
	ssize_t n = tuza_conn_peek(tuza_layer_under(l), bytes, count);
	if (n > 0)
		turn_round(bytes, (size_t)n);
	return n;
}

static ssize_t turned_write(tuza_layer *l, const struct iovec *pieces, int count)
{
	ssize_t done = 0;
	for (int i = 0; i < count; i++) {
		char *bytes = malloc(pieces[i].iov_len + 1);
		memcpy(bytes, pieces[i].iov_base, pieces[i].iov_len);
		turn_round(bytes, pieces[i].iov_len);
		ssize_t n = tuza_conn_write(tuza_layer_under(l), bytes, pieces[i].iov_len);
		free(bytes);
		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

static int turned_close_write(tuza_layer *l) { return tuza_conn_close_write(tuza_layer_under(l)); }

static int turned_close_read(tuza_layer *l) { return tuza_conn_close_read(tuza_layer_under(l)); }

static void turned_close(tuza_layer *l, bool may_write)
{
	struct turned *t = tuza_layer_state(l);
	atomic_store(&t->may_write, may_write);
	atomic_fetch_add(&t->closed, 1);
	if (may_write)
		(void)!tuza_conn_write(tuza_layer_under(l), "!", 1);
}

static void turned_forget(tuza_layer *l)
{
	atomic_fetch_add(&((struct turned *)tuza_layer_state(l))->forgotten, 1);
}

static void turned_free(void *state) { atomic_fetch_add(&((struct turned *)state)->freed, 1); }

static const tuza_layer_methods turned_methods = {
	.read = turned_read,
	.peek = turned_peek,
	.write = turned_write,
	.close_write = turned_close_write,
	.close_read = turned_close_read,
	.close = turned_close,
	.forget = turned_forget,
	.free = turned_free,
};

// Without a farewell.
static const tuza_layer_methods silent_methods = {
	.read = turned_read,
	.peek = turned_peek,
	.write = turned_write,
	.close_write = turned_close_write,
	.close_read = turned_close_read,
	.free = turned_free,
};

static tuza_conn *over(tuza_conn *under, const tuza_layer_methods *methods, struct turned *t)
{
	memset(t, 0, sizeof *t);
	CHECK_EQ(tuza_layer_open(under, methods, t, &t->self), 0);
	return t->self;
}

TEST(what_passes_a_layer_is_changed_by_it)
{
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		struct pair p = pair_of(kind);
		struct turned t;
		char bytes[16] = "";
		p.a = over(p.a, &silent_methods, &t);
		struct call w = {.conn = p.a, .bytes = "hello", .count = 5};
		TUZA_GO(write_now, &w);
		CHECK_EQ(read_all(p.b, bytes, 5), 5);
		turn_round(bytes, 5);
		CHECK(memcmp(bytes, "hello", 5) == 0);
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.result, 5);

		struct call back = {.conn = p.b, .bytes = bytes, .count = 5};
		turn_round(bytes, 5);
		TUZA_GO(write_now, &back);
		CHECK_EQ(tuza_conn_wait_readable(p.a), 0);
		char got[16] = "";
		CHECK_EQ(tuza_conn_peek(p.a, got, 2), 2);
		CHECK(memcmp(got, "he", 2) == 0);
		CHECK_EQ(read_all(p.a, got, 5), 5);
		CHECK(memcmp(got, "hello", 5) == 0);
		WAIT_UNTIL(back.done);
		CHECK_EQ(t.freed, 0);
		close_pair(&p);
		CHECK_EQ(t.freed, 1);
	}
}

TEST(a_layer_is_known_by_what_is_under_it)
{
	struct pair p = pair_of(0);
	struct turned t[2];
	char below[TUZA_ADDRESS_TEXT], above[TUZA_ADDRESS_TEXT];
	int fd = tuza_conn_fd(p.a);
	CHECK_EQ(tuza_conn_local_address(p.a, below, sizeof below), 0);
	p.a = over(over(p.a, &silent_methods, &t[0]), &turned_methods, &t[1]);
	CHECK_EQ(tuza_conn_local_address(p.a, above, sizeof above), 0);
	CHECK_STR(above, below);
	CHECK_EQ(tuza_conn_fd(p.a), fd);
	CHECK_EQ(tuza_conn_set_nodelay(p.a, false), 0);
	CHECK_EQ(tuza_conn_set_keepalive(p.a, TUZA_SECOND, 0, 0), 0);

	// Turned round twice: as it was.
	char bytes[8] = "";
	CHECK_EQ(tuza_conn_write(p.a, "hello", 5), 5);
	CHECK_EQ(read_all(p.b, bytes, 5), 5);
	CHECK_STR(bytes, "hello");

	tuza_layer *l;
	CHECK_EQ(tuza_layer_begin(p.a, &silent_methods, &l), -EINVAL);
	CHECK_EQ(tuza_layer_begin(p.b, &turned_methods, &l), -EINVAL);
	if (CHECK_EQ(tuza_layer_begin(p.a, &turned_methods, &l), 0)) {
		CHECK(tuza_layer_state(l) == &t[1]);
		CHECK(tuza_layer_under(l) == t[0].self);
		tuza_layer_end(l);
	}
	if (CHECK_EQ(tuza_layer_begin(p.a, NULL, &l), 0)) // whatever it is
		tuza_layer_end(l);
	CHECK_EQ(tuza_layer_begin(p.b, NULL, &l), -EINVAL);
	close_pair(&p);
	CHECK_EQ(t[0].freed + t[1].freed, 2);
	CHECK_EQ(tuza_layer_begin(p.a, &turned_methods, &l), TUZA_ECONNCLOSED);
	CHECK_EQ(tuza_conn_fd(p.a), TUZA_ECONNCLOSED);
}

TEST(deadlines_hold_for_a_layer)
{
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		struct pair p = pair_of(kind);
		struct turned t;
		char byte;
		p.a = over(p.a, &silent_methods, &t);
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};
		TUZA_GO(read_now, &r);
		WAIT_UNTIL(t.inside == 1);
		CHECK_EQ(tuza_conn_set_read_deadline(p.a, tuza_now() + MS), 0);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_wait_readable(p.a), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_set_write_deadline(p.a, 1), 0);
		CHECK_EQ(tuza_conn_write(p.a, "x", 1), TUZA_EIOTIMEOUT);
		CHECK_EQ(tuza_conn_close_write(p.a), TUZA_EIOTIMEOUT);

		CHECK_EQ(tuza_conn_set_deadline(p.a, 0), 0);
		struct call w = {.conn = p.a, .bytes = "x", .count = 1};
		TUZA_GO(write_now, &w);
		CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 1);
		WAIT_UNTIL(w.done);
		CHECK_EQ(w.result, 1);
		CHECK_EQ(tuza_conn_close_write(p.a), 0);
		CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 0);
		close_pair(&p);
	}
}

TEST(close_wakes_who_reads_and_then_frees_the_layer)
{
	for (int kind = 0; kind < PAIR_KINDS; kind++) {
		struct pair p = pair_of(kind);
		struct turned t;
		char byte;
		p.a = over(p.a, &turned_methods, &t);
		struct call r = {.conn = p.a, .bytes = &byte, .count = 1};
		struct call far = {.conn = p.b, .bytes = (char[1]){0}, .count = 1};
		TUZA_GO(read_now, &r);
		TUZA_GO(read_now, &far);
		WAIT_UNTIL(t.inside == 1);
		CHECK_EQ(tuza_conn_close(p.a), 0);
		CHECK_EQ(t.freed, 1);
		CHECK_EQ(t.closed, 1);
		CHECK_EQ(t.may_write, 1);
		WAIT_UNTIL(r.done);
		CHECK_EQ(r.result, TUZA_ECONNCLOSED);
		WAIT_UNTIL(far.done);
		if (kind < 2) // in memory the reader may come too late for the farewell
			CHECK_EQ(far.result, 1);
		CHECK_EQ(tuza_conn_close(p.a), TUZA_ECONNCLOSED);
		CHECK_EQ(tuza_conn_close(p.b), 0);
	}
}

TEST(no_farewell_in_the_middle_of_a_write)
{
	enum { MUCH = 64 << 20 };
	struct pair p = pair_of(0);
	struct turned t;
	char byte;
	p.a = over(p.a, &turned_methods, &t);
	struct call w = {.conn = p.a, .bytes = calloc(1, MUCH), .count = MUCH};
	TUZA_GO(write_now, &w);
	CHECK_EQ(tuza_conn_read(p.b, &byte, 1), 1);
	CHECK_EQ(tuza_conn_close(p.a), 0);
	CHECK_EQ(t.may_write, 0);
	WAIT_UNTIL(w.done);
	CHECK(w.result < MUCH);
	free(w.bytes);
	CHECK_EQ(tuza_conn_close(p.b), 0);

	// Nor past the deadline.
	p = pair_of(0);
	p.a = over(p.a, &turned_methods, &t);
	CHECK_EQ(tuza_conn_set_write_deadline(p.a, 1), 0);
	close_pair(&p);
	CHECK_EQ(t.closed, 1);
	CHECK_EQ(t.may_write, 0);
}

// ---- listeners --------------------------------------------------------------------------------

struct dresser {
	struct turned turned[2];
	atomic_int made, freed;
};

// Every other one fails.
static int dress(void *arg, tuza_conn *under, tuza_conn **conn)
{
	struct dresser *d = arg;
	int n = atomic_fetch_add(&d->made, 1);
	*conn = n == 0 ? NULL : over(under, &turned_methods, &d->turned[n]);
	return n == 0 ? -ENOMEM : 0;
}

static void free_dresser(void *arg) { atomic_fetch_add(&((struct dresser *)arg)->freed, 1); }

TEST(a_listener_makes_layers_and_passes_over_failures)
{
	struct dresser d = {.made = 0};
	char at[TUZA_ADDRESS_TEXT], byte;
	tuza_listener *l;
	tuza_conn *accepted = NULL;
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &l), 0);
	CHECK_EQ(tuza_listener_address(l, at, sizeof at), 0);
	CHECK_EQ(tuza_layer_listener(l, dress, free_dresser, &d), 0);
	struct dialled first = {.network = "tcp", .address = at}, second = first;
	TUZA_GO(dial_now, &first);
	WAIT_UNTIL(first.done);
	TUZA_GO(dial_now, &second);
	CHECK_EQ(tuza_accept(l, &accepted), 0);
	WAIT_UNTIL(second.done);
	CHECK_EQ(d.made, 2);
	CHECK(accepted == d.turned[1].self);
	CHECK_EQ(tuza_conn_read(first.conn, &byte, 1), 0); // it was closed
	CHECK_EQ(tuza_conn_write(accepted, "x", 1), 1);
	CHECK_EQ(tuza_conn_read(second.conn, &byte, 1), 1);
	CHECK_EQ(byte, (char)~'x');
	CHECK_EQ(tuza_conn_close(accepted), 0);
	CHECK_EQ(tuza_conn_close(first.conn), 0);
	CHECK_EQ(tuza_conn_close(second.conn), 0);
	CHECK_EQ(d.freed, 0);
	CHECK_EQ(tuza_listener_close(l), 0);
	CHECK_EQ(d.freed, 1);
	CHECK_EQ(tuza_layer_listener(l, dress, free_dresser, &d), TUZA_ECONNCLOSED);
}

// ---- the end of a run --------------------------------------------------------------------------

struct left {
	struct pair p;
	struct turned t;
	atomic_int waits;
};

static void hold_turn(struct left *left)
{
	tuza_layer *l;
	char byte;
	CHECK_EQ(tuza_layer_begin(left->p.a, &turned_methods, &l), 0);
	CHECK_EQ(tuza_layer_take_turn(l, NULL), 0);
	atomic_fetch_add(&left->waits, 1);
	(void)!tuza_conn_read(tuza_layer_under(l), &byte, 1);
}

static void read_for_ever(struct left *left)
{
	char byte;
	(void)!tuza_conn_read(left->p.a, &byte, 1);
}

static int leave_behind(void *arg)
{
	struct left *left = arg;
	left->p = pair_of(0);
	left->p.a = over(left->p.a, &turned_methods, &left->t);
	TUZA_GO(hold_turn, left);
	TUZA_GO(read_for_ever, left);
	WAIT_UNTIL(left->waits == 1 && left->t.inside == 1);
	return 0;
}

static int go_on(void *arg)
{
	struct left *left = arg;
	tuza_context *ctx = tuza_context_with_timeout(tuza_context_background(), 20 * TUZA_SECOND);
	tuza_layer *l;
	char byte = 0;
	CHECK_EQ(tuza_layer_begin(left->p.a, &turned_methods, &l), 0);
	CHECK_EQ(tuza_layer_take_turn(l, ctx), 0);
	tuza_layer_pass_turn(l);
	tuza_layer_end(l);
	tuza_context_free(ctx);
	CHECK_EQ(tuza_conn_write(left->p.b, "x", 1), 1);
	CHECK_EQ(tuza_conn_read(left->p.a, &byte, 1), 1);
	CHECK_EQ(byte, (char)~'x');
	atomic_store(&left->t.inside, 0); // the dropped one has not come back
	close_pair(&left->p);
	CHECK_EQ(left->t.freed, 1);
	return 0;
}

TEST_PLAIN(a_layer_outlives_goroutines_that_were_dropped_in_it)
{
	static struct left left;
	memset(&left, 0, sizeof left);
	CHECK_EQ(tuza_run(leave_behind, &left), 0);
	CHECK_EQ(left.t.forgotten, 1);
	CHECK_EQ(left.t.freed, 0);
	CHECK_EQ(tuza_run(go_on, &left), 0);
}

TEST(the_turn_of_a_layer_is_waited_for_with_a_context)
{
	struct pair p = pair_of(2);
	struct turned t;
	tuza_layer *l;
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());
	p.a = over(p.a, &silent_methods, &t);
	CHECK_EQ(tuza_layer_begin(p.a, &silent_methods, &l), 0);
	CHECK_EQ(tuza_layer_take_turn(l, ctx), 0);
	tuza_context_cancel(ctx);
	CHECK_EQ(tuza_layer_take_turn(l, ctx), -ECANCELED);
	tuza_layer_pass_turn(l);
	tuza_layer_end(l);
	tuza_context_free(ctx);
	close_pair(&p);
}
