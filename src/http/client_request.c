// SPDX-License-Identifier: MIT
/*
 * What is asked: the caller's words, checked, the options of libcurl's handle for one request, and
 * how a redirect changes it.
 *
 * Go: src/net/http/client.go, redirectBehavior and shouldCopyHeaderOnRedirect
 */
#define _GNU_SOURCE // asprintf
#include "http/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// ---- what the caller says ---------------------------------------------------------------------

// Methods and names of headers are words. (The client is linked without the server's grammar.)
static bool is_word(const char *text, size_t count)
{
	size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_!#$%&'*+.^`|~");
	return count > 0 && letters >= count;
}

static bool has_controls(const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 127)
			return true;
	return false;
}

// "Name: value" without blanks around the value. Else NULL: what is no header is not sent.
static const char *header_value(const char *line, size_t *name, size_t *length)
{
	*name = strcspn(line, ":");
	if (!line[*name] || !is_word(line, *name))
		return NULL;
	const char *value = line + *name + 1;
	value += strspn(value, " \t");
	for (*length = strlen(value); *length > 0; --*length)
		if (value[*length - 1] != ' ' && value[*length - 1] != '\t')
			break;
	return has_controls(value, *length) ? NULL : value;
}

// A copy of the line as libcurl wants it: `empty` is how it says that a value is empty, and
// trailers have to have a blank.
static int append_line(struct curl_slist **to, const char *line, int name, const char *value,
	size_t length, const char *empty)
{
	char *copy = NULL;
	int bytes = length > 0 ? asprintf(&copy, "%.*s: %.*s", name, line, (int)length, value)
			       : asprintf(&copy, "%.*s%s", name, line, empty);
	struct curl_slist *longer = bytes < 0 ? NULL : curl_slist_append(*to, copy);
	if (bytes >= 0)
		free(copy);
	if (longer)
		*to = longer;
	return longer ? 0 : -ENOMEM;
}

static int copy_lines(
	struct curl_slist **to, const char *const *lines, const char *empty, const char **wrong)
{
	int error = 0;
	for (; lines && *lines && !error; lines++) {
		size_t name, length;
		const char *value = header_value(*lines, &name, &length);
		if (!value) {
			*wrong = *lines;
			return TUZA_EURL;
		}
		error = append_line(to, *lines, (int)name, value, length, empty);
	}
	return error;
}

int trailers_copy(struct curl_slist **to, const char *const *lines)
{
	const char *wrong;
	return copy_lines(to, lines, ": ", &wrong);
}

// What is wrong with a URL, as far as libcurl would guess what is meant; NULL: nothing.
static const char *wrong_with_url(const char *url)
{
	if (strcspn(url, "\r\n") != strlen(url))
		return "invalid URL";
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return "not an http: or https: URL";
	return strcspn(strchr(url, ':') + 3, "/?#") == 0 ? "no host in the URL" : NULL;
}

static int copy_words(struct tuza_http_response *t, const char *const *headers)
{
	const char *wrong = wrong_with_url(t->url);
	if (wrong) {
		snprintf(t->words, sizeof t->words, "%s", wrong);
		return TUZA_EURL;
	}
	if (!is_word(t->method, strlen(t->method))) {
		snprintf(t->words, sizeof t->words, "invalid method");
		return TUZA_EURL;
	}
	const char *agent = t->client->options.user_agent;
	if (agent && has_controls(agent, strlen(agent))) {
		snprintf(t->words, sizeof t->words, "invalid user agent");
		return TUZA_EURL;
	}
	// libcurl takes "Name:" for "without it" and "Name;" for "with it, empty".
	int error = copy_lines(&t->request_headers, headers, ";", &wrong);
	if (error == TUZA_EURL) { // its value may be a secret
		size_t name = strcspn(wrong, ":\r\n");
		snprintf(t->words, sizeof t->words, "invalid header \"%.*s\"",
			name < 100 ? (int)name : 100, wrong);
	}
	return error;
}

