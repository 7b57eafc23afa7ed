// SPDX-License-Identifier: MIT
// The debug server. (O31, O60)
#include "pprof_support.h"

#include <tuza/go.h>
#include <tuza/net.h>
#include <tuza/sync.h>
#include <tuza/context.h>

struct server {
	tuza_listener *listener;
	char address[TUZA_ADDRESS_TEXT];
};

static struct server start_server(const tuza_debug_options *options)
{
	struct server s;

	CHECK_EQ(tuza_debug_serve_with("127.0.0.1:0", options, &s.listener), 0);
	CHECK_EQ(tuza_listener_address(s.listener, s.address, sizeof(s.address)), 0);
	return s;
}

static void stop_server(struct server *s) { CHECK_EQ(tuza_listener_close(s->listener), 0); }

// Sends the text and reads what comes until the end; malloc'ed.
static char *ask(const char *network, const char *address, const char *request, size_t *n)
{
	size_t room = 1 << 22;
	char *text = malloc(room);
	tuza_conn *conn;
	ssize_t got;

	*n = 0;
	if (CHECK_EQ(tuza_dial(tuza_context_background(), network, address, &conn), 0)) {
		CHECK_EQ(tuza_conn_write(conn, request, strlen(request)), strlen(request));
		while ((got = tuza_conn_read(conn, text + *n, room - 1 - *n)) > 0)
			*n += (size_t)got;
		CHECK_EQ(got, 0);
		tuza_conn_close(conn);
	}
	text[*n] = 0;
	return text;
}

static char *get(const struct server *s, const char *path, size_t *n)
{
	char request[1000];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, s->address);
	return ask("tcp", s->address, request, n);
}

// What the path gives: the head, and *body behind it.
static char *get_page(const struct server *s, const char *path, char **body)
{
	size_t n;
	char *text = get(s, path, &n), *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "\r\nContent-Length: ");

	*body = text + n;
	CHECK(strncmp(text, "HTTP/1.0 ", 9) == 0);
	CHECK_CONTAINS(text, "\r\nX-Content-Type-Options: nosniff\r\n");
	if (CHECK(end != NULL) && CHECK(length != NULL)) {
		*body = end + 4;
		CHECK_EQ(atoi(length + 18), text + n - *body);
		end[2] = 0;
	}
	return text;
}

static void check_page(const struct server *s, const char *path, const char *type, const char *part)
{
	char *body, *head = get_page(s, path, &body);

	CHECK(strncmp(head, "HTTP/1.0 200 OK\r\n", 17) == 0);
	CHECK_CONTAINS(head, type);
	CHECK_CONTAINS(body, part);
	free(head);
}

// While a goroutine runs its name is not shown: the server may be on its way to its wait.
static bool dump_has(const struct server *s, const char *part)
{
	char *body, *head = get_page(s, "/debug/pprof/goroutine?debug=2", &body);
	bool has = strstr(body, part) != NULL;

	free(head);
	return has;
}

TEST(pages_are_served)
{
	struct server s = start_server(NULL);

	check_page(&s, "/debug/pprof/", "text/html", "<a href=\"/debug/pprof/goroutine?debug=1\">");
	check_page(&s, "/debug/", "text/html", "/metrics");
	check_page(&s, "/debug/pprof/goroutine?debug=1", "text/plain", "goroutine profile: total ");
	check_page(&s, "/debug/pprof/goroutine?debug=2", "text/plain", "goroutine ");
	WAIT_UNTIL(dump_has(&s, "name \"tuza debug server\""));
	check_page(&s, "/debug/pprof/threadcreate?debug=1", "text/plain", "[thread tuza]");
	check_page(&s, "/debug/pprof/cmdline", "text/plain", "debug_serve_test");
	check_page(&s, "/debug/pprof/symbol", "text/plain", "num_symbols: 1\n");
	check_page(&s, "/debug/vars", "application/json", "\"cmdline\": [\"");
	check_page(&s, "/debug/vars", "application/json", "\"goroutines\":");
	check_page(&s, "/metrics", "version=0.0.4", "\ntuza_sched_goroutines_goroutines ");
	stop_server(&s);
}

// Whether the profile that is served shows the client where it waits. While it still runs its
// thread is asked, which may not answer in time.
static bool shows_its_client(const struct server *s)
{
	size_t n;
	char *head = get(s, "/debug/pprof/goroutine", &n), *body = strstr(head, "\r\n\r\n") + 4;
	int fd = scratch();

	CHECK_CONTAINS(head, "Content-Disposition: attachment; filename=\"goroutine\"");
	CHECK_EQ(write(fd, body, n - (size_t)(body - head)), n - (size_t)(body - head));
	struct decoded *d = decode(fd);
	uint64_t shown = value_of(d, 0, FUNCTIONS("shows_its_client", "ask"), NULL, NULL);

	CHECK(shown <= 1);
	decoded_free(d);
	free(head);
	return shown == 1;
}

