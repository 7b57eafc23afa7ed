// SPDX-License-Identifier: MIT
/*
 * What a connection takes from the pool while it is busy.
 */
#include "http/connection.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	FIELDS_AT_FIRST = 100,
	SPARES_MOST = 1024, // 14 MB; a guess
	KEPT_TEXT = 4096,   // of each growing text: most answers need no more
};

static void exchange_free(struct exchange *x)
{
	arena_reset(&x->request.arena);
	text_reset(&x->request.trailers, 0);
	text_reset(&x->writer.headers, 0);
	text_reset(&x->writer.trailers, 0);
	text_reset(&x->writer.head, 0);
	free(x->request.head.fields);
	free(x);
}

static size_t fields_at_first(const tuza_http_server *server)
{
	return server->limits.fields < FIELDS_AT_FIRST ? server->limits.fields : FIELDS_AT_FIRST;
}

void exchange_shrink(struct exchange *x)
{
	struct head *h = &x->request.head;
	size_t room = fields_at_first(x->server);
	arena_reset(&x->request.arena);
	text_reset(&x->request.trailers, KEPT_TEXT);
	text_reset(&x->writer.headers, KEPT_TEXT);
	text_reset(&x->writer.trailers, KEPT_TEXT);
	text_reset(&x->writer.head, KEPT_TEXT);
	if (likely(h->room <= room))
		return;
	struct field *fields = realloc(h->fields, (room + 1) * sizeof *fields);
	if (!fields)
		return;
	h->fields = fields;
	h->room = room;
}

static struct exchange *take_spare(struct exchange_spares *spares)
{
	tuza_mutex_lock(&spares->lock);
	struct exchange *x = spares->first;
	if (x) {
		spares->first = x->next;
		spares->count--;
	}
	tuza_mutex_unlock(&spares->lock);
	return x;
}

void *exchange_new(void *arg)
{
	tuza_http_server *server = arg;
	struct exchange *x = take_spare(&server->spares);
	if (x || !(x = calloc(1, sizeof *x)))
		return x;
	size_t fields = fields_at_first(server);
	x->request.head.fields = malloc((fields + 1) * sizeof *x->request.head.fields);
	if (!x->request.head.fields) {
		exchange_free(x);
		return NULL;
	}
	x->server = server;
	x->request.head.room = fields;
	x->request.exchange = x;
	x->writer.exchange = x;
	x->date_second = -1;
	return x;
}

void exchange_drop(void *exchange)
{
	struct exchange *x = exchange;
	struct exchange_spares *spares = &x->server->spares;
	tuza_mutex_lock(&spares->lock);
	bool kept = spares->count < SPARES_MOST;
	if (kept) {
		x->next = spares->first;
		spares->first = x;
		spares->count++;
	}
	tuza_mutex_unlock(&spares->lock);
	if (!kept)
		exchange_free(x);
}

void exchange_spares_free(struct exchange_spares *spares)
{
	for (struct exchange *x; (x = take_spare(spares));)
		exchange_free(x);
}

void *input_new(void *arg)
{
	(void)arg;
	struct input *in = malloc(sizeof *in + INPUT_BYTES);
	if (in)
		in->room = INPUT_BYTES;
	return in;
}

bool input_grow(struct input **in, size_t room)
{
	if (room <= (*in)->room)
		return true;
	struct input *grown = realloc(*in, sizeof *grown + room);
	if (!grown)
		return false;
	grown->room = room;
	*in = grown;
	return true;
}

// Made anew once a second: by hand, since strftime writes in the user's language.
const char *exchange_date(struct exchange *x)
{
	static const char days[] = "SunMonTueWedThuFriSat",
			  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec == x->date_second || !gmtime_r(&now.tv_sec, &tm))
		return x->date;
	struct text t = {x->date, 0, sizeof x->date}; // it fits until the year 9999
	if (text_printf(&t, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
		    days + 3 * (tm.tm_wday % 7), tm.tm_mday, months + 3 * (tm.tm_mon % 12),
		    tm.tm_year % 8100 + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec))
		x->date_second = now.tv_sec;
	return x->date;
}
