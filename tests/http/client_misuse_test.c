// SPDX-License-Identifier: MIT
// Calls that cannot be meant. (A body_read that says too much: die/http_body_read_too_much.)
#include "../test.h"

#include <tuza/http_client.h>

static void read_nothing(void *arg)
{
	(void)arg;
	char bytes[8];
	CHECK_EQ(tuza_http_response_read(NULL, bytes, sizeof bytes), 0);
}

static void read_nothing_of_nothing(void *arg)
{
	(void)arg;
	CHECK_EQ(tuza_http_response_read(NULL, NULL, 0), 0);
}

static void read_all_of_nothing(void *arg)
{
	(void)arg;
	char *body;
	CHECK_EQ(tuza_http_response_read_all(NULL, 100, &body, NULL), 0);
}

TEST(reading_no_response_panics)
{
	CHECK_PANICS("nil HTTP response", read_nothing, NULL);
	CHECK_PANICS("nil HTTP response", read_nothing_of_nothing, NULL);
	CHECK_PANICS("nil HTTP response", read_all_of_nothing, NULL);
}

static void ask_nobody(void *arg)
{
	(void)arg;
	tuza_http_call call = {.url = "http://127.0.0.1/"};
	tuza_http_response *r;
	CHECK_EQ(tuza_http_do(NULL, tuza_context_background(), &call, &r), 0);
}

static void close_idle_of_nobody(void *arg)
{
	(void)arg;
	tuza_http_client_close_idle(NULL);
}

TEST(a_request_without_a_client_panics)
{
	CHECK_PANICS("nil HTTP client", ask_nobody, NULL);
	CHECK_PANICS("nil HTTP client", close_idle_of_nobody, NULL);
	tuza_http_client_free(NULL); // allowed
}

TEST(what_is_not_there_has_no_status_and_no_headers)
{
	const char *name, *value;
	CHECK_EQ(tuza_http_response_status(NULL), 0);
	CHECK_EQ(tuza_http_response_length(NULL), -1);
	CHECK_STR(tuza_http_response_protocol(NULL), "");
	CHECK_STR(tuza_http_response_url(NULL), "");
	CHECK_STR(tuza_http_response_error(NULL), "out of memory");
	CHECK(!tuza_http_response_header(NULL, "Date"));
	CHECK(!tuza_http_response_header_at(NULL, 0, &name, &value));
	CHECK(!tuza_http_response_trailer(NULL, "Date"));
	CHECK(!tuza_http_response_trailer_at(NULL, 0, &name, &value));
	tuza_http_response_free(NULL);
}
