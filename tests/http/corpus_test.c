// SPDX-License-Identifier: MIT
// takes-long: servers are given their time not to answer
/*
 * The corpus of requests, on sockets: what tuza answers, and what nginx and haproxy do, where they
 * are installed. A difference has to have its reason in the corpus, and one has no excuse: that
 * tuza accepts what both others refuse. What each of them would hand on is seen by a server behind
 * them.
 */
#include "corpus.h"

#include <sys/stat.h>
#include <tuza/process.h>

static const int64_t PATIENCE = 4 * TUZA_SECOND; // of all servers, for what does not come
static const int64_t TOO_LONG = 25 * TUZA_SECOND;

static struct entry entries[CORPUS_MOST];
static size_t entry_count;

// ---- the client --------------------------------------------------------------------------------

struct question {
	const char *network, *address;
	const struct entry *entry;
	char words[WORDS_BYTES];
	tuza_waitgroup *asked;
};

// Sends the bytes at once and reads until the other side has closed the connection.
static void ask(struct question *q)
{
	enum { ROOM = 16384 };
	char *bytes = calloc(1, ROOM);
	size_t have = 0;
	tuza_conn *conn;
	ssize_t n = -1;

	if (CHECK_EQ(tuza_dial(tuza_context_background(), q->network, q->address, &conn), 0)) {
		tuza_conn_set_deadline(conn, tuza_now() + TOO_LONG);
		(void)!tuza_conn_write(conn, q->entry->bytes, q->entry->count);
		while ((n = tuza_conn_read(conn, bytes + have, ROOM - 1 - have)) > 0)
			have += (size_t)n;
		if (!CHECK(n != TUZA_EIOTIMEOUT))
			printf("  %s: %s does not end\n", q->address, q->entry->name);
		tuza_conn_close(conn);
	}
	describe_answers(bytes, bytes + have, q->words, sizeof q->words);
	free(bytes);
	tuza_waitgroup_done(q->asked);
}

// The answers of one server to all entries.
static struct question *ask_all(const char *network, const char *address)
{
	struct question *all = calloc(entry_count, sizeof *all);
	tuza_waitgroup asked = {0};

	for (size_t i = 0; i < entry_count; i++) {
		all[i] = (struct question){network, address, &entries[i], "", &asked};
		tuza_waitgroup_add(&asked, 1);
		TUZA_GO(ask, &all[i]);
	}
	tuza_waitgroup_wait(&asked);
	return all;
}

// ---- tuza --------------------------------------------------------------------------------------

static void tell_length(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	char bytes[4096], length[32];
	size_t all = 0;
	ssize_t n;

	(void)arg;
	while ((n = tuza_http_body_read(r, bytes, sizeof bytes)) > 0)
		all += (size_t)n;
	if (n < 0) {
		tuza_http_error(w, n == TUZA_EIOTIMEOUT ? 408 : 400, NULL);
		return;
	}
	snprintf(length, sizeof length, "%zu", all);
	tuza_http_set_header(w, "X-Body", length);
	tuza_http_set_header(w, "Content-Length", "0"); // for HEAD, too
}

static struct question *ask_tuza(void)
{
	struct site s;

	site_open(&s, &(tuza_http_server_options){
			      .handler = tell_length,
			      .read_header_timeout = PATIENCE,
			      .read_timeout = PATIENCE,
			      .idle_timeout = PATIENCE,
		      });
	struct question *answers = ask_all("tcp", s.address);
	site_close(&s);
	return answers;
}

static void read_corpus(void)
{
	entry_count = corpus_read(entries);
	CHECK(entry_count >= 80);
}

static void free_corpus(void)
{
	for (size_t i = 0; i < entry_count; i++)
		free(entries[i].bytes);
}

TEST(corpus_is_answered_as_it_says)
{
	read_corpus();
	struct question *answers = ask_tuza();
	for (size_t i = 0; i < entry_count; i++)
		if (!CHECK_STR(answers[i].words, entries[i].want))
			printf("  [%s]\n", entries[i].name);
	free(answers);
	free_corpus();
}

// In a header's value. The scan looks at several bytes at a time: the one may stand anywhere.
TEST(a_control_character_is_refused_wherever_it_stands)
{
	static const char bytes[] = {
		0, 1, 8, '\n', 11, '\r', 31, 127, '\t', ' ', '!', '~', -128, -1};
	enum { CONTROLS = 8, FIRST = 28, LENGTH = 20 };
	char request[] = "GET / HTTP/1.1\r\nHost: a\r\nX: - - - - - - - - - - -\r\n\r\n";
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server = tuza_http_server_new(&(tuza_http_server_options){.arg = NULL});

	for (size_t at = FIRST; at < FIRST + LENGTH; at++) {
		char kept = request[at];
		for (size_t i = 0; i < sizeof bytes; i++) {
			request[at] = bytes[i];
			answer_to(server, request, sizeof request - 1, sizeof request, a);
			if (!CHECK(strncmp(a->bytes, i < CONTROLS ? "HTTP/1.1 400" : "HTTP/1.1 404",
					   12) == 0))
				printf("  byte %d at %zu: %.12s\n", bytes[i], at, a->bytes);
		}
		request[at] = kept;
	}
	tuza_http_server_free(server);
	free(a);
}

