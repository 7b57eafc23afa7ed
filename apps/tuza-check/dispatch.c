// SPDX-License-Identifier: MIT
/*
 * Which URL is next. One goroutine owns it all, so there is no lock: it takes URLs in, as long as
 * not too many wait, starts a goroutine for each that may run, and hears when one has finished.
 *
 * A URL that is to be tried again rests meanwhile, on a goroutine of its own, and others have its
 * place: whoever answers that he is busy holds up nobody else.
 *
 * A host has a queue of its own, so that a slow one does not hold up the others; those that may
 * start a request take turns. Hosts that nobody waits for are forgotten.
 */
#include "tuza-check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	BUCKETS = 4096,
	WAITING_MOST = 16384 // URLs: what bounds the memory
};

struct host {
	struct host *next;       // in its bucket
	struct host *next_ready; // in the list of those that may start
	bool ready;
	int active;
	struct job *first, **last;
	size_t length;
	char name[];
};

struct dispatch {
	struct run *run;
	struct host *buckets[BUCKETS];
	struct host *ready, **last_ready;
	int active;
	int64_t waiting, resting;
	bool ended; // the context has: nothing is started any more
};

// ---- hosts ------------------------------------------------------------------------------------

// "scheme://host:port", without what else a URL has.
static const char *name_of(const char *url, size_t *length)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	*length = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', *length);
	if (at) {
		*length -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return host;
}

static struct host **bucket_of(struct dispatch *d, const char *name, size_t length)
{
	uint64_t hash = 14695981039346656037u; // FNV-1a
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)(name[i] | 0x20)) * 1099511628211u;
	return &d->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static struct host *find_host(struct dispatch *d, const char *url)
{
	size_t length;
	const char *name = name_of(url, &length);
	struct host **bucket = bucket_of(d, name, length), *h;
	for (h = *bucket; h; h = h->next)
		if (h->length == length && strncasecmp(h->name, name, length) == 0)
			return h;
	h = calloc(1, sizeof *h + length + 1);
	if (!h)
		return NULL;
	memcpy(h->name, name, length);
	h->length = length;
	h->last = &h->first;
	h->next = *bucket;
	*bucket = h;
	return h;
}

static void forget_host(struct dispatch *d, struct host *h)
{
	struct host **at = bucket_of(d, h->name, h->length);
	if (h->active > 0 || h->first || h->ready)
		return;
	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	free(h);
}

// Puts it among those that may start, if it may.
static void see_to_host(struct dispatch *d, struct host *h)
{
	if (h->ready || !h->first || h->active >= d->run->options->per_host)
		return;
	h->ready = true;
	h->next_ready = NULL;
	*d->last_ready = h;
	d->last_ready = &h->next_ready;
}

static struct host *take_ready(struct dispatch *d)
{
	struct host *h = d->ready;
	d->ready = h->next_ready;
	if (!d->ready)
		d->last_ready = &d->ready;
	h->ready = false;
	return h;
}

// ---- jobs -------------------------------------------------------------------------------------

// Behind those that wait for its host, or before them if it has been there already.
static int take_in(struct dispatch *d, struct job *j)
{
	struct host *h = find_host(d, j->url);
	if (!h) {
		job_free(j);
		return -ENOMEM;
	}
	j->host = h;
	j->next = j->attempts > 0 ? h->first : NULL;
	*(j->attempts > 0 ? &h->first : h->last) = j;
	if (!j->next)
		h->last = &j->next;
	d->waiting++;
	see_to_host(d, h);
	return 0;
}

static struct job *take_out(struct dispatch *d, struct host *h)
{
	struct job *j = h->first;
	h->first = j->next;
	if (!h->first)
		h->last = &h->first;
	d->waiting--;
	return j;
}

static void start_some(struct dispatch *d)
{
	while (!d->ended && d->ready && d->active < d->run->options->concurrency) {
		struct host *h = take_ready(d);
		struct job *j = take_out(d, h);
		h->active++;
		d->active++;
		TUZA_GO(check_url, d->run, j);
		see_to_host(d, h);
	}
}

static void rest(struct run *run, struct job *j)
{
	j->unfinished = tuza_sleep_ctx(run->ctx, j->pause) != 0;
	j->pause = 0;
	tuza_chan_send(run->rested, &j);
}

static int wake_up(struct dispatch *d, struct job *j)
{
	d->resting--;
	if (!j->unfinished && !d->ended)
		return take_in(d, j);
	j->unfinished = true;
	tuza_chan_send(d->run->results, &j);
	return 0;
}

static void finish(struct dispatch *d, struct job *j)
{
	struct host *h = j->host;
	h->active--;
	d->active--;
	see_to_host(d, h);
	forget_host(d, h);
	if (j->pause > 0) {
		d->resting++;
		TUZA_GO(rest, d->run, j);
	} else {
		tuza_chan_send(d->run->results, &j); // never longer than the output takes
	}
}

// Nothing is started any more: what waits is dropped.
static void drop_waiting(struct dispatch *d)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct host *h = d->buckets[i], *next; h; h = next) {
			next = h->next;
			while (h->first)
				job_free(take_out(d, h));
			h->ready = false;
			forget_host(d, h);
		}
	}
	d->ready = NULL;
	d->last_ready = &d->ready;
	d->ended = true;
}

int dispatch_run(void *arg)
{
	struct run *run = arg;
	struct dispatch *d = calloc(1, sizeof *d);
	bool open = true;
	int error = d ? 0 : -ENOMEM;
	tuza_set_name("dispatch");
	if (d) {
		d->run = run;
		d->last_ready = &d->ready;
	}
	while (!error && (open || d->active > 0 || d->waiting > 0 || d->resting > 0)) {
		bool has_room = d->waiting + d->resting < WAITING_MOST;
		tuza_chan *urls = open && !d->ended && has_room ? run->urls : NULL;
		struct job *j = NULL;
		bool ok = false;
		switch (TUZA_SELECT(TUZA_RECV(run->finished, &j), TUZA_RECV_OK(urls, &j, &ok),
			d->ended ? tuza_select_recv_(NULL, NULL, 0, NULL) : TUZA_DONE(run->ctx),
			TUZA_RECV(run->rested, &j))) {
		case 0:
			finish(d, j);
			break;
		case 1:
			open = ok;
			if (ok)
				error = take_in(d, j);
			break;
		case 2:
			drop_waiting(d);
			open = false; // the input sees the end, too
			break;
		case 3:
			error = wake_up(d, j);
			break;
		}
		start_some(d);
	}
	for (; d && d->resting > 0; d->resting--) {
		struct job *j;
		tuza_chan_recv(run->rested, &j);
		tuza_chan_send(run->results, &j);
	}
	for (; d && d->active > 0; d->active--) { // out of memory: wait for those under way
		struct job *j;
		tuza_chan_recv(run->finished, &j);
		tuza_chan_send(run->results, &j);
	}
	tuza_chan_close(run->results);
	if (d)
		drop_waiting(d);
	free(d);
	return error;
}
