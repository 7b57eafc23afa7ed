// SPDX-License-Identifier: MIT
/*
 * Names of hosts, with a resolver of the test's own in place of the C library's.
 */
#include "net_support.h"

#include <tuza/errno.h>

#include <malloc.h>
#include <netdb.h>
#include <pthread.h>

static atomic_int calls, running, most, gate; // the gate holds the answers back while it is 1

// Stands before the C library's. "host-<n>" is 127.0.0.<n>.
int getaddrinfo(
	const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	int now = atomic_fetch_add(&running, 1) + 1, before = atomic_load(&most);

	(void)service;
	(void)hints;
	atomic_fetch_add(&calls, 1);
	while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
		;
	while (atomic_load(&gate))
		usleep(1000);
	atomic_fetch_sub(&running, 1);
	errno = E2BIG; // it may
	if (strcmp(host, "no-such-host") == 0)
		return EAI_NONAME;
	if (strcmp(host, "silent-server") == 0)
		return EAI_AGAIN;
	if (strcmp(host, "no-memory") == 0)
		return EAI_MEMORY;
	struct {
		struct addrinfo info;
		struct sockaddr_in address;
	} *found = calloc(1, sizeof(*found));
	found->address.sin_family = AF_INET;
	found->address.sin_addr.s_addr = htonl(0x7f000000 + (unsigned)atoi(host + 5));
	found->info.ai_family = AF_INET;
	found->info.ai_addr = (struct sockaddr *)&found->address;
	found->info.ai_addrlen = sizeof(found->address);
	*list = &found->info;
	return 0;
}

void freeaddrinfo(struct addrinfo *list) { free(list); }

// Questions of runs that are over may still be under way, in threads that the kernel does not let
// run: they would count, and wait at the gate again.
static void restart(int closed)
{
	while (atomic_load(&running) != 0)
		usleep(1000);
	atomic_store(&calls, 0);
	atomic_store(&most, 0);
	atomic_store(&gate, closed);
}

struct question {
	tuza_context *ctx;
	char host[64];
	tuza_address address;
	atomic_int result, done;
};

static void resolve(struct question *q)
{
	atomic_store(&q->result, tuza_address_resolve(q->ctx, "tcp", q->host, &q->address));
	atomic_store(&q->done, 1);
}

static struct question *ask(struct question *q, tuza_context *ctx, const char *host)
{
	memset(q, 0, sizeof(*q));
	q->ctx = ctx;
	strcpy(q->host, host);
	TUZA_GO(resolve, q);
	return q;
}

TEST(answers_and_failures_are_told_apart)
{
	static const struct {
		const char *host;
		int code;
	} cases[] = {{"host-1:80", 0}, {"no-such-host:80", TUZA_ENOHOST},
		{"silent-server:80", TUZA_ERESOLVER}, {"no-memory:80", -ENOMEM}};
	tuza_address a;
	char text[TUZA_ADDRESS_TEXT];

	restart(0);
	errno = 4711;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(tuza_address_resolve(tuza_context_background(), "tcp", cases[i].host, &a),
			cases[i].code);
	CHECK_EQ(errno, 4711);
	CHECK_EQ(tuza_address_resolve(tuza_context_background(), "tcp", "host-7:80", &a), 0);
	CHECK_EQ(tuza_address_text(&a, text, sizeof(text)), 0);
	CHECK_STR(text, "127.0.0.7:80");
	CHECK_STR(tuza_strerror(TUZA_ENOHOST), "no such host");
	CHECK_EQ(calls, 5);
	CHECK_EQ(tuza_address_resolve(tuza_context_background(), "tcp", "127.0.0.1:80", &a), 0);
	CHECK_EQ(calls, 5); // a number needs no resolver
}