// ---- the server behind the others ---------------------------------------------------------------

// Takes whatever it is sent, as long as it can tell where it ends: all judgement is the proxy's.
struct behind {
	tuza_conn *conn;
	char *bytes;
	size_t have, at;
};

enum { BEHIND_ROOM = 1 << 20 };

static bool more(struct behind *b)
{
	ssize_t n = tuza_conn_read(b->conn, b->bytes + b->have, BEHIND_ROOM - 1 - b->have);
	if (n > 0)
		b->have += (size_t)n;
	return n > 0;
}

// The next line, with a NUL for its end.
static char *line(struct behind *b)
{
	char *begin = b->bytes + b->at, *end;
	while (!(end = memmem(begin, b->have - b->at, "\r\n", 2)))
		if (!more(b))
			return NULL;
	*end = '\0';
	b->at = (size_t)(end + 2 - b->bytes);
	return begin;
}

static bool skip(struct behind *b, size_t count)
{
	while (b->have - b->at < count)
		if (!more(b))
			return false;
	b->at += count;
	return true;
}

// A header is read to its end, also past a NUL.
static bool read_head(struct behind *b, size_t *length, bool *chunked)
{
	char *l;
	while ((l = line(b)) && (*l || l + 2 != b->bytes + b->at)) {
		if (strncasecmp(l, "Content-Length:", 15) == 0)
			*length = strtoul(l + 15, NULL, 10);
		*chunked |= strncasecmp(l, "Transfer-Encoding:", 18) == 0;
	}
	return l != NULL;
}

static bool read_chunks(struct behind *b, size_t *length)
{
	char *l;
	size_t n = 1;
	for (*length = 0; n > 0; *length += n) {
		if (!(l = line(b)))
			return false;
		n = strtoul(l, NULL, 16);
		if (n > 0 && !skip(b, n + 2))
			return false;
	}
	while ((l = line(b)) && *l) // trailers
		;
	return l != NULL;
}

static void serve_proxy(tuza_conn *conn)
{
	struct behind b = {.conn = conn, .bytes = calloc(1, BEHIND_ROOM)};
	char text[128];
	size_t length = 0;
	bool chunked = false;

	tuza_conn_set_deadline(conn, tuza_now() + TOO_LONG);
	if (read_head(&b, &length, &chunked) &&
		(chunked ? read_chunks(&b, &length) : skip(&b, length))) {
		snprintf(text, sizeof text,
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Body: %zu\r\n"
			"Connection: close\r\n\r\n",
			length);
		(void)!tuza_conn_write(conn, text, strlen(text));
	}
	tuza_conn_close(conn);
	free(b.bytes);
}

static void serve_proxies(tuza_listener *l)
{
	tuza_conn *conn;

	while (tuza_accept(l, &conn) == 0)
		TUZA_GO(serve_proxy, conn);
}

// ---- the others --------------------------------------------------------------------------------

// "%s" is the folder with their sockets.
static const char nginx_settings[] =
	"daemon off; master_process off; pid %1$s/nginx.pid; error_log /dev/null;\n"
	"events { worker_connections 1024; }\n"
	"http {\n"
	"	access_log off;\n"
	"	client_body_temp_path %1$s/b; proxy_temp_path %1$s/p; fastcgi_temp_path %1$s/f;\n"
	"	uwsgi_temp_path %1$s/u; scgi_temp_path %1$s/s;\n"
	"	client_header_timeout 4s; client_body_timeout 4s; keepalive_timeout 4s;\n"
	"	server {\n"
	"		listen unix:%1$s/nginx.sock backlog=1000;\n"
	"		location / { proxy_pass http://unix:%1$s/behind.sock:; }\n"
	"	}\n"
	"}\n";
static const char haproxy_settings[] = "global\n"
				       "	maxconn 1000\n"
				       "	nbthread 1\n"
				       "defaults\n"
				       "	mode http\n"
				       "	timeout connect 20s\n"
				       "	timeout client 4s\n"
				       "	timeout server 8s\n"
				       "	timeout http-request 4s\n"
				       "	timeout http-keep-alive 4s\n"
				       "frontend front\n"
				       "	bind unix@%1$s/haproxy.sock backlog 1000\n"
				       "	default_backend behind\n"
				       "backend behind\n"
				       "	server behind unix@%1$s/behind.sock\n";

struct other {
	const char *name, *settings;
	const char *arguments[5]; // behind the settings' file
	tuza_process *process;
	char address[128];
	struct question *answers; // NULL: it is not there
};

static bool is_up(const char *address)
{
	tuza_conn *conn;

	if (tuza_dial(tuza_context_background(), "unix", address, &conn) != 0)
		return false;
	tuza_conn_close(conn);
	return true;
}

