// SPDX-License-Identifier: MIT
/*
 * One URL: a request, its body read to the end, and whether to ask again, after a failure that may
 * pass. Between attempts are pauses (dispatch.c), twice as long each time, times a random factor,
 * so that what failed together does not come back together; or as long as the server asks for.
 */
#include "tuza-check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const tuza_duration FIRST_PAUSE = 100 * TUZA_MILLISECOND;
static const tuza_duration LONGEST_PAUSE = 10 * TUZA_SECOND;
static const tuza_duration LONGEST_ASKED_FOR = 60 * TUZA_SECOND; // no server holds up the run

// ---- jobs -------------------------------------------------------------------------------------

// A NUL becomes the control character "substitute", which no URL has either: what is before it must
// not be taken for all.
struct job *job_new(const char *url, size_t length)
{
	struct job *j = calloc(1, sizeof *j);
	if (j)
		j->url = malloc(length + 1);
	if (j && !j->url) {
		free(j);
		return NULL;
	}
	if (!j)
		return NULL;
	for (size_t i = 0; i < length; i++)
		j->url[i] = url[i] ? url[i] : '\x1a';
	j->url[length] = '\0';
	return j;
}

void job_free(struct job *j)
{
	free(j->url);
	free(j->words);
	free(j);
}

bool job_is_fine(const struct job *j) { return j->error == 0 && j->status < 400; }

// ---- one attempt ------------------------------------------------------------------------------

static int64_t read_body(tuza_http_response *r, int *error)
{
	char bytes[16 * 1024];
	int64_t total = 0;
	ssize_t n;
	while ((n = tuza_http_response_read(r, bytes, sizeof bytes)) > 0)
		total += n;
	*error = (int)n;
	return total;
}

// How long the server wants to be left alone; 0: it does not say. Dates are not read.
static tuza_duration retry_after(tuza_http_response *r)
{
	const char *text = tuza_http_response_header(r, "Retry-After");
	char *end;
	if (!text)
		return 0;
	long seconds = strtol(text, &end, 10);
	if (*end || end == text || seconds < 0)
		return 0;
	return seconds < 3600 ? seconds * TUZA_SECOND : TUZA_HOUR;
}

static void attempt(struct run *run, struct job *j, tuza_duration *asked_for)
{
	const struct options *o = run->options;
	tuza_http_call call = {.url = j->url,
		.method = o->head ? "HEAD" : NULL,
		.headers = o->headers,
		.timeout = o->timeout};
	tuza_http_response *r;
	int64_t start = tuza_now();
	j->attempts++;
	j->bytes = 0;
	j->status = 0;
	j->error = tuza_http_do(run->client, run->ctx, &call, &r);
	if (!j->error) {
		j->status = tuza_http_response_status(r);
		j->bytes = read_body(r, &j->error);
		*asked_for = retry_after(r);
	}
	j->latency = tuza_now() - start;
	free(j->words);
	j->words = j->error ? strdup(tuza_http_response_error(r)) : NULL;
	tuza_http_response_free(r);
}

// ---- attempts ---------------------------------------------------------------------------------

static bool may_pass(const struct job *j)
{
	switch (j->error) {
	case 0:
		return j->status == 429 || j->status == 500 ||
		       (j->status >= 502 && j->status <= 504);
	case TUZA_EURL:
	case TUZA_ECERTIFICATE:
	case TUZA_EREDIRECTS:
	case TUZA_ENOHOST:
		return false;
	default:
		return true;
	}
}

// Half of the pause, and a random part of the other half.
static tuza_duration jitter(tuza_duration pause)
{
	uint32_t dice = 0;
	(void)!getrandom(&dice, sizeof dice, GRND_NONBLOCK);
	return pause / 2 + (tuza_duration)((double)pause / 2 * dice / UINT32_MAX);
}

static tuza_duration pause_before_retry(int attempts, tuza_duration asked_for)
{
	tuza_duration pause = LONGEST_PAUSE;
	if (attempts < 10 && FIRST_PAUSE << (attempts - 1) < LONGEST_PAUSE)
		pause = FIRST_PAUSE << (attempts - 1);
	pause = jitter(pause);
	return asked_for > pause ? asked_for : pause;
}

// There is nothing to ask for.
static void refuse(struct job *j)
{
	j->attempts = 1;
	j->error = TUZA_EURL;
	j->words = strdup("a line of more than 64 KiB is no URL");
}

// An attempt, and whether there is to be another. Not 0: the run has ended.
static int ask(struct run *run, struct job *j)
{
	tuza_duration asked_for = 0;
	// No rate is a limiter without a limit. A deadline that comes first is the end.
	int ended = tuza_limiter_wait(&run->limiter, run->ctx, 1);
	if (ended)
		return ended;
	attempt(run, j, &asked_for);
	ended = j->error ? tuza_context_err(run->ctx) : 0;
	if (!ended && may_pass(j) && j->attempts <= run->options->retries &&
		asked_for <= LONGEST_ASKED_FOR)
		j->pause = pause_before_retry(j->attempts, asked_for);
	return ended;
}

void check_url(struct run *run, struct job *j)
{
	if (j->too_long)
		refuse(j);
	else
		j->unfinished = ask(run, j) != 0;
	tuza_chan_send(run->finished, &j); // there is room for all
}