TEST(goroutine_profile_is_served)
{
	struct server s = start_server(NULL);

	WAIT_UNTIL(shows_its_client(&s));
	stop_server(&s);
}

// The profile that the path gives.
static struct decoded *get_profile(const struct server *s, const char *path)
{
	size_t n;
	char *text = get(s, path, &n), *body = strstr(text, "\r\n\r\n") + 4;
	int fd = scratch();

	CHECK(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0);
	CHECK_EQ(write(fd, body, n - (size_t)(body - text)), n - (size_t)(body - text));
	free(text);
	return decode(fd);
}

static int kinds[2]; // keeps the compiler from making one function of the two

static void was_there(tuza_chan *c)
{
	tuza_recv(c, NULL);
	__atomic_add_fetch(&kinds[0], 1, __ATOMIC_RELAXED);
}

static void came_later(tuza_chan *c)
{
	tuza_recv(c, NULL);
	__atomic_add_fetch(&kinds[1], 1, __ATOMIC_RELAXED);
}

static void comes_all_the_time(tuza_chan *c, tuza_chan *stop)
{
	while (TUZA_SELECT(TUZA_RECV(stop, NULL), TUZA_AFTER(2 * TUZA_MILLISECOND)) == 1)
		go(came_later, c);
	tuza_chan_send(stop, NULL);
}

static uint64_t count_waiting(void)
{
	tuza_statistics s;

	tuza_stats(&s);
	return s.waiting;
}

TEST(profile_of_some_seconds_has_what_was_added)
{
	struct server s = start_server(NULL);
	tuza_chan *c = tuza_chan_new(0, 0), *stop = tuza_chan_new(0, 0);
	struct decoded *d;

	for (int i = 0; i < 50; i++)
		go(was_there, c);
	WAIT_UNTIL(count_waiting() >= 51); // and the server
	go(comes_all_the_time, c, stop);
	d = get_profile(&s, "/debug/pprof/goroutine?seconds=1");
	CHECK(value_of(d, 0, FUNCTIONS("came_later"), NULL, NULL) > 0);
	CHECK_EQ(value_of(d, 0, FUNCTIONS("was_there"), NULL, NULL), 0);
	CHECK(d->duration >= 1000000000);
	decoded_free(d);
	tuza_chan_send(stop, NULL);
	tuza_recv(stop, NULL);
	tuza_chan_close(c);
	WAIT_UNTIL(__atomic_load_n(&kinds[0], __ATOMIC_RELAXED) == 50);
	stop_server(&s);
	WAIT_UNTIL(tuza_num_goroutine() == 1);
	tuza_chan_release(c);
	tuza_chan_release(stop);
}

TEST(nonsense_seconds_are_refused)
{
	static const char *const queries[] = {
		"seconds=0", "seconds=-1", "seconds=x", "seconds=99999999", "seconds=1&debug=1"};
	struct server s = start_server(NULL);

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		char path[100], *body, *head;

		snprintf(path, sizeof(path), "/debug/pprof/goroutine?%s", queries[i]);
		head = get_page(&s, path, &body);
		CHECK(strncmp(head, "HTTP/1.0 400 Bad Request\r\n", 26) == 0);
		CHECK_CONTAINS(head, "\r\nX-Go-Pprof: 1\r\n");
		free(head);
	}
	stop_server(&s);
}

TEST(symbols_are_told)
{
	struct server s = start_server(NULL);
	char path[200];

	snprintf(
		path, sizeof(path), "/debug/pprof/symbol?%p+0x12", (void *)(uintptr_t)start_server);
	check_page(&s, path, "text/plain", " start_server\n");
	stop_server(&s);
}

static void check_refused(const struct server *s, const char *request, const char *status)
{
	size_t n;
	char *text = ask("tcp", s->address, request, &n);

	CHECK_CONTAINS(text, status);
	CHECK(strncmp(text, "HTTP/1.0 ", 9) == 0);
	free(text);
}

