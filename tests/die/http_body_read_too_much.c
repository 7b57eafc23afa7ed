// SPDX-License-Identifier: MIT
// expect-status: 2
// expect-stderr: panic: http: body_read returned
// expect-stderr: http body
// expect-not-stderr: Sanitizer
/*
 * A body_read that says it has stored more than it was asked for: what is behind the buffer is not
 * sent.
 */
#include <tuza/http_client.h>
#include <tuza/net.h>
#include <tuza/tuza.h>

#include <stdio.h>
#include <string.h>

static ssize_t say_too_much(void *arg, void *bytes, size_t count)
{
	(void)arg;
	memset(bytes, 'x', count);
	return (ssize_t)count + 1;
}

static int program(void *arg)
{
	(void)arg;
	char address[TUZA_ADDRESS_TEXT], url[TUZA_ADDRESS_TEXT + 8];
	tuza_listener *nobody_accepts;
	tuza_http_response *r;
	if (tuza_listen("tcp", "127.0.0.1:0", &nobody_accepts) != 0 ||
		tuza_listener_address(nobody_accepts, address, sizeof address) != 0)
		return 1;
	snprintf(url, sizeof url, "http://%s/", address);
	tuza_http_client *client = tuza_http_client_new(&(tuza_http_client_options){.proxy = ""});
	tuza_http_call call = {.url = url, .body_read = say_too_much};
	return tuza_http_do(client, tuza_context_background(), &call, &r);
}

int main(void) { return tuza_run(program, NULL); }
