// SPDX-License-Identifier: MIT
/*
 * What is around the data of a chunked body: how much of it there may be.
 */
#include "http_support.h"

static void tell_length(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[4096];
	size_t length = 0;
	ssize_t n;

	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		length += (size_t)n;
	if (n < 0)
		CHECK_EQ(tuza_http_error(w, 400, tuza_error_name((int)n)), 0);
	else
		tuza_http_printf(w, "%zu bytes", length);
}

static char *add(char *to, const char *text)
{
	size_t length = strlen(text);
	memcpy(to, text, length + 1);
	return to + length;
}

static char *add_bytes(char *to, char c, int count)
{
	memset(to, c, (size_t)count);
	return to + count;
}

// What is answered to so many chunks of so many bytes, with extensions of so many.
static const char *answer_to_chunks(
	tuza_http_server *server, int count, int data, int extension, struct answer *a)
{
	enum { AROUND = 32 };
	char *request = malloc((size_t)count * (size_t)(data + extension + AROUND) + 256);
	char *at = add(request, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked" END);

	for (int i = 0; i < count; i++) {
		at += sprintf(at, "%x%s", (unsigned)data, extension ? ";" : "");
		at = add(add_bytes(at, 'e', extension), "\r\n");
		at = add(add_bytes(at, 'd', data), "\r\n");
	}
	at = add(at, "0" END);
	answer_to(server, request, (size_t)(at - request), 50000, a);
	free(request);
	return a->bytes;
}

// Who reads up to so many bytes of a body shall not have to read a hundred times as many.
TEST(chunks_are_not_mostly_extensions)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server =
		tuza_http_server_new(&(tuza_http_server_options){.handler = tell_length});

	CHECK_CONTAINS(answer_to_chunks(server, 80, 1, 200, a), END "80 bytes");
	CHECK_CONTAINS(answer_to_chunks(server, 100, 1, 200, a), END "EBADMSG\n");
	CHECK_CONTAINS(answer_to_chunks(server, 1000, 100, 200, a), END "100000 bytes");
	CHECK_CONTAINS(answer_to_chunks(server, 20000, 1, 0, a), END "20000 bytes");
	CHECK_CONTAINS(answer_to_chunks(server, 1, 9000, 250, a), END "9000 bytes");
	tuza_http_server_free(server);
	free(a);
}