// Those who ask the same at the same time share one answer; who asks later asks anew.
TEST(same_question_is_asked_once_at_a_time)
{
	enum { N = 20 };
	static struct question questions[N];

	restart(1);
	for (int i = 0; i < N; i++)
		ask(&questions[i], tuza_context_background(), "host-5:80");
	WAIT_UNTIL(running == 1);
	wait_parked("select", N);
	atomic_store(&gate, 0);
	for (int i = 0; i < N; i++) {
		WAIT_UNTIL(questions[i].done);
		CHECK_EQ(questions[i].result, 0);
	}
	CHECK_EQ(calls, 1);
	ask(&questions[0], tuza_context_background(), "host-5:80");
	WAIT_UNTIL(questions[0].done);
	CHECK_EQ(calls, 2);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// A server that is silent: the context ends the wait, not the question.
TEST(context_ends_the_wait_for_an_answer)
{
	struct question timeout, cancelled, patient;
	tuza_context *soon = tuza_context_with_timeout(tuza_context_background(), 5 * MS);
	tuza_context *ctx = tuza_context_with_cancel(tuza_context_background());

	restart(1);
	ask(&timeout, soon, "host-6:80");
	ask(&cancelled, ctx, "host-6:80");
	ask(&patient, tuza_context_background(), "host-6:80");
	WAIT_UNTIL(timeout.done);
	CHECK_EQ(timeout.result, -ETIMEDOUT);
	CHECK_EQ(cancelled.done, 0);
	tuza_context_cancel(ctx);
	WAIT_UNTIL(cancelled.done);
	CHECK_EQ(cancelled.result, -ECANCELED);
	CHECK_EQ(patient.done, 0);
	atomic_store(&gate, 0);
	WAIT_UNTIL(patient.done);
	CHECK_EQ(patient.result, 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_context_free(soon);
	tuza_context_free(ctx);
}

// Each question is a thread; there are not too many, and other goroutines run on.
TEST(questions_are_capped)
{
	enum { N = 100, CAP = 64 };
	static struct question questions[N];
	char host[32];

	restart(1);
	for (int i = 0; i < N; i++) {
		snprintf(host, sizeof(host), "host-%d:80", i + 1);
		ask(&questions[i], tuza_context_background(), host);
	}
	WAIT_UNTIL(running == CAP);
	tuza_sleep(5 * MS);
	CHECK_EQ(running, CAP);
	atomic_store(&gate, 0);
	for (int i = 0; i < N; i++) {
		WAIT_UNTIL(questions[i].done);
		CHECK_EQ(questions[i].result, 0);
	}
	CHECK_EQ(most, CAP);
	CHECK_EQ(calls, N);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

static struct question left;

static int leave_asking(void *arg)
{
	(void)arg;
	restart(1);
	ask(&left, tuza_context_background(), "host-9:80");
	WAIT_UNTIL(running == 1);
	atomic_store(&gate, 0); // the answer comes while the run ends, or before
	return 0;
}

static int ask_again(void *arg)
{
	(void)arg;
	ask(&left, tuza_context_background(), "host-9:80");
	WAIT_UNTIL(left.done);
	CHECK_EQ(left.result, 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	return 0;
}

// L5: a question of a run that has ended keeps nobody waiting in the next.
TEST_PLAIN(question_is_forgotten_with_its_run)
{
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(tuza_run(leave_asking, NULL), 0);
		CHECK_EQ(tuza_run(ask_again, NULL), 0);
	}
}

static int leave_unanswered(void *arg)
{
	(void)arg;
	ask(&left, tuza_context_background(), "host-8:80");
	wait_parked("select", 2); // the thread's wait is one
	CHECK_EQ(calls, 1);       // they share it
	return 0;                 // the resolver is silent for longer than the run's end waits
}

static int ask_meanwhile(void *arg)
{
	(void)arg;
	ask(&left, tuza_context_background(), "host-8:80");
	WAIT_UNTIL(calls >= 2);
	atomic_store(&gate, 0);
	WAIT_UNTIL(left.done);
	CHECK_EQ(left.result, 0);
	return 0;
}

static void *ask_on_thread(void *question)
{
	resolve(question);
	return NULL;
}

// Not joined with the one that nobody will answer; and a plain thread that was goes on.
TEST_PLAIN(question_that_its_run_could_not_wait_for_is_asked_anew)
{
	struct question of_thread = {.ctx = tuza_context_background(), .host = "host-8:80"};
	pthread_t thread;

	restart(1);
	CHECK_EQ(pthread_create(&thread, NULL, ask_on_thread, &of_thread), 0);
	while (atomic_load(&running) == 0)
		usleep(1000);
	CHECK_EQ(tuza_run(leave_unanswered, NULL), 0);
	alarm(40); // else for ever
	CHECK_EQ(tuza_run(ask_meanwhile, NULL), 0);
	pthread_join(thread, NULL);
	alarm(0);
	CHECK_EQ(of_thread.result, 0);
	while (atomic_load(&running) != 0)
		usleep(1000);
}

enum { MANY = 100 };
static atomic_bool over;

static int leave_many(void *arg)
{
	struct question *questions = arg;
	char host[32];

	restart(1);
	for (int i = 0; i < MANY; i++) {
		snprintf(host, sizeof(host), "host-%d:80", i + 1);
		ask(&questions[i], tuza_context_background(), host);
	}
	WAIT_UNTIL(running == 64);
	atomic_store(&over, true);
	return 0;
}

static void *answer_after_run(void *unused)
{
	(void)unused;
	while (!atomic_load(&over))
		usleep(1000);
	usleep(10000);
	atomic_store(&gate, 0);
	return NULL;
}

static int return_at_once(void *arg)
{
	(void)arg;
	return 0;
}

// A question is more than 256 bytes. Who came back too late for the end of its run is waited for by
// a later one.
static bool is_back_at(size_t bytes)
{
	for (int i = 0; i < 10000 && mallinfo2().uordblks >= bytes + MANY * 256; i++) {
		usleep(1000);
		CHECK_EQ(tuza_run(return_at_once, NULL), 0);
	}
	return mallinfo2().uordblks < bytes + MANY * 256;
}

// A long program with many runs must not grow.
TEST_PLAIN(nothing_is_kept_of_questions_whose_goroutines_were_dropped)
{
	static struct question questions[MANY];
	size_t before = 0;
	pthread_t thread;

	for (int i = 0; i < 6; i++) {
		if (i == 1)
			before = mallinfo2().uordblks;
		atomic_store(&over, false);
		CHECK_EQ(pthread_create(&thread, NULL, answer_after_run, NULL), 0);
		CHECK_EQ(tuza_run(leave_many, questions), 0);
		pthread_join(thread, NULL);
	}
	CHECK(is_back_at(before));
}
