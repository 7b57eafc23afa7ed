// SPDX-License-Identifier: MIT
/*
 * Time, panics, contexts, signals. Lines that are to be reported say so.
 */
#include <signal.h>
#include <stdio.h>
#include <tuza/go.h>
#include <tuza/tuza.h>

static void fails(void *arg) { tuza_panic("%s", (char *)arg); }
static void took(int64_t t) { printf("%ld\n", (long)t); }
static void took_since(int64_t *t) { took(tuza_now() - *t); }
static void tell(tuza_chan *done) { tuza_chan_send(done, NULL); }

// ---- afterloop

void after_in_a_loop(tuza_chan *c)
{
	int v;
	for (bool ok = true; ok;) {
		tuza_chan *late = tuza_after(TUZA_HOUR); // want afterloop
		TUZA_SELECT(TUZA_RECV_OK(c, &v, &ok), TUZA_RECV(late, NULL));
	}
	TUZA_SELECT(TUZA_RECV(c, &v), TUZA_RECV(tuza_after(1), NULL)); // want afterloop
	tuza_recv(tuza_after(1), NULL);                                // want afterloop
}

void after_right(tuza_chan *c)
{
	int v;
	tuza_chan *end = tuza_after(TUZA_HOUR);
	for (bool ok = true; ok;) {
		tuza_chan *late = tuza_after(TUZA_MINUTE);
		TUZA_SELECT(TUZA_RECV_OK(c, &v, &ok), TUZA_RECV(late, NULL), TUZA_RECV(end, NULL));
		tuza_chan_release(late);
	}
	tuza_chan_release(end);
	TUZA_SELECT(TUZA_RECV(c, &v), TUZA_AFTER(TUZA_MINUTE));
}

// ---- swallowed

void swallows(char *text, bool sometimes)
{
	(void)tuza_try(fails, text, NULL); // want swallowed
	if (sometimes)
		(void)tuza_try_with(fails, text, TUZA_RECOVER_FAULTS, NULL); // want swallowed
	for (int i = 0; i < 3; i++)
		tuza_try(fails, text, NULL); // want swallowed
}

int hears(char *text)
{
	tuza_panic_info info;
	if (tuza_try(fails, text, NULL) != 0)
		puts("it failed");
	if (tuza_try(fails, text, &info))
		puts(info.message);
	TUZA_IGNORE(tuza_try(fails, text, NULL));
	return tuza_try(fails, text, NULL);
}

// ---- donecond

int done_is_no_answer(tuza_context *ctx)
{
	if (tuza_context_done(ctx)) // want donecond
		return 1;
	while (!tuza_context_done(ctx)) // want donecond
		tuza_yield();
	return ctx && tuza_context_done(ctx) ? 1 : 0; // want donecond
}

int done_right(tuza_context *ctx)
{
	if (tuza_context_done(ctx) == NULL) // can it end at all?
		return 0;
	tuza_recv(tuza_context_done(ctx), NULL);
	return tuza_context_err(ctx);
}

// ---- sigchan

void signals_lost(void)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
	tuza_signal_notify(c, SIGTERM); // want sigchan
	tuza_recv(c, NULL);
}

void signals_kept(void)
{
	tuza_chan *c = tuza_chan_new(sizeof(int), 1);
	tuza_signal_notify(c, SIGTERM, SIGINT);
	tuza_recv(c, NULL);
}

// ---- defers

void measured_too_early(void)
{
	TUZA_DEFER(took, tuza_now()); // want defers
	tuza_sleep(TUZA_SECOND);
}

void measured(void)
{
	int64_t begun = tuza_now();
	TUZA_DEFER(took_since, &begun);
	tuza_sleep(TUZA_SECOND);
}

// ---- defersend, which runs on demand

void tells_at_the_end(tuza_chan *done)
{
	TUZA_DEFER(tell, done); // on-demand defersend
	puts("at work");
}

void closes_at_the_end(tuza_chan *done)
{
	TUZA_DEFER(tuza_chan_close, done);
	puts("at work");
}
