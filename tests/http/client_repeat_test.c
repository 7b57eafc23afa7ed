// SPDX-License-Identifier: MIT
/*
 * A kept connection that the server closes when the next request comes: whether that one was
 * carried out nobody knows. What has no effect is sent again, as Go's client does, and nothing
 * else: an order is not placed twice.
 */
#include "client_support.h"

static ssize_t two_bytes(void *arg, void *bytes, size_t count)
{
	int *left = arg; // whether they are
	if (count < 2 || !*left)
		return 0;
	*left = 0;
	memcpy(bytes, "hi", 2);
	return 2;
}

static int ask(struct server *s, tuza_http_client *client, tuza_http_call call, int *times)
{
	char url[512];
	tuza_http_response *r;
	snprintf(url, sizeof(url), "%s/take", s->base);
	call.url = url;
	int before = s->requests;
	int error = tuza_http_do(client, tuza_context_background(), &call, &r);
	*times = s->requests - before;
	tuza_http_response_free(r);
	return error;
}

static const char *const key[] = {"Idempotency-Key: 7", NULL};
static int there = 1;

static const struct {
	tuza_http_call call;
	int times;
} calls[] = {
	{{.method = NULL}, 2}, {{.method = "HEAD"}, 2}, {{.method = "OPTIONS"}, 2},
	{{.method = "POST"}, 1}, {{.method = "POST", .body = "hi", .body_bytes = 2}, 1},
	{{.method = "PUT", .body = "hi", .body_bytes = 2}, 1},
	{{.method = "PATCH", .body = "hi", .body_bytes = 2}, 1}, {{.method = "DELETE"}, 1},
	{{.method = "BUY"}, 1},
	{{.method = "POST", .body = "hi", .body_bytes = 2, .headers = key}, 2},
	{{.body_read = two_bytes, .body_arg = &there, .headers = key}, 1}, // read once only
};

TEST(what_may_have_been_done_is_not_asked_for_twice)
{
	struct server s = {0};
	tuza_http_response *r;
	int times;
	if (!server_start(&s))
		return;
	tuza_http_client *client = client_new();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		CHECK_EQ(get(&s, client, "/hello", &r), 0);
		check_body(r, "hello");
		CHECK_EQ(ask(&s, client, calls[i].call, &times), TUZA_EOF);
		if (!CHECK_EQ(times, calls[i].times))
			printf("  row %zu\n", i);
	}
	tuza_http_client_free(client);
	server_stop(&s);
}
