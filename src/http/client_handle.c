// SPDX-License-Identifier: MIT
/*
 * libcurl's handles: what is the same for all requests of a client is set once, when a handle is
 * made; they are kept and used again.
 */
#include "http/client.h"

#include <tuza/tuza.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
static const char USER_AGENT[] = "tuza/" TEXT(TUZA_VERSION_MAJOR) "." TEXT(TUZA_VERSION_MINOR);

static void set_up(struct driver *d, CURL *easy)
{
	const tuza_http_client_options *o = &d->client->options;
	int64_t connect_ms = (o->connect_timeout + TUZA_MILLISECOND - 1) / TUZA_MILLISECOND;
	sockets_set_up_handle(d, easy);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, transfer_on_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_on_body);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, transfer_on_read);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); // never joins a resolver's thread
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)(o->idle_timeout / TUZA_SECOND));
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	const char *agent = o->user_agent ? o->user_agent : USER_AGENT;
	curl_easy_setopt(easy, CURLOPT_USERAGENT, *agent ? agent : NULL);
	if (!o->no_compression)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	if (o->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy);
	if (o->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, o->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, o->insecure ? 0L : 2L);
}

CURL *handle_take(struct driver *d)
{
	if (d->spares > 0)
		return d->spare[--d->spares];
	CURL *easy = curl_easy_init();
	if (easy)
		set_up(d, easy);
	return easy;
}

void handle_restore(struct driver *d, CURL *easy)
{
	curl_easy_reset(easy);
	set_up(d, easy);
}

// Keeps the transfer's handle for another, unless enough are kept.
void handle_put(struct tuza_http_response *t)
{
	struct driver *d = t->driver;
	CURL *easy = t->easy;
	t->easy = NULL;
	// libcurl 7.88 remembers past a reset that a handle has sent trailers, and then writes
	// chunks where they do not belong.
	if (d->spares == CLIENT_SPARE_MOST || t->body_trailers) {
		curl_easy_cleanup(easy);
		return;
	}
	if (t->plain) { // all that points into the transfer
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
		curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	} else {
		handle_restore(d, easy);
	}
	d->spare[d->spares++] = easy;
}
