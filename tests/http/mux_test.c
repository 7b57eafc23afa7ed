// SPDX-License-Identifier: MIT
/*
 * Which pattern a request finds. The rules are those of Go 1.22's ServeMux; Go's net/http,
 * pattern_test.go and routing_tree_test.go, look at the same questions.
 */
#include "http_support.h"

// Writes the pattern and the wildcards named in `arg`.
static void show(tuza_http_writer *w, tuza_http_request *r, void *arg)
{
	const char *names = arg;

	tuza_http_printf(w, "%s", tuza_http_pattern(r));
	for (; *names; names++) {
		char name[2] = {*names, '\0'};
		tuza_http_printf(w, " %s=%s", name, tuza_http_path_value(r, name));
	}
}

// The answer's status, its Location or Allow in brackets, and its body.
static const char *ask(tuza_http_server *server, const char *method, const char *target,
	const char *host, struct answer *a)
{
	static char text[1024];
	char request[1024], extra[512] = "";
	const char *body, *line;

	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, target,
		host);
	answer_to(server, request, strlen(request), sizeof request, a);
	body = strstr(a->bytes, "\r\n\r\n");
	if ((line = strstr(a->bytes, "\r\nLocation: ")) || (line = strstr(a->bytes, "\r\nAllow: ")))
		sscanf(strchr(line + 2, ':') + 2, "%511[^\r]", extra);
	snprintf(text, sizeof text, "%.3s%s%s%s%s%s", a->bytes + 9, *extra ? " [" : "", extra,
		*extra ? "]" : "", strncmp(a->bytes + 9, "200", 3) ? "" : " ",
		strncmp(a->bytes + 9, "200", 3) || !body ? "" : body + 4);
	return text;
}

static const struct registered {
	const char *pattern, *names;
} registered[] = {
	{"/", ""},
	{"GET /items/{i}", "i"},
	{"POST /items/{i}", "i"},
	{"GET /items/new", ""},
	{"/items/{i}/parts/{p}", "ip"},
	{"/files/{f...}", "f"},
	{"/posts/{$}", ""},
	{"/posts/{p}/edit", "p"},
	{"/posts/latest/{x}/y", "x"},
	{"/static/", ""},
	{"/static/deep/", ""},
	{"GET /only", ""},
	{"PUT /only", ""},
	{"DELETE /gone/{g}", "g"},
	{"HEAD /heads", ""},
	{"/a%2Fb/c", ""},
	{"/x%20y", ""},
	{"/tree/", ""},
	{"/both", ""},
	{"/both/", ""},
	{"example.org/", ""},
	{"example.org/items/{h}", "h"},
	{"GET other.org/one", ""},
	{"/deep/{a}/{b}/{c}/{d}/end", "abcd"},
};

