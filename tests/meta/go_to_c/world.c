// SPDX-License-Identifier: MIT
/*
 * Runs the C blocks of docs/GO-TO-C.md (go_to_c_test.sh), each in a world of its own: channels with
 * something in them and some room, contexts that go on. What waits after 10 ms is given an end: the
 * channels are closed, the contexts cancelled, the listener closed, a signal sent. None panics, and
 * all end, but for the one that is to wait for ever.
 */
#include "given.h"

#include <unistd.h>

tuza_chan *c, *in, *jobs, *results, *quit, *urgent, *normal, *channels[COUNT];
tuza_context *ctx, *parent;
tuza_mutex mu;
tuza_cond cond;
tuza_rwmutex rw;
tuza_singleflight flights;
tuza_listener *l;
tuza_conn *conn;
#ifdef HAS_HTTP
tuza_http_server *server;
#endif
int v, job, item, err = -ECANCELED, cached;
int64_t due, when;
bool ready = true, ok;
char buffer[512], host[64] = "db.example";
void *key = &cached, *s = &item, *found, *old;
const char *path = "/dev/null", *url = "http://127.0.0.1:1/";

void greet(const char *name, int times) { (void)name, (void)times; }
void process(int id, int price) { (void)id, (void)price; }
void print_number(int i) { (void)i; }
void fetch(int i, tuza_waitgroup *wg) { (void)i, tuza_waitgroup_done(wg); }
void run(int i) { (void)i; }
void use(int i) { (void)i; }
int compute(void) { return 42; }
int work(int i) { return i * i; }
void task(void *arg) { (void)arg; }
void connect_to(void *name) { (void)name; }
void fill(char *bytes) { bytes[0] = 0; }
void expire(void *arg) { (void)arg; }
void clean(void *arg) { (void)arg; }
void risky(void *request) { tuza_panic("%p is risky", request); }
void serve(tuza_conn *peer) { tuza_conn_close(peer); }

int cube(tuza_context *of, const void *from, void *to, void *arg)
{
	int n = *(const int *)from;

	(void)of, (void)arg;
	*(int *)to = n * n * n;
	return 0;
}

int query(void *arg, void **result)
{
	(void)arg;
	*result = &cached;
	return 0;
}

int get(tuza_context *of, const char *url)
{
	(void)url;
	return tuza_sleep_ctx(of, 0);
}

void answer_questions(tuza_chan *questions)
{
	struct question {
		int n;
		tuza_chan *reply;
	} q;

	while (tuza_recv(questions, &q))
		tuza_send(q.reply, q.n);
}

// ---- the world ---------------------------------------------------------------------------------

static tuza_chan *all[10];

static void world_begin(void)
{
	tuza_chan **names[] = {&c, &in, &jobs, &results, &quit, &urgent, &normal, &channels[0],
		&channels[1], &channels[2]};

	for (int i = 0; i < 10; i++) {
		*names[i] = all[i] = tuza_chan_new(names[i] == &quit ? 0 : sizeof(int), 8);
		for (int k = 0; k < 4; k++)
			tuza_chan_send(all[i], names[i] == &quit ? NULL : &k);
		tuza_chan_retain(all[i]); // a block may take one over
	}
	parent = tuza_context_with_cancel(tuza_context_background());
	ctx = tuza_context_with_cancel(parent);
	when = tuza_now() + TUZA_HOUR;
	l = NULL;
#ifdef HAS_HTTP
	server = tuza_http_server_new(NULL);
#endif
}

static void close_chan(void *chan) { tuza_chan_close(chan); }

static void world_end(bool first)
{
	for (int i = 0; i < 10 && first; i++)
		if (all[i] != results)                                   // a pool's to close
			TUZA_IGNORE(tuza_try(close_chan, all[i], NULL)); // perhaps it is closed
	if (first)
		tuza_context_cancel(parent);
	if (first && l)
		tuza_listener_close(l);
	kill(getpid(), SIGHUP);
}

struct attempt {
	const struct block *block;
	int panicked;
	tuza_panic_info info;
};

static void call(void *attempt) { (void)((struct attempt *)attempt)->block->run(); }

static void run_block(void *attempt)
{
	struct attempt *a = attempt;

	a->panicked = tuza_try(call, a, &a->info) != 0;
}

static bool joined(tuza_goroutine *h, tuza_duration wait)
{
	tuza_context *limit = tuza_context_with_timeout(tuza_context_background(), wait);
	int code = tuza_join_ctx(limit, h);

	tuza_context_free(limit);
	return code != -ETIMEDOUT;
}

static int program(void *arg)
{
	int ended = 0, waiting = 0, panics = 0;

	(void)arg;
	for (const struct block *b = blocks; b->line; b++) {
		static struct attempt a; // one may wait on: it is the last
		tuza_goroutine *h;
		bool over;

		a = (struct attempt){.block = b};
		world_begin();
		h = tuza_spawn(run_block, &a);
		over = joined(h, 10 * TUZA_MILLISECOND);
		// The one without end comes last, and need not be waited for.
		for (int i = 0; i < (b[1].line ? 5000 : 10) && !over; i++) {
			world_end(i == 0);
			over = joined(h, 4 * TUZA_MILLISECOND);
		}
		if (over && a.panicked) {
			fprintf(stderr, "docs/GO-TO-C.md:%d: panic: %s\n", b->line, a.info.message);
			panics++;
		} else if (!over) {
			fprintf(stderr, "docs/GO-TO-C.md:%d waits\n", b->line);
		}
		ended += over;
		waiting += !over;
	}
	printf("%d ended, %d waits for ever, %d panicked\n", ended, waiting, panics);
	fflush(stdout);
	_exit(waiting != 1 || panics > 0);
}

int main(void)
{
	signal(SIGHUP, SIG_IGN);
	return tuza_run(program, NULL);
}
