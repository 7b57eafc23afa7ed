// SPDX-License-Identifier: MIT
/*
 * What is asked: the options of libcurl's handle for a request, and how a redirect changes it.
 *
 * Go: src/net/http/client.go, redirectBehavior and shouldCopyHeaderOnRedirect
 */
#include "http/client.h"

#include <tuza/tuza.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
static const char USER_AGENT[] = "tuza/" TEXT(TUZA_VERSION_MAJOR) "." TEXT(TUZA_VERSION_MINOR);

// ---- setting up -------------------------------------------------------------------------------

static bool has_body(const struct tuza_http_response *t)
{
	return !t->no_body && (t->body || t->body_read);
}

static void set_client_options(struct tuza_http_response *t)
{
	const tuza_http_client_options *o = &t->client->options;
	CURL *easy = t->easy;
	bool is_tls = strncasecmp(t->url, "https:", 6) == 0;
	// HTTP/2 is agreed on by TLS alone: to a server of plain HTTP all speak 1.1.
	long version = is_tls && !o->http1 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;
	int64_t connect_ms = (o->connect_timeout + TUZA_MILLISECOND - 1) / TUZA_MILLISECOND;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); // never joins a resolver's thread
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version);
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

static bool add_header(struct tuza_http_response *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->request_headers, line);
	if (longer)
		t->request_headers = longer;
	return longer != NULL;
}

static bool has_header(const struct tuza_http_response *t, const char *name)
{
	size_t count = strlen(name);
	for (const struct curl_slist *h = t->request_headers; h; h = h->next)
		if (strncasecmp(h->data, name, count) == 0 && h->data[count] == ':')
			return true;
	return false;
}

// What libcurl would add on its own: neither Go nor the caller does.
static bool drop_defaults(struct tuza_http_response *t)
{
	if (!has_header(t, "Expect") && !add_header(t, "Expect:"))
		return false;
	if (!has_header(t, "Content-Type") && !add_header(t, "Content-Type:"))
		return false;
	return t->body_length >= 0 || has_header(t, "Transfer-Encoding") || !has_body(t) ||
	       add_header(t, "Transfer-Encoding: chunked");
}

static void set_method(struct tuza_http_response *t)
{
	CURL *easy = t->easy;
	bool posts = has_body(t) || strcmp(t->method, "POST") == 0 ||
		     strcmp(t->method, "PUT") == 0 || strcmp(t->method, "PATCH") == 0;
	if (strcmp(t->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (posts) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		if (!has_body(t))
			curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
		else if (t->body)
			curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)(has_body(t) ? t->body_length : 0));
	}
	if (strcmp(t->method, posts ? "POST" : "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, t->method);
}

int transfer_set_up(struct tuza_http_response *t)
{
	curl_easy_reset(t->easy);
	set_client_options(t);
	if (curl_easy_setopt(t->easy, CURLOPT_URL, t->url) != CURLE_OK || !drop_defaults(t))
		return -ENOMEM;
	set_method(t);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->request_headers);
	return 0;
}

// ---- redirects --------------------------------------------------------------------------------

bool transfer_may_redirect(const struct tuza_http_response *t, int status)
{
	if (t->client->options.max_redirects < 0)
		return false;
	switch (status) {
	case 301:
	case 302:
	case 303:
		return true;
	case 307:
	case 308:
		return !has_body(t) || t->body; // a body that was read is gone
	default:
		return false;
	}
}

static char *part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

// Whether what is secret to the one may be told to the other.
static bool is_same_host(const char *from, const char *to)
{
	CURLU *a = curl_url(), *b = curl_url();
	bool same = false;
	if (a && b && curl_url_set(a, CURLUPART_URL, from, 0) == CURLUE_OK &&
		curl_url_set(b, CURLUPART_URL, to, 0) == CURLUE_OK) {
		char *host_a = part_of(a, CURLUPART_HOST), *host_b = part_of(b, CURLUPART_HOST);
		char *scheme_a = part_of(a, CURLUPART_SCHEME);
		char *scheme_b = part_of(b, CURLUPART_SCHEME);
		if (host_a && host_b && scheme_a && scheme_b)
			same = strcasecmp(host_a, host_b) == 0 &&
			       (strcmp(scheme_a, "https") != 0 || strcmp(scheme_b, "https") == 0);
		curl_free(host_a);
		curl_free(host_b);
		curl_free(scheme_a);
		curl_free(scheme_b);
	}
	curl_url_cleanup(a);
	curl_url_cleanup(b);
	return same;
}

static void drop_header(struct tuza_http_response *t, const char *name)
{
	size_t count = strlen(name);
	struct curl_slist **at = &t->request_headers;
	while (*at) {
		struct curl_slist *h = *at;
		if (strncasecmp(h->data, name, count) == 0 && h->data[count] == ':') {
			*at = h->next;
			h->next = NULL;
			curl_slist_free_all(h);
		} else {
			at = &h->next;
		}
	}
}

// The next request is for `to`. TUZA_EREDIRECTS leaves its words in t->words.
int transfer_redirect(struct tuza_http_response *t, const char *to)
{
	int most = t->client->options.max_redirects, status = t->incoming.status;
	if (t->redirects++ >= most) {
		snprintf(t->words, sizeof t->words, "stopped after %d redirects", most);
		return TUZA_EREDIRECTS;
	}
	char *url = strdup(to);
	if (!url)
		return -ENOMEM;
	if (!is_same_host(t->url, url)) {
		drop_header(t, "Authorization");
		drop_header(t, "Cookie");
		drop_header(t, "Proxy-Authorization");
	}
	bool keeps = status == 307 || status == 308 || strcmp(t->method, "GET") == 0 ||
		     strcmp(t->method, "HEAD") == 0;
	if (!keeps) {
		char *method = strdup("GET");
		if (!method) {
			free(url);
			return -ENOMEM;
		}
		free(t->method);
		t->method = method;
		t->no_body = true;
		drop_header(t, "Content-Type");
		drop_header(t, "Content-Length");
		drop_header(t, "Content-Encoding");
		drop_header(t, "Transfer-Encoding");
	}
	free(t->url);
	t->url = url;
	return 0;
}
