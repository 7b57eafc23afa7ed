// SPDX-License-Identifier: MIT
/*
 * A goroutine that does not come back to the runtime for a second when its run ends is left alone.
 * What others of that run were doing is over all the same; what it was doing is when it has come
 * back, and until then it takes nothing away from the next run.
 */
#include "net_support.h"

#include <tuza/layer.h>
#include <tuza/sync.h>

#include <pthread.h>

static atomic_int straggling, go_on, left;
static pthread_key_t key;

static void thread_ends(void *unused)
{
	(void)unused;
	atomic_fetch_add(&left, 1);
}

static void restart(void)
{
	static bool made;

	if (!made)
		CHECK_EQ(pthread_key_create(&key, thread_ends), 0);
	made = true;
	atomic_store(&straggling, 0);
	atomic_store(&go_on, 0);
	atomic_store(&left, 0);
}

// Comes back to the runtime when it is told to; then it leaves, and its thread ends.
static void straggle(void)
{
	(void)pthread_setspecific(key, &key);
	atomic_fetch_add(&straggling, 1);
	while (!atomic_load(&go_on))
		usleep(1000);
}

static void let_go(int count)
{
	atomic_store(&go_on, 1);
	WAIT_UNTIL(left == count);
}

// ---- connections --------------------------------------------------------------------------

struct layered {
	atomic_int straggles, forgotten, freed;
};

static ssize_t layered_read(tuza_layer *l, void *bytes, size_t count)
{
	struct layered *state = tuza_layer_state(l);

	if (atomic_load(&state->straggles)) {
		straggle();
		tuza_yield();
	}
	return tuza_conn_read(tuza_layer_under(l), bytes, count);
}

static ssize_t layered_peek(tuza_layer *l, void *bytes, size_t count)
{
	return tuza_conn_peek(tuza_layer_under(l), bytes, count);
}

static ssize_t layered_write(tuza_layer *l, const struct iovec *pieces, int count)
{
	return tuza_conn_writev(tuza_layer_under(l), pieces, count);
}

static int layered_close_write(tuza_layer *l) { return tuza_conn_close_write(tuza_layer_under(l)); }
static int layered_close_read(tuza_layer *l) { return tuza_conn_close_read(tuza_layer_under(l)); }

static void layered_forget(tuza_layer *l)
{
	atomic_fetch_add(&((struct layered *)tuza_layer_state(l))->forgotten, 1);
}

static void layered_free(void *state) { atomic_fetch_add(&((struct layered *)state)->freed, 1); }

static const tuza_layer_methods layered_methods = {
	.read = layered_read,
	.peek = layered_peek,
	.write = layered_write,
	.close_write = layered_close_write,
	.close_read = layered_close_read,
	.forget = layered_forget,
	.free = layered_free,
};

enum { LAYERS = 6 }; // over each other: more operations at a time than a descriptor has room for
static struct layered layers[LAYERS], straggling_layer;
static struct pair plain, offering, layered, with_straggler;
static tuza_listener *listener;

static tuza_conn *over(tuza_conn *under, struct layered *state)
{
	tuza_conn *conn;

	CHECK_EQ(tuza_layer_open(under, &layered_methods, state, &conn), 0);
	return conn;
}

static void read_for_ever(tuza_conn *conn)
{
	char byte;

	(void)!tuza_conn_read(conn, &byte, 1);
}

static void write_for_ever(tuza_conn *conn)
{
	char bytes[100] = "";

	(void)!tuza_conn_write(conn, bytes, sizeof(bytes));
}

static void accept_for_ever(void)
{
	tuza_conn *conn;

	(void)!tuza_accept(listener, &conn);
}

static int use_connections(void *arg)
{
	plain = pair_of(0);
	offering = pair_of(2);
	layered = pair_of(2);
	with_straggler = pair_of(0);
	for (int i = 0; i < LAYERS; i++)
		layered.a = over(layered.a, &layers[i]);
	with_straggler.a = over(with_straggler.a, &straggling_layer);
	atomic_store(&straggling_layer.straggles, 1);
	CHECK_EQ(tuza_listen("tcp", "127.0.0.1:0", &listener), 0);
	TUZA_GO(read_for_ever, plain.a);
	TUZA_GO(write_for_ever, offering.a);
	TUZA_GO(read_for_ever, layered.a);
	TUZA_GO(accept_for_ever);
	wait_parked("IO wait", 4);
	TUZA_GO(read_for_ever, with_straggler.a);
	WAIT_UNTIL(straggling == 1);
	(void)arg;
	return 3;
}

static void select_all_the_time(tuza_chan *c)
{
	int value = 1;

	for (;;)
		(void)TUZA_SELECT(TUZA_SEND(c, &value), TUZA_RECV(c, &value),
			TUZA_AFTER(10 * TUZA_MICROSECOND));
}

static int leave_busy_ones(void *c)
{
	for (int i = 0; i < 8; i++)
		TUZA_GO(select_all_the_time, c);
	tuza_sleep(TUZA_MILLISECOND);
	return 0;
}

// Those who park as their run ends are no stragglers, though there is one of an earlier run.
static void end_other_runs(void)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);

	for (int i = 0; i < 50; i++)
		CHECK_EQ(tuza_run(leave_busy_ones, c), 0);
	tuza_chan_release(c);
}

static void *close_layer_of_straggler(void *unused)
{
	(void)unused;
	CHECK_EQ(tuza_conn_close(with_straggler.a), 0);
	return NULL;
}

