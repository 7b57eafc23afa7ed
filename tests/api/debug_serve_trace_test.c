// SPDX-License-Identifier: MIT
// Traces and metrics from the debug server. (O31, O40, O42, O60)
#include "trace_support.h"

#include <tuza/context.h>
#include <tuza/go.h>
#include <tuza/net.h>
#include <tuza/pprof.h>

static tuza_listener *listener;
static char address[TUZA_ADDRESS_TEXT];

static void start_server(void)
{
	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", NULL, &listener), 0);
	CHECK_EQ(tuza_listener_address(listener, address, sizeof(address)), 0);
}

static void stop_server(void)
{
	CHECK_EQ(tuza_listener_close(listener), 0);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
}

// The whole answer; *n: its length. malloc'ed.
static char *get(const char *path, size_t *n)
{
	size_t room = 1 << 22;
	char *text = malloc(room), request[300];
	tuza_conn *conn;
	ssize_t got;

	*n = 0;
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
	if (CHECK_EQ(tuza_dial(tuza_context_background(), "tcp", address, &conn), 0)) {
		CHECK_EQ(tuza_conn_write(conn, request, strlen(request)), strlen(request));
		while ((got = tuza_conn_read(conn, text + *n, room - 1 - *n)) > 0)
			*n += (size_t)got;
		tuza_conn_close(conn);
	}
	text[*n] = 0;
	return text;
}

// The trace in an answer's body.
static struct trace_file *trace_of(const char *path)
{
	size_t n;
	char *text = get(path, &n), *body = strstr(text, "\r\n\r\n");
	int fd = trace_memory();

	CHECK(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0);
	if (CHECK(body != NULL)) {
		body += 4;
		CHECK_EQ(write(fd, body, n - (size_t)(body - text)), text + n - body);
	}
	struct trace_file *t = trace_read(fd);

	CHECK(!t->is_broken);
	close(fd);
	free(text);
	return t;
}

static atomic_bool is_over;

static void yields_for_ever(void)
{
	while (!is_over) {
		tuza_yield();
		tuza_sleep(TUZA_MILLISECOND);
	}
}

TEST(the_page_is_a_trace_of_the_next_second)
{
	start_server();
	is_over = false;
	go(yields_for_ever);
	struct trace_file *t = trace_of("/debug/pprof/trace?seconds=1");

	CHECK(t->end - t->begin >= 500000000);
	CHECK(t->count[EV_GO_STOP] > 5);
	CHECK_CONTAINS(t->texts, "yields_for_ever");
	free(t);
	is_over = true;
	stop_server();
}

TEST(a_trace_in_a_format_that_there_is_not_is_refused)
{
	size_t n;

	start_server();
	char *text = get("/debug/pprof/trace?seconds=1&format=v10", &n);
	CHECK(strncmp(text, "HTTP/1.0 400 ", 13) == 0);
	CHECK_CONTAINS(text, "there are the formats go, v1 and perfetto\n");
	free(text);
	stop_server();
}

TEST(a_second_trace_at_the_same_time_is_refused)
{
	int fd = trace_memory();
	size_t n;

	start_server();
	CHECK_EQ(tuza_trace_start(fd), 0);
	char *text = get("/debug/pprof/trace?seconds=1", &n);
	CHECK(strncmp(text, "HTTP/1.0 500 ", 13) == 0);
	CHECK_CONTAINS(text, "Could not enable tracing: tracing is already enabled\n");
	CHECK_EQ(tuza_trace_stop(), 0);
	free(text);
	close(fd);
	stop_server();
}

TEST(the_flight_recorder_has_a_page_once_it_is_on)
{
	size_t n;

	start_server();
	char *text = get("/debug/flightrecorder", &n);
	CHECK(strncmp(text, "HTTP/1.0 404 ", 13) == 0);
	free(text);
	CHECK_EQ(tuza_flight_recorder_start(NULL), 0);
	struct trace_file *t = trace_of("/debug/flightrecorder");
	CHECK(t->count[EV_GO_CREATE] > 0); // who answers
	CHECK_CONTAINS(t->texts, "serve_connection");
	free(t);
	tuza_flight_recorder_stop();
	stop_server();
}

TEST(metrics_come_with_latencies_and_under_go_programs_names)
{
	size_t n;

	start_server();
	char *text = get("/metrics", &n);
	CHECK_CONTAINS(text, "\ntuza_sched_latencies_seconds_count ");
	CHECK(strstr(text, "\ngo_goroutines ") == NULL);
	free(text);
	text = get("/metrics?names=go", &n);
	CHECK_CONTAINS(text, "\ngo_goroutines ");
	CHECK_CONTAINS(text, "\ngo_sched_latencies_seconds_bucket{le=\"+Inf\"} ");
	CHECK(strstr(text, "\ntuza_") == NULL);
	free(text);
	text = get("/debug/vars", &n);
	CHECK_CONTAINS(text, "\"latency_99_ns\"");
	CHECK_CONTAINS(text, "\"parks\"");
	free(text);
	stop_server();
}
