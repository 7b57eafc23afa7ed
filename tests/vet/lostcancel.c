// SPDX-License-Identifier: MIT
/*
 * What is made has to be freed, on all ways. Lines that are to be reported say so.
 */
#include <pthread.h>
#include <stdlib.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static tuza_context *kept;
static int work(tuza_context *ctx);
static void free_it(tuza_context *ctx) { tuza_context_free(ctx); }
static void pass_on(tuza_context *ctx) { free_it(ctx); }
static void keep(tuza_context *ctx) { kept = ctx; }
static void own(tuza_context *ctx) { tuza_context_free(ctx); }
static void sleep_it(void *arg) { tuza_sleep(*(tuza_duration *)arg); }
static int work(tuza_context *ctx) { return tuza_context_err(ctx); }

// ---- wrong

int never_freed(tuza_context *parent)
{
	tuza_context *ctx = tuza_context_with_timeout(parent, TUZA_SECOND); // want lostcancel
	return work(ctx);
}

int not_on_an_early_return(tuza_context *parent, int n)
{
	tuza_context *ctx = tuza_context_with_cancel(parent); // want lostcancel
	if (n < 0)
		return -1; // want lostcancel
	n = work(ctx);
	tuza_context_free(ctx);
	return n;
}

int not_when_it_has_ended(tuza_context *parent)
{
	tuza_context *ctx = tuza_context_with_cancel(parent); // want lostcancel
	if (tuza_context_err(ctx) != 0)
		return -1; // want lostcancel
	tuza_context_free(ctx);
	return 0;
}

int not_when_a_loop_is_left(tuza_context *parent, int n)
{
	for (int i = 0; i < n; i++) {
		tuza_context *ctx = tuza_context_with_cancel(parent); // want lostcancel
		int code = work(ctx);
		if (code != 0)
			return code; // want lostcancel
		tuza_context_free(ctx);
	}
	return 0;
}

int not_by_goto(tuza_context *parent, int n)
{
	int code;
	tuza_context *ctx = tuza_context_with_cancel(parent); // want lostcancel
	if (n < 0)
		goto fail;
	code = work(ctx);
	tuza_context_free(ctx);
	return code;
fail:
	return -1; // want lostcancel
}

void deferred_too_late(tuza_context *parent, int n)
{
	tuza_context *ctx = tuza_context_with_cancel(parent); // want lostcancel
	if (n == 0)
		return; // want lostcancel
	TUZA_DEFER(tuza_context_free, ctx);
	work(ctx);
}

void timer_forgotten(tuza_chan *c)
{
	tuza_timer *t = tuza_timer_new(TUZA_SECOND); // want lostcancel
	TUZA_SELECT(TUZA_RECV(c, NULL), TUZA_RECV(tuza_timer_chan(t), NULL));
}

void handle_forgotten(void *d)
{
	tuza_goroutine *g = tuza_spawn(sleep_it, d); // want lostcancel
	(void)g;
}

// ---- right

int deferred(tuza_context *parent, int n)
{
	tuza_context *ctx = tuza_context_with_cancel(parent);
	TUZA_DEFER(tuza_context_free, ctx);
	return n < 0 ? -1 : work(ctx);
}

int freed_by_a_label(tuza_context *parent, int n)
{
	int code = -1;
	tuza_context *ctx = tuza_context_with_cancel(parent);
	if (n < 0)
		goto free_ctx;
	code = work(ctx);
free_ctx:
	tuza_context_free(ctx);
	return code;
}

tuza_context *given_to_the_caller(tuza_context *parent)
{
	tuza_context *ctx = tuza_context_with_cancel(parent);
	return ctx;
}

void given_to_others(tuza_context *parent)
{
	tuza_context *a = tuza_context_with_cancel(parent), *b = tuza_context_with_cancel(parent);
	tuza_context *c = tuza_context_with_cancel(parent), *d = tuza_context_with_cancel(parent);
	pass_on(a);
	keep(b);
	go(own, c);
	kept = d;
}

int ends_the_program(tuza_context *parent)
{
	tuza_context *ctx = tuza_context_with_cancel(parent);
	if (work(ctx) != 0)
		tuza_panic("it failed");
	tuza_context_free(ctx);
	return 0;
}

int in_a_switch(tuza_context *parent, int n)
{
	tuza_context *ctx = tuza_context_with_cancel(parent);
	switch (n) {
	case 0:
		break;
	case 1:
		tuza_context_free(ctx);
		return 1;
	default:
		work(ctx);
	}
	tuza_context_free(ctx);
	return 0;
}

void without_memory(void *d)
{
	tuza_goroutine *g = tuza_spawn(sleep_it, d);
	if (!g)
		return;
	TUZA_IGNORE(tuza_join(g));
}

static void *join_there(void *g)
{
	TUZA_IGNORE(tuza_join(g));
	return NULL;
}

void joined_by_a_thread(void *d, pthread_t *thread)
{
	tuza_goroutine *g = tuza_spawn(sleep_it, d);
	pthread_create(thread, NULL, join_there, g);
}

int waits_for_ever(tuza_context *parent, tuza_chan *c)
{
	tuza_context *ctx = tuza_context_with_cancel(parent);
	for (;;) {
		if (tuza_chan_recv_ctx(c, ctx, NULL) != 0) {
			tuza_context_free(ctx);
			return 0;
		}
	}
}

int on_purpose(tuza_context *parent)
{
	tuza_context *ctx = tuza_context_with_cancel(parent); // tuza-vet: ignore lostcancel
	return work(ctx);
}