static const struct asked {
	const char *method, *target, *host, *found;
} asked[] = {
	{"GET", "/", "a", "200 /"},
	{"GET", "/unknown/path", "a", "200 /"},
	// the more specific one
	{"GET", "/items/7", "a", "200 GET /items/{i} i=7"},
	{"POST", "/items/7", "a", "200 POST /items/{i} i=7"},
	{"GET", "/items/new", "a", "200 GET /items/new"},
	{"POST", "/items/new", "a", "200 POST /items/{i} i=new"},
	{"PUT", "/items/new", "a", "200 /"},
	{"GET", "/items/7/parts/9", "a", "200 /items/{i}/parts/{p} i=7 p=9"},
	{"GET", "/items/new/parts/9", "a", "200 /items/{i}/parts/{p} i=new p=9"},
	{"GET", "/items/7/parts/", "a", "200 /"},
	{"GET", "/items/", "a", "200 /"},
	{"GET", "/deep/1/2/3/4/end", "a", "200 /deep/{a}/{b}/{c}/{d}/end a=1 b=2 c=3 d=4"},
	// the rest
	{"GET", "/files/", "a", "200 /files/{f...} f="},
	{"GET", "/files/a/b.txt", "a", "200 /files/{f...} f=a/b.txt"},
	{"GET", "/files/a/", "a", "200 /files/{f...} f=a/"},
	{"GET", "/static/deeper", "a", "200 /static/"},
	{"GET", "/static/deep/x", "a", "200 /static/deep/"},
	// {$}
	{"GET", "/posts/", "a", "200 /posts/{$}"},
	{"GET", "/posts/1", "a", "200 /"},
	{"GET", "/posts/1/edit", "a", "200 /posts/{p}/edit p=1"},
	{"GET", "/posts/latest/a/y", "a", "200 /posts/latest/{x}/y x=a"},
	{"GET", "/posts/latest/edit", "a", "200 /posts/{p}/edit p=latest"},
	// encoded
	{"GET", "/items/a%20b", "a", "200 GET /items/{i} i=a b"},
	{"GET", "/items/a%2Fb", "a", "200 GET /items/{i} i=a/b"},
	{"GET", "/items/%6Eew", "a", "200 GET /items/new"},
	{"GET", "/items/100%", "a", "200 GET /items/{i} i=100%"},
	{"GET", "/items/%zz", "a", "200 GET /items/{i} i=%zz"},
	{"GET", "/a%2fb/c", "a", "200 /a%2Fb/c"},
	{"GET", "/a/b/c", "a", "200 /"},
	{"GET", "/files/a%2Fb/c%20d", "a", "200 /files/{f...} f=a/b/c d"},
	{"GET", "/items/7?new", "a", "200 GET /items/{i} i=7"},
	// hosts
	{"GET", "/x", "example.org", "200 example.org/"},
	{"GET", "/items/7", "example.org", "200 example.org/items/{h} h=7"},
	{"GET", "/items/7", "example.org:8080", "200 example.org/items/{h} h=7"},
	{"GET", "/one", "other.org", "200 GET other.org/one"},
	{"GET", "/two", "other.org", "200 /"},
	{"GET", "/one", "[::1]:80", "200 /"},
	// clean paths
	{"GET", "//items/7", "a", "307 [/items/7]"},
	{"GET", "/items/./7", "a", "307 [/items/7]"},
	{"GET", "/items/x/../7", "a", "307 [/items/7]"},
	{"GET", "/items/7/..", "a", "307 [/items]"},
	{"GET", "/../../items/7?a=b&c", "a", "307 [/items/7?a=b&c]"},
	{"GET", "/static//deep/?q", "a", "307 [/static/deep/?q]"},
	{"GET", "//evil.example/", "a", "307 [/evil.example/]"},
	{"GET", "/..", "a", "307 [/]"},
	{"GET", "/items/..7", "a", "200 GET /items/{i} i=..7"},
	{"GET", "/items/%2e%2e", "a", "200 GET /items/{i} i=.."},
	// "/tree" is "/tree/" unless it is something itself
	{"GET", "/tree", "a", "307 [/tree/]"},
	{"GET", "/tree?q=1", "a", "307 [/tree/?q=1]"},
	{"GET", "/both", "a", "200 /both"},
	{"GET", "/both/", "a", "200 /both/"},
	{"GET", "/posts", "a", "307 [/posts/]"},
	{"GET", "/files", "a", "307 [/files/]"},
	{"OPTIONS", "*", "a", "200 "},
};

static void check_all(tuza_http_mux *mux, const struct asked *asked_, size_t count)
{
	struct answer *a = malloc(sizeof *a);
	tuza_http_server *server = tuza_http_server_new(
		&(tuza_http_server_options){.handler = tuza_http_mux_serve, .arg = mux});

	for (size_t i = 0; i < count; i++) {
		const struct asked *q = &asked_[i];
		if (!CHECK_STR(ask(server, q->method, q->target, q->host, a), q->found))
			printf("  asked: %s %s, %s\n", q->method, q->target, q->host);
	}
	tuza_http_server_free(server);
	free(a);
}

TEST(requests_find_the_most_specific_pattern)
{
	tuza_http_mux *mux = tuza_http_mux_new();

	for (size_t i = 0; i < sizeof registered / sizeof *registered; i++)
		tuza_http_handle(
			mux, registered[i].pattern, show, (void *)(uintptr_t)registered[i].names);
	check_all(mux, asked, sizeof asked / sizeof *asked);
	tuza_http_mux_free(mux);
}

// 404 and 405, where no pattern is for everything.
TEST(without_a_pattern_it_is_404_or_405_with_allow)
{
	static const struct asked without[] = {
		{"GET", "/", "a", "404"},
		{"GET", "/nothing", "a", "404"},
		{"GET", "/only", "a", "200 GET /only"},
		{"HEAD", "/only", "a", "200 "},
		{"PUT", "/only", "a", "200 PUT /only"},
		{"POST", "/only", "a", "405 [GET, HEAD, PUT]"},
		{"GET", "/gone/1", "a", "405 [DELETE]"},
		{"GET", "/gone", "a", "404"},
		{"GET", "/heads", "a", "405 [HEAD]"},
		{"HEAD", "/heads", "a", "200 "},
		{"PUT", "/one", "other.org", "405 [GET, HEAD]"},
		{"PUT", "/one", "a", "404"},
		{"GET", "/x%20y", "a", "200 /x%20y"},
		{"POST", "//only", "a", "307 [/only]"},
	};
	tuza_http_mux *mux = tuza_http_mux_new();

	tuza_http_handle(mux, "GET /only", show, "");
	tuza_http_handle(mux, "PUT /only", show, "");
	tuza_http_handle(mux, "DELETE /gone/{g}", show, "");
	tuza_http_handle(mux, "HEAD /heads", show, "");
	tuza_http_handle(mux, "GET other.org/one", show, "");
	tuza_http_handle(mux, "/x%20y", show, "");
	check_all(mux, without, sizeof without / sizeof *without);
	tuza_http_mux_free(mux);
}