TEST_PLAIN(connections_are_free_of_all_that_were_dropped_but_the_straggler)
{
	pthread_t closer;
	char byte;

	restart();
	CHECK_EQ(tuza_run(use_connections, NULL), 3);
	alarm(40); // else for ever
	CHECK_EQ(tuza_conn_set_read_deadline(plain.a, 1), 0);
	CHECK_EQ(tuza_conn_read(plain.a, &byte, 1), TUZA_EIOTIMEOUT); // nobody has the turn
	CHECK_EQ(tuza_conn_set_read_deadline(offering.b, tuza_now() + MS), 0);
	CHECK_EQ(tuza_conn_read(offering.b, &byte, 1), TUZA_EIOTIMEOUT);
	close_pair(&plain);
	close_pair(&offering);
	close_pair(&layered);
	for (int i = 0; i < LAYERS; i++) {
		CHECK_EQ(layers[i].forgotten, 1);
		CHECK_EQ(layers[i].freed, 1);
	}
	CHECK_EQ(tuza_listener_close(listener), 0);
	end_other_runs();

	CHECK_EQ(pthread_create(&closer, NULL, close_layer_of_straggler, NULL), 0);
	usleep(20000);
	CHECK_EQ(straggling_layer.forgotten, 0); // somebody is in it
	CHECK_EQ(straggling_layer.freed, 0);
	let_go(1);
	pthread_join(closer, NULL);
	CHECK_EQ(straggling_layer.forgotten, 1);
	CHECK_EQ(straggling_layer.freed, 1);
	CHECK_EQ(tuza_conn_close(with_straggler.b), 0);
	alarm(0);
}

// ---- everything else ----------------------------------------------------------------------

enum { STRAGGLERS = 8 };
static tuza_chan *values;
static tuza_mutex mutex;
static tuza_semaphore semaphore;
static tuza_once once;
static tuza_waitgroup group;
static tuza_timer *timer;
static struct pair timed;
static atomic_int came_back;

static void receive_late(void)
{
	int value;

	straggle();
	(void)tuza_chan_recv(values, &value);
	atomic_fetch_add(&came_back, 1);
}

static void select_late(void)
{
	int value;

	straggle();
	(void)TUZA_SELECT(TUZA_RECV(values, &value), TUZA_AFTER(TUZA_HOUR));
	atomic_fetch_add(&came_back, 1);
}

static void lock_late(void)
{
	straggle();
	tuza_mutex_lock(&mutex);
	atomic_fetch_add(&came_back, 1);
}

static void acquire_late(void)
{
	straggle();
	tuza_semaphore_wait(&semaphore, 1);
	atomic_fetch_add(&came_back, 1);
}

static void call_late(void *unused)
{
	(void)unused;
	straggle();
	tuza_yield();
	atomic_fetch_add(&came_back, 1);
}

static void once_late(void) { tuza_once_do(&once, call_late, NULL); }

static void wait_late(void)
{
	straggle();
	tuza_waitgroup_wait(&group);
	atomic_fetch_add(&came_back, 1);
}

static void set_timer_late(void)
{
	straggle();
	(void)tuza_timer_reset(timer, MS);
	tuza_yield();
	atomic_fetch_add(&came_back, 1);
}

// Whoever reads with a later deadline relies on the first one's timer.
static void read_late(void)
{
	char byte;

	straggle();
	CHECK_EQ(tuza_conn_set_read_deadline(timed.a, tuza_now() + 5 * MS), 0);
	(void)!tuza_conn_read(timed.a, &byte, 1);
	atomic_fetch_add(&came_back, 1);
}

static int leave_stragglers(void *arg)
{
	(void)arg;
	timed = pair_of(2);
	TUZA_GO(set_timer_late);
	TUZA_GO(read_late);
	TUZA_GO(receive_late);
	TUZA_GO(select_late);
	TUZA_GO(lock_late);
	TUZA_GO(acquire_late);
	TUZA_GO(once_late);
	TUZA_GO(wait_late);
	WAIT_UNTIL(straggling == STRAGGLERS);
	return 4;
}

static void never(void *unused)
{
	(void)unused;
	CHECK(false);
}

static int find_nothing_missing(void *arg)
{
	int value = 1;
	char byte;

	(void)arg;
	tuza_mutex_lock(&mutex);
	tuza_semaphore_wait(&semaphore, 1);
	tuza_waitgroup_add(&group, 1);
	let_go(STRAGGLERS);
	CHECK_EQ(tuza_chan_try_send(values, &value), -EAGAIN); // nobody waits
	tuza_mutex_unlock(&mutex);
	tuza_semaphore_release(&semaphore, 1);
	tuza_waitgroup_done(&group);
	tuza_sleep(5 * MS);
	CHECK(tuza_mutex_try_lock(&mutex));
	tuza_mutex_unlock(&mutex);
	CHECK(tuza_semaphore_try_acquire(&semaphore, 1));
	CHECK(tuza_chan_recv(tuza_timer_chan(timer), NULL));
	CHECK_EQ(tuza_conn_set_read_deadline(timed.a, tuza_now() + 10 * MS), 0);
	CHECK_EQ(tuza_conn_read(timed.a, &byte, 1), TUZA_EIOTIMEOUT);
	close_pair(&timed);
	tuza_once_do(&once, never, NULL); // as if the call had ended by tuza_goexit
	CHECK_EQ(tuza_num_goroutine(), 1);
	return 5;
}

TEST_PLAIN(stragglers_take_nothing_from_the_next_run)
{
	restart();
	values = tuza_chan_new(sizeof(int), 0);
	tuza_semaphore_init(&semaphore, 1);
	timer = tuza_timer_new(TUZA_HOUR);
	CHECK_EQ(tuza_run(leave_stragglers, NULL), 4);
	alarm(40); // else for ever
	CHECK_EQ(tuza_run(find_nothing_missing, NULL), 5);
	alarm(0);
	CHECK_EQ(came_back, 0);
	tuza_chan_release(values);
	tuza_timer_free(timer);
}
