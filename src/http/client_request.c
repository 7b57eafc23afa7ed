// SPDX-License-Identifier: MIT
/*
 * What is asked: the options of libcurl's handle for one request, and how a redirect changes it.
 *
 * Go: src/net/http/client.go, redirectBehavior and shouldCopyHeaderOnRedirect
 */
#include "http/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// ---- setting up -------------------------------------------------------------------------------

static bool has_body(const struct tuza_http_response *t)
{
	return !t->no_body && (t->body || t->body_read);
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

static bool posts(const struct tuza_http_response *t)
{
	return has_body(t) || strcmp(t->method, "POST") == 0 || strcmp(t->method, "PUT") == 0 ||
	       strcmp(t->method, "PATCH") == 0;
}

// What libcurl would add to a body on its own: neither Go nor the caller does.
static bool drop_defaults(struct tuza_http_response *t)
{
	if (!posts(t))
		return true;
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
	bool has_post = posts(t);
	t->plain = !has_post && strcmp(t->method, "GET") == 0;
	if (t->plain)
		return;
	if (strcmp(t->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	if (has_post) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		if (t->body_trailers) {
			curl_easy_setopt(easy, CURLOPT_TRAILERFUNCTION, transfer_on_trailer);
			curl_easy_setopt(easy, CURLOPT_TRAILERDATA, t);
		}
		if (!has_body(t))
			curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
		else if (t->body)
			curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)(has_body(t) ? t->body_length : 0));
	}
	if (strcmp(t->method, has_post ? "POST" : "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, t->method);
}

int transfer_set_up(struct tuza_http_response *t)
{
	// HTTP/2 is agreed on by TLS alone: to a server of plain HTTP all speak 1.1.
	bool may_2 = strncasecmp(t->url, "https:", 6) == 0 && !t->client->options.http1;
	curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION,
		(long)(may_2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
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