// False: it is not installed.
static bool other_start(struct other *o, const char *dir)
{
	char file[128], path[256];
	const char *argv[8] = {o->name};
	size_t n = 1;

	if (tuza_process_look_path(o->name, path, sizeof path) != 0) {
		snprintf(file, sizeof file, "/usr/sbin/%s", o->name);
		if (tuza_process_look_path(file, path, sizeof path) != 0)
			return false;
	}
	snprintf(file, sizeof file, "%s/%s.conf", dir, o->name);
	snprintf(o->address, sizeof o->address, "%s/%s.sock", dir, o->name);
	FILE *f = fopen(file, "we");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	fprintf(f, o->settings, dir);
#pragma GCC diagnostic pop
	fclose(f);
	for (size_t i = 0; o->arguments[i]; i++)
		argv[n++] = o->arguments[i];
	argv[n++] = file;
	tuza_process_options options = {.path = path, .err = tuza_process_inherit()};
	if (!CHECK_EQ(
		    tuza_process_start(tuza_context_background(), argv, &options, &o->process), 0))
		return false;
	return WAIT_UNTIL(is_up(o->address));
}

static void compare(struct other *o, int which, const struct question *tuza)
{
	for (size_t i = 0; i < entry_count; i++) {
		char ours[WORDS_BYTES], theirs[WORDS_BYTES];

		meaning_of(tuza[i].words, ours);
		meaning_of(o->answers[i].words, theirs);
		bool differs = strcmp(ours, theirs) != 0;
		if (differs && !CHECK(entries[i].may_differ[which]))
			printf("  [%s] tuza: %s; %s: %s\n", entries[i].name, tuza[i].words, o->name,
				o->answers[i].words);
		if (!differs && entries[i].may_differ[which])
			printf("  %s and tuza agree about [%s]\n", o->name, entries[i].name);
	}
}

static void check_that_we_are_not_alone(const struct question *tuza, const struct other *others)
{
	for (size_t i = 0; i < entry_count; i++) {
		char meaning[3][WORDS_BYTES];

		meaning_of(tuza[i].words, meaning[2]);
		for (int k = 0; k < 2; k++)
			meaning_of(others[k].answers[i].words, meaning[k]);
		if (!CHECK(meaning[2][0] == 'R' || meaning[0][0] == 'A' || meaning[1][0] == 'A'))
			printf("  [%s] only tuza accepts it\n", entries[i].name);
	}
}

static void ask_other(struct other *o, tuza_waitgroup *asked)
{
	o->answers = ask_all("unix", o->address);
	tuza_process_free(o->process);
	tuza_waitgroup_done(asked);
}

// All at once: much of it is waiting. Returns how many of the others are there.
static int ask_others(struct other *others, const char *dir)
{
	tuza_waitgroup asked = {0};
	int there = 0;

	for (int k = 0; k < 2; k++) {
		if (!other_start(&others[k], dir)) {
			printf("  no %s: not compared with it\n", others[k].name);
			continue;
		}
		there++;
		tuza_waitgroup_add(&asked, 1);
		TUZA_GO(ask_other, &others[k], &asked);
	}
	tuza_waitgroup_wait(&asked);
	return there;
}

static void compare_with_others(const char *dir)
{
	struct other others[2] = {
		{.name = "nginx", .settings = nginx_settings, .arguments = {"-c"}},
		{.name = "haproxy", .settings = haproxy_settings, .arguments = {"-db", "-f"}},
	};
	int there = ask_others(others, dir);

	if (there == 0) {
		SKIP("neither nginx nor haproxy is installed");
		return;
	}
	struct question *tuza = ask_tuza();
	for (int k = 0; k < 2; k++)
		if (others[k].answers)
			compare(&others[k], k, tuza);
	if (there == 2)
		check_that_we_are_not_alone(tuza, others);
	for (int k = 0; k < 2; k++)
		free(others[k].answers);
	free(tuza);
}

TEST(nginx_and_haproxy_do_not_both_refuse_what_tuza_accepts)
{
	char dir[] = "/tmp/tuza-corpus-XXXXXX", address[128];
	const char *processors = getenv("TUZA_MAXPROCS");
	tuza_listener *behind;

	if (TEST_SANITIZED || (processors && strcmp(processors, "1") == 0)) {
		SKIP("once is enough: the others are the same");
		return;
	}
	CHECK(mkdtemp(dir));
	snprintf(address, sizeof address, "%s/behind.sock", dir);
	CHECK_EQ(tuza_listen("unix", address, &behind), 0);
	TUZA_GO(serve_proxies, behind);
	read_corpus();
	compare_with_others(dir);
	free_corpus();
	tuza_listener_close(behind);
	CHECK_EQ(tuza_process_run(
			 tuza_context_background(), TUZA_ARGV("rm", "-rf", dir), NULL, NULL),
		0);
}