int call_copy(struct tuza_http_response *t, const tuza_http_call *call)
{
	bool has_body = call->body_bytes > 0 || call->body_read;
	t->method = strdup(call->method ? call->method : has_body ? "POST" : "GET");
	t->url = strdup(call->url ? call->url : "");
	int error = t->method && t->url ? copy_words(t, call->headers) : -ENOMEM;
	if (error)
		return error;
	t->body_read = call->body_read;
	t->body_arg = call->body_arg;
	t->body_trailers = call->body_read && call->body_length <= 0 ? call->body_trailers : NULL;
	if (call->body_read) {
		t->body_length = call->body_length > 0 ? call->body_length : -1;
	} else if (call->body_bytes > 0) {
		t->body = malloc(call->body_bytes);
		if (!t->body)
			return -ENOMEM;
		memcpy(t->body, call->body, call->body_bytes);
		t->body_bytes = call->body_bytes;
		t->body_length = (int64_t)call->body_bytes;
	}
	return 0;
}

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

static bool is_named(const char *line, const char *name)
{
	size_t count = strlen(name);
	return strncasecmp(line, name, count) == 0 && (line[count] == ':' || line[count] == ';');
}

static bool has_header(const struct tuza_http_response *t, const char *name)
{
	for (const struct curl_slist *h = t->request_headers; h; h = h->next)
		if (is_named(h->data, name))
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

// Whether nothing is lost if the server does it twice, by what it is or by what the caller says.
// A body that was read is gone.
static bool may_repeat(const struct tuza_http_response *t)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE"};
	if (has_body(t) && t->body_read)
		return false;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(t->method, methods[i]) == 0)
			return true;
	return has_header(t, "Idempotency-Key") || has_header(t, "X-Idempotency-Key");
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
	t->socket_error = 0;
	curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION,
		(long)(may_2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	if (curl_easy_setopt(t->easy, CURLOPT_URL, t->url) != CURLE_OK || !drop_defaults(t))
		return -ENOMEM;
	set_method(t);
	if (!may_repeat(t)) {
		curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, transfer_on_request);
		curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
	}
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
	struct curl_slist **at = &t->request_headers;
	while (*at) {
		struct curl_slist *h = *at;
		if (is_named(h->data, name)) {
			*at = h->next;
			h->next = NULL;
			curl_slist_free_all(h);
		} else {
			at = &h->next;
		}
	}
}

// Whether it names the server anew.
static bool names_host(const char *location)
{
	const char *end = location + strcspn(location, ":/?#");
	return *end == ':' || strncmp(location, "//", 2) == 0;
}

// What the Location means where it was said. TUZA_EURL leaves the words in t->words.
static int resolve(struct tuza_http_response *t, const char *location, char **url)
{
	const char *wrong = NULL;
	CURLUcode code = CURLUE_OUT_OF_MEMORY;
	CURLU *u = curl_url();
	if (strncmp(location, "//", 2) == 0)
		wrong = strcspn(location + 2, "/?#") == 0 ? "no host in the URL" : NULL;
	else if (names_host(location))
		wrong = wrong_with_url(location);
	*url = NULL;
	if (u && !wrong)
		code = curl_url_set(u, CURLUPART_URL, t->url, CURLU_URLENCODE);
	if (code == CURLUE_OK)
		code = curl_url_set(
			u, CURLUPART_URL, location, CURLU_URLENCODE | CURLU_ALLOW_SPACE);
	if (code == CURLUE_OK)
		code = curl_url_get(u, CURLUPART_URL, url, 0);
	bool no_memory = !u || (!wrong && code == CURLUE_OUT_OF_MEMORY);
	curl_url_cleanup(u);
	if (no_memory)
		return -ENOMEM;
	if (!wrong && code == CURLUE_OK)
		return 0;
	snprintf(t->words, sizeof t->words, "%s", wrong ? wrong : curl_url_strerror(code));
	return TUZA_EURL;
}

// The next request is for what the Location says. Failures may leave words in t->words.
int transfer_redirect(struct tuza_http_response *t)
{
	const char *location = headers_get(&t->incoming, "Location");
	int most = t->client->options.max_redirects, status = t->incoming.status;
	if (t->redirects++ >= most) {
		snprintf(t->words, sizeof t->words, "stopped after %d redirects", most);
		return TUZA_EREDIRECTS;
	}
	char *to, *url;
	int error = resolve(t, location, &to);
	url = error == -ENOMEM ? NULL : strdup(error ? location : to);
	curl_free(to);
	if (!url)
		return -ENOMEM;
	if (error) { // the words are about this one
		free(t->url);
		t->url = url;
		return error;
	}
	if (names_host(location))
		drop_header(t, "Host");
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
