// SPDX-License-Identifier: MIT
/*
 * Trailers as a client sends and sees them, of tuza's own server. Go: Request.Trailer and
 * Response.Trailer
 */
#include "http_support.h"

#include <tuza/http_client.h>

static const char *const *names(void *arg)
{
	static const char *const lines[] = {"Sum: 7", "Second:a b", "Third:", NULL},
				 *const broken[] = {"Sum: 7\r\nX: y", NULL};
	return arg ? broken : lines;
}

// A body of three bytes at a time.
struct source {
	size_t left;
	bool breaks; // its trailers are no lines
};

static ssize_t give(void *arg, void *bytes, size_t count)
{
	struct source *s = arg;
	size_t n = s->left < 3 ? s->left : 3;
	CHECK(count >= 3);
	memset(bytes, 'x', n);
	s->left -= n;
	return (ssize_t)n;
}

static const char *const *name_of(void *arg)
{
	const struct source *s = arg;
	CHECK_EQ(s->left, 0);
	return names(s->breaks ? arg : NULL);
}

// Answers with how much came and its trailers, as a body and as trailers.
static void show(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[64], text[32];
	const char *name, *value;
	long n = 0;
	ssize_t got;
	(void)arg;
	while ((got = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		n += got;
	if (got < 0)
		return;
	tuza_http_set_trailer(w, "Before", "1");
	tuza_http_printf(w, "%ld", n);
	for (size_t i = 0; (name = tuza_http_trailer_at(r, i, &value)); i++)
		tuza_http_printf(w, "|%s=%s", name, value);
	snprintf(text, sizeof text, "%ld", n);
	CHECK_EQ(tuza_http_set_trailer(w, "Count", text), 0);
}

static int ask(
	const struct site *s, tuza_http_client *client, tuza_http_call call, tuza_http_response **r)
{
	char url[TUZA_ADDRESS_TEXT + 16];
	snprintf(url, sizeof url, "http://%s/", s->address);
	call.url = url;
	return tuza_http_do(client, tuza_context_background(), &call, r);
}

TEST(trailers_go_both_ways_behind_bodies)
{
	struct site s;
	tuza_http_response *r;
	char *body;
	tuza_http_client *client = tuza_http_client_new(&(tuza_http_client_options){.proxy = ""});
	site_open(&s, &(tuza_http_server_options){.handler = show});
	for (int i = 0; i < 3; i++) {
		struct source source = {.left = 10};
		const char *name, *value;
		CHECK_EQ(ask(&s, client,
				 (tuza_http_call){.body_read = give,
					 .body_arg = &source,
					 .body_trailers = name_of},
				 &r),
			0);
		CHECK(!tuza_http_response_trailer(r, "Count")); // nothing was read yet
		CHECK_EQ(tuza_http_response_read_all(r, 1000, &body, NULL), 0);
		CHECK_STR(body, "10|Sum=7|Second=a b|Third=");
		CHECK_STR(tuza_http_response_trailer(r, "count"), "10");
		CHECK(!tuza_http_response_header(r, "Count"));
		CHECK(!tuza_http_response_trailer(r, "None"));
		CHECK(tuza_http_response_trailer_at(r, 0, &name, &value));
		CHECK_STR(name, "Before");
		CHECK_STR(value, "1");
		CHECK(tuza_http_response_trailer_at(r, 1, NULL, NULL));
		CHECK(!tuza_http_response_trailer_at(r, 2, &name, &value));
		free(body);
		tuza_http_response_free(r);

		// The next on the connection has none of them.
		CHECK_EQ(ask(&s, client, (tuza_http_call){.method = "GET"}, &r), 0);
		CHECK_EQ(tuza_http_response_read_all(r, 1000, &body, NULL), 0);
		CHECK_STR(body, "0");
		CHECK_STR(tuza_http_response_trailer(r, "Count"), "0");
		free(body);
		tuza_http_response_free(r);
	}
	CHECK(!tuza_http_response_trailer(NULL, "Count"));
	tuza_http_client_free(client);
	site_close(&s);
}

TEST(a_trailer_of_two_lines_is_not_sent)
{
	struct site s;
	tuza_http_response *r;
	struct source source = {.left = 4, .breaks = true};
	tuza_http_client *client = tuza_http_client_new(&(tuza_http_client_options){.proxy = ""});
	site_open(&s, &(tuza_http_server_options){.handler = show});
	tuza_http_call call = {.body_read = give, .body_arg = &source, .body_trailers = name_of};
	CHECK_EQ(ask(&s, client, call, &r), TUZA_EURL);
	CHECK_CONTAINS(tuza_http_response_error(r), "/: invalid trailer");
	tuza_http_response_free(r);
	tuza_http_client_free(client);
	site_close(&s);
}