// What comes with any of the allowed methods is answered: by a pattern of the host, of all hosts,
// or by a redirect to the path with a '/'.
TEST(allow_has_every_method_that_would_have_been_answered_once_and_sorted)
{
	static const struct asked without[] = {
		{"PATCH", "/p", "h.org", "405 [DELETE, GET, HEAD, POST]"},
		{"PATCH", "/p", "h.org:80", "405 [DELETE, GET, HEAD, POST]"},
		{"PATCH", "/p", "a", "405 [DELETE, POST]"},
		{"PATCH", "/both", "a", "405 [GET, HEAD, PUT]"},
		{"PATCH", "/both/", "a", "405 [GET, HEAD]"},
		{"GET", "/both", "a", "307 [/both/]"},
		{"HEAD", "/both", "a", "307 [/both/]"},
		{"POST", "/tree", "a", "405 [PUT]"},
		{"PUT", "/tree", "a", "307 [/tree/]"},
		{"POST", "/rest", "a", "405 [PUT]"},
		{"PUT", "/rest", "a", "307 [/rest/]"},
		{"POST", "/tree/x", "a", "405 [PUT]"},
		{"POST", "/", "a", "404"},
	};
	static const char *const patterns[] = {"GET h.org/{x}", "POST h.org/p", "POST /p",
		"DELETE /p", "PUT /both", "GET /both/{$}", "HEAD /both/{$}", "PUT /tree/",
		"PUT /rest/{r...}"};
	tuza_http_mux *mux = tuza_http_mux_new();

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		tuza_http_handle(mux, patterns[i], show, "");
	check_all(mux, without, sizeof without / sizeof *without);
	tuza_http_mux_free(mux);
}

// A rest takes what is below it only when nothing takes the path, or the path with a '/', itself.
TEST(a_path_is_redirected_to_its_tree_rather_than_taken_by_a_rest)
{
	static const struct asked with_rest[] = {
		{"GET", "/a", "a", "307 [/a/]"},
		{"GET", "/b/c", "a", "307 [/b/c/]"},
		{"GET", "/b/../a?q", "a", "307 [/a/?q]"},
		{"GET", "/b/c/", "a", "200 /b/{x}/{y...} x=c y="},
		{"GET", "/b/c/d", "a", "200 /b/{x}/{y...} x=c y=d"},
		{"GET", "/c/d", "a", "200 /{r...} r=c/d"},
		{"GET", "/", "a", "200 /{r...} r="},
	};
	tuza_http_mux *mux = tuza_http_mux_new();

	tuza_http_handle(mux, "/{r...}", show, "r");
	tuza_http_handle(mux, "/a/", show, "");
	tuza_http_handle(mux, "/b/{x}/{y...}", show, "xy");
	check_all(mux, with_rest, sizeof with_rest / sizeof *with_rest);
	tuza_http_mux_free(mux);
}

TEST(more_wildcards_than_usual_are_found)
{
	char pattern[512] = "", path[512] = "", want[1024];
	const char *names = "abcdefghijklmnopqrstuvwxyz";
	tuza_http_mux *mux = tuza_http_mux_new();

	snprintf(want, sizeof want, "200 ");
	for (const char *n = names; *n; n++) {
		sprintf(pattern + strlen(pattern), "/{%c}", *n);
		sprintf(path + strlen(path), "/%d", *n);
	}
	strcat(want, pattern);
	for (const char *n = names; *n; n++)
		sprintf(want + strlen(want), " %c=%d", *n, *n);
	tuza_http_handle(mux, pattern, show, (void *)(uintptr_t)names);
	check_all(mux, &(struct asked){"GET", path, "a", want}, 1);
	tuza_http_mux_free(mux);
}

// ---- registering -------------------------------------------------------------------------------

struct registering {
	tuza_http_mux *mux;
	const char *pattern;
};

static void register_now(void *arg)
{
	struct registering *r = arg;
	tuza_http_handle(r->mux, r->pattern, show, "");
}