TEST(nonsense_is_refused)
{
	struct server s = start_server(NULL);
	char *text, *body;

	check_refused(&s, "POST /debug/pprof/ HTTP/1.1\r\n\r\n", "HTTP/1.0 405 ");
	check_refused(&s, "POST /debug/pprof/ HTTP/1.1\r\n\r\n", "\r\nAllow: GET\r\n");
	check_refused(&s, "GET\r\n\r\n", "HTTP/1.0 400 ");
	check_refused(&s, "GET /metrics\r\n\r\n", "HTTP/1.0 400 ");
	check_refused(&s, "\r\n\r\n", "HTTP/1.0 400 ");
	check_refused(&s, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.0 404 ");
	check_refused(&s, "GET /debug/pprof/nothing HTTP/1.1\r\n\r\n", "\r\nX-Go-Pprof: 1\r\n");
	check_refused(&s, "GET /debug/pprof/nothing HTTP/1.1\r\n\r\n", "Unknown profile\n");
	text = malloc(20001);
	memset(text, 'a', 20000);
	text[20000] = 0;
	memcpy(text, "GET /", 5);
	check_refused(&s, text, "HTTP/1.0 431 ");
	free(text);
	text = get_page(&s, "/nothing", &body);
	CHECK_STR(body, "404 page not found\n");
	free(text);
	stop_server(&s);
}

TEST(other_hosts_names_are_refused)
{
	struct server s = start_server(NULL);
	tuza_debug_options anywhere = {.anywhere = true};

	check_refused(&s, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", " 403 ");
	check_refused(&s, "GET /metrics HTTP/1.1\r\nhost:127.0.0.1.evil.example\r\n\r\n", " 403 ");
	check_refused(
		&s, "GET /metrics HTTP/1.1\r\nHost: localhost.evil.example:80\r\n\r\n", " 403 ");
	check_refused(
		&s, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", " 403 ");
	check_refused(&s, "GET /metrics HTTP/1.1\r\nHost: localhost:6060\r\n\r\n", " 200 ");
	check_refused(&s, "GET /metrics HTTP/1.1\r\nHost: [::1]:6060\r\n\r\n", " 200 ");
	check_refused(&s, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", " 200 ");
	check_refused(&s, "GET /metrics HTTP/1.0\r\n\r\n", " 200 ");
	stop_server(&s);
	s = start_server(&anywhere);
	check_refused(&s, "GET /metrics HTTP/1.1\r\nHost: debug.example\r\n\r\n", " 200 ");
	stop_server(&s);
}

TEST(pages_of_other_sites_may_lead_here_but_not_ask)
{
	struct server s = start_server(NULL);

	check_refused(&s, "GET /metrics HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n\r\n", " 403 ");
	check_refused(&s,
		"GET /metrics HTTP/1.1\r\nsec-fetch-mode: no-cors\r\n"
		"sec-fetch-site:same-site\r\n\r\n",
		" 403 ");
	check_refused(&s,
		"GET /debug/ HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n"
		"Sec-Fetch-Mode: navigate\r\n\r\n",
		" 200 ");
	check_refused(&s, "GET /metrics HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\n\r\n", " 200 ");
	check_refused(&s, "GET /metrics HTTP/1.1\r\nSec-Fetch-Site: none\r\n\r\n", " 200 ");
	stop_server(&s);
}

TEST(addresses_of_others_are_refused)
{
	tuza_debug_options anywhere = {.anywhere = true};
	tuza_listener *l = (tuza_listener *)(uintptr_t)1;

	CHECK_EQ(tuza_debug_serve_with("0.0.0.0:0", NULL, &l), -EACCES);
	CHECK(l == NULL);
	CHECK_EQ(tuza_debug_serve(":0"), -EACCES);
	CHECK(tuza_debug_serve("nonsense") < 0);
	CHECK_EQ(tuza_debug_serve_with("0.0.0.0:0", &anywhere, &l), 0);
	tuza_listener_close(l);
}

TEST(unix_socket_is_served)
{
	char address[100];
	tuza_listener *l;
	size_t n;
	char *text;

	snprintf(address, sizeof(address), "@tuza-debug-serve-test-%d", getpid());
	CHECK_EQ(tuza_debug_serve_with(address, NULL, &l), 0);
	text = ask("unix", address, "GET /metrics HTTP/1.1\r\nHost: debug\r\n\r\n", &n);
	CHECK_CONTAINS(text, "HTTP/1.0 200 OK\r\n");
	CHECK_CONTAINS(text, "tuza_sched_goroutines_goroutines");
	free(text);
	tuza_listener_close(l);
}

static void asks_often(const char *address, tuza_waitgroup *wg)
{
	char request[300];

	snprintf(request, sizeof(request),
		"GET /debug/pprof/goroutine HTTP/1.1\r\nHost: %s\r\n\r\n", address);
	for (int i = 0; i < 10; i++) {
		size_t n;
		char *text = ask("tcp", address, request, &n);

		CHECK(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0);
		free(text);
	}
	tuza_waitgroup_done(wg);
}

TEST(many_may_ask_at_a_time)
{
	struct server s = start_server(NULL);
	tuza_waitgroup wg = {0};

	tuza_waitgroup_add(&wg, 8);
	for (int i = 0; i < 8; i++)
		go(asks_often, (const char *)s.address, &wg);
	tuza_waitgroup_wait(&wg);
	stop_server(&s);
}