TEST(wrong_patterns_panic)
{
	static const struct {
		const char *pattern, *what;
	} wrong[] = {
		{"", "parsing \"\": at offset 0: empty pattern"},
		{"A=B /", "parsing \"A=B /\": at offset 0: invalid method \"A=B\""},
		{" ", "parsing \" \": at offset 0: invalid method \"\""},
		{"GET", "parsing \"GET\": at offset 0: host/path missing /"},
		{"GET a", "parsing \"GET a\": at offset 4: host/path missing /"},
		{"{a}/b",
			"parsing \"{a}/b\": at offset 0: host contains '{' (missing initial '/'?)"},
		{"/{w}x",
			"parsing \"/{w}x\": at offset 1: bad wildcard segment (must end with '}')"},
		{"/x{w}", "parsing \"/x{w}\": at offset 1: bad wildcard segment (must start with "
			  "'{')"},
		{"/{wx", "parsing \"/{wx\": at offset 1: bad wildcard segment (must end with '}')"},
		{"/a/{}", "parsing \"/a/{}\": at offset 3: empty wildcard"},
		{"/{...}", "parsing \"/{...}\": at offset 1: empty wildcard"},
		{"/{a$}", "parsing \"/{a$}\": at offset 1: bad wildcard name \"a$\""},
		{"/{1a}", "parsing \"/{1a}\": at offset 1: bad wildcard name \"1a\""},
		{"/{$}/", "parsing \"/{$}/\": at offset 1: {$} not at end"},
		{"/{a...}/", "parsing \"/{a...}/\": at offset 1: {...} wildcard not at end"},
		{"/{a}/{a}", "parsing \"/{a}/{a}\": at offset 5: duplicate wildcard name \"a\""},
		{"/a%00b", "parsing \"/a%00b\": at offset 2: path with %00 can never match"},
		{"GET //", "parsing \"GET //\": at offset 4: non-CONNECT pattern with unclean path "
			   "can "
			   "never match"},
	};
	struct registering r = {tuza_http_mux_new(), NULL};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		r.pattern = wrong[i].pattern;
		CHECK_PANICS(wrong[i].what, register_now, &r);
	}
	tuza_http_mux_free(r.mux);
}

#define SAME "they match the same requests"
// Of the pattern that is registered second.
#define MORE "it matches more methods, but has a more specific path pattern"
#define FEWER "it matches fewer methods, but has a more general path pattern"
#define LIKE(path)                                                                                 \
	"both match some paths, like \"" path "\", but neither is more specific than the other"

TEST(conflicting_patterns_panic_and_others_do_not)
{
	static const struct {
		const char *a, *b, *why; // NULL: none
		const char *turned;      // NULL: the same
	} pairs[] = {
		{"/a", "/a", SAME, NULL},
		{"/{x}", "/{y}", SAME, NULL},
		{"/a/", "/a/{x...}", SAME, NULL},
		{"GET /{x}", "GET /{y}", SAME, NULL},
		{"/a/{x}", "/{y}/b", LIKE("/a/b"), NULL},
		{"GET /{x}", "/a", MORE, FEWER},
		{"GET /a/", "/a/b", MORE, FEWER},
		{"HEAD /{x}", "GET /a", MORE, FEWER},
		{"/{x}/b/", "/a/{y...}", LIKE("/a/b/"), NULL},
		{"/{x}/b/{$}", "/a/{y...}", LIKE("/a/b/"), NULL},
		{"GET /a/{x}", "/{y}/b", LIKE("/a/b"), NULL},
		{"/a/{x}/", "/{y}/b/{z}/d", LIKE("/a/b/z/d"), NULL},
		{"/a", "/b", NULL, NULL},
		{"/a", "/{x}", NULL, NULL},
		{"/a", "/a/", NULL, NULL},
		{"/a/{$}", "/a/", NULL, NULL},
		{"/a/{$}", "/a/{x}", NULL, NULL},
		{"GET /a", "POST /a", NULL, NULL},
		{"GET /a", "/a", NULL, NULL},
		{"GET /a", "HEAD /a", NULL, NULL},
		{"h/{x}/b", "/a/{y}", NULL, NULL},
		{"h/a", "g/a", NULL, NULL},
		{"POST /{x}", "GET /a", NULL, NULL},
		{"/{x}/{$}", "/{x}/{y}", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		for (int turned = 0; turned < 2; turned++) {
			const char *first = turned ? pairs[i].b : pairs[i].a;
			const char *second = turned ? pairs[i].a : pairs[i].b;
			struct registering r = {tuza_http_mux_new(), second};
			const char *why =
				turned && pairs[i].turned ? pairs[i].turned : pairs[i].why;
			char text[256];

			tuza_http_handle(r.mux, first, show, "");
			if (why) {
				snprintf(text, sizeof text,
					"pattern \"%s\" conflicts with pattern \"%s\": %s", second,
					first, why);
				CHECK_PANICS(text, register_now, &r);
			} else if (!CHECK_EQ(tuza_try(register_now, &r, NULL), 0)) {
				printf("  %s and %s\n", first, second);
			}
			tuza_http_mux_free(r.mux);
		}
}
