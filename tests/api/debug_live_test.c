// SPDX-License-Identifier: MIT
// The live page, and the state that it asks for.
#include "debug_live_support.h"

#include "alone.h"

#include <tuza/go.h>
#include <tuza/sync.h>

#define KEEP __attribute__((noinline))

static _Atomic int sink;

KEEP static void waits_in_a_group(tuza_chan *c, tuza_waitgroup *wg)
{
	tuza_recv(c, NULL);
	tuza_waitgroup_done(wg);
}

// Waits `depth` calls deep: each depth is a place of its own.
KEEP static void waits_deep(tuza_chan *c, int depth)
{
	if (depth == 0)
		tuza_recv(c, NULL);
	else
		waits_deep(c, depth - 1);
	atomic_fetch_add_explicit(&sink, 1, memory_order_relaxed); // the call above is not the last
}

static void waits_at_depth(tuza_chan *c, int depth, tuza_waitgroup *wg)
{
	waits_deep(c, depth);
	tuza_waitgroup_done(wg);
}

static char *get_state(const struct server *s, char **state)
{
	char *text;

	tuza_sleep(110 * TUZA_MILLISECOND); // a look is kept for a tenth of a second
	text = get(s, "/debug/state.json", state);
	CHECK(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0);
	CHECK_CONTAINS(text, "Content-Type: application/json");
	CHECK(json_is_valid(*state));
	return text;
}

// The group whose innermost frame of the program is this function's; NULL: there is none.
static const char *group_at(const char *state, const char *function)
{
	const char *groups = json_member(json_member(state, "look"), "groups"), *g, *frame;
	char wanted[200];

	snprintf(wanted, sizeof(wanted), "[\"%s\",", function);
	for (int i = 0; (g = json_element(groups, i)); i++)
		for (int k = 0;
			(frame = json_element(json_member(json_member(g, "stack"), "frames"), k));
			k++)
			if (strncmp(frame, wanted, strlen(wanted)) == 0)
				return g;
	return NULL;
}

TEST(page_is_one_document_that_fetches_nothing_from_elsewhere)
{
	struct server s = start_server();
	char *body, *head = get(&s, "/debug/", &body), nonce[100], *at;

	CHECK_CONTAINS(head, "Content-Type: text/html");
	CHECK_CONTAINS(head, "\r\nContent-Security-Policy: default-src 'none';");
	CHECK_CONTAINS(head, "\r\nX-Content-Type-Options: nosniff");
	at = strstr(head, "script-src 'nonce-");
	if (CHECK(at != NULL)) {
		snprintf(nonce, sizeof(nonce), "<script nonce=\"%.32s\">", at + 18);
		CHECK_CONTAINS(body, nonce);
		CHECK(strspn(at + 18, "0123456789abcdef") == 32);
	}
	CHECK(strstr(body, "://") == NULL);
	CHECK(strstr(body, " src=") == NULL);
	CHECK(strstr(body, "innerHTML") == NULL);
	CHECK(strstr(body, "@STYLE@") == NULL && strstr(body, "@SCRIPT@") == NULL);
	CHECK_CONTAINS(body, "</html>");
	CHECK(strlen(body) < 48 << 10);
	free(head);
	stop_server(&s);
}

TEST(goroutines_are_grouped_by_where_they_wait)
{
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_waitgroup wg = {0};
	const char *g, *look;
	char *state, *text;
	tuza_statistics stats;

	tuza_waitgroup_add(&wg, 40);
	for (int i = 0; i < 40; i++)
		go(waits_in_a_group, c, &wg);
	// No look before: those that begin to wait seconds after the others are suspect.
	WAIT_UNTIL((tuza_stats(&stats), stats.waiting >= 40));
	wait_parked("chan receive", 40);
	text = get_state(&s, &state);
	g = group_at(state, "waits_in_a_group");
	if (CHECK(g != NULL)) {
		CHECK_EQ(json_number(g, "count"), 40);
		CHECK_EQ(json_number(g, "waiting"), 40);
		CHECK(json_is(g, "reason", "chan receive"));
		CHECK(json_is(g, "suspect", ""));
		CHECK_CONTAINS(json_member(json_member(g, "stack"), "creator"),
			"[\"goroutines_are_grouped_by_where_they_wait\",");
	}
	look = json_member(state, "look");
	CHECK(json_number(look, "goroutines") >= 42);
	CHECK_EQ(json_number(look, "groups_left_out"), 0);
	CHECK_EQ(json_number(json_member(state, "stats"), "goroutines"),
		json_number(look, "goroutines"));
	CHECK_EQ(json_number(state, "pid"), getpid());
	CHECK(json_number(state, "resident_bytes") > 0);
	free(text);
	tuza_chan_close(c);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(c);
	stop_server(&s);
}

// How many wait at this depth: told by the number of frames.
static long long count_at_depth(const char *state, int depth)
{
	const char *groups = json_member(json_member(state, "look"), "groups"), *g, *frame;
	long long count = 0;

	for (int i = 0; (g = json_element(groups, i)); i++) {
		const char *frames = json_member(json_member(g, "stack"), "frames");
		int calls = 0;

		for (int k = 0; (frame = json_element(frames, k)); k++)
			calls += strncmp(frame, "[\"waits_deep\",", 14) == 0;
		if (calls == depth + 1)
			count += json_number(g, "count");
	}
	return count;
}

// What is known of stacks from the first look must not mix them up in the next ones.
TEST(places_are_told_apart_in_every_look)
{
	enum { DEPTHS = 12 };
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_waitgroup wg = {0};
	int all = 0;

	for (int look = 0; look < 3; look++) {
		char *state, *text;

		for (int depth = 0; depth < DEPTHS; depth++)
			for (int i = 0; i <= depth; i++, all++) {
				tuza_waitgroup_add(&wg, 1);
				go(waits_at_depth, c, depth, &wg);
			}
		wait_parked("chan receive", all);
		text = get_state(&s, &state);
		for (int depth = 0; depth < DEPTHS; depth++)
			CHECK_EQ(count_at_depth(state, depth), (look + 1) * (depth + 1));
		free(text);
	}
	tuza_chan_close(c);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(c);
	stop_server(&s);
}

TEST(what_is_too_much_is_left_out_and_said)
{
	enum { DEPTHS = 260 };
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_waitgroup wg = {0};
	const char *look, *groups;
	char *state, *text;
	int shown = 0;

	tuza_waitgroup_add(&wg, DEPTHS);
	for (int depth = 0; depth < DEPTHS; depth++)
		go(waits_at_depth, c, depth, &wg);
	wait_parked("chan receive", DEPTHS);
	text = get_state(&s, &state);
	look = json_member(state, "look");
	groups = json_member(look, "groups");
	while (json_element(groups, shown))
		shown++;
	CHECK_EQ(shown, 200);
	CHECK(json_number(look, "groups_left_out") >= 62);
	CHECK(json_number(look, "goroutines_left_out") >= 62);
	CHECK(strstr(state, "\"frames_left_out\":1") != NULL);
	CHECK(strlen(state) < 2 << 20);
	free(text);
	tuza_chan_close(c);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(c);
	stop_server(&s);
}

static void waits_for_ever(void) { tuza_recv(NULL, NULL); }

enum { LEAKED = 9 };
static _Atomic uintptr_t hidden[LEAKED]; // their channels, as no pointer looks

// Nobody else has the channel, as far as a scan can see.
static void waits_in_vain(int i)
{
	tuza_chan *c = tuza_chan_new(0, 0);

	hidden[i] = ~(uintptr_t)c;
	tuza_recv(c, NULL);
	tuza_chan_release(c);
}

static void waits_evilly(tuza_chan *c)
{
	tuza_set_name("</script><script>alert(1)</script>\"\\\x01\xff");
	tuza_set_label("k<", "<img src=x onerror=alert(2)>\xc3(");
	waits_deep(c, 0);
}

static int nil_channel_comes_first(void *arg)
{
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	const char *first;
	char *state, *text;

	(void)arg;
	for (int i = 0; i < 20; i++)
		go(waits_evilly, c);
	go(waits_for_ever);
	wait_parked("chan receive", 20);
	wait_parked("chan receive (nil chan)", 1);
	tuza_sleep(TUZA_SECOND); // then it is suspected
	text = get_state(&s, &state);
	first = json_element(json_member(json_member(state, "look"), "groups"), 0);
	CHECK(json_is(first, "suspect", "never"));
	CHECK(json_is(first, "reason", "chan receive (nil chan)"));
	CHECK_EQ(json_number(first, "count"), 1);
	free(text);
	tuza_chan_close(c);
	tuza_chan_release(c);
	stop_server(&s);
	WAIT_UNTIL(tuza_num_goroutine() <= 2); // the server's connections have ended
	return 0;
}

// In a run of its own, at whose end who waits for ever is dropped.
TEST_PLAIN(what_waits_on_a_nil_channel_comes_first)
{
	CHECK_EQ(tuza_run(nil_channel_comes_first, NULL), 0);
}

TEST(names_and_labels_are_text_whatever_they_hold)
{
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	char *state, *text, path[100];
	const char *g;

	go(waits_evilly, c);
	wait_parked("chan receive", 1);
	text = get_state(&s, &state);
	g = group_at(state, "waits_deep");
	if (!CHECK(g != NULL))
		return;
	CHECK(json_is(g, "name",
		"\\u003c/script>\\u003cscript>alert(1)\\u003c/"
		"script>\\u0022\\u005c\\u0001\\ufffd"));
	CHECK_CONTAINS(g, "\\u003cimg src=x onerror=alert(2)>");
	snprintf(path, sizeof(path), "/debug/goroutines.json?group=%.18s",
		json_member(g, "id") ? json_member(g, "id") + 1 : "");
	free(text);
	text = get(&s, path, &state);
	CHECK(json_is_valid(state));
	CHECK_EQ(json_number(state, "count"), 1);
	CHECK(json_is(json_element(json_member(state, "goroutines"), 0), "state", "waiting"));
	free(text);
	tuza_chan_close(c);
	tuza_chan_release(c);
	stop_server(&s);
}

TEST(single_goroutine_is_shown_with_its_stack)
{
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	tuza_waitgroup wg = {0};
	char *state, *text, path[100];
	long long id;

	tuza_waitgroup_add(&wg, 3);
	for (int i = 0; i < 3; i++)
		go(waits_at_depth, c, 4, &wg);
	wait_parked("chan receive", 3);
	text = get_state(&s, &state);
	id = atoll(json_element(json_member(group_at(state, "waits_deep"), "examples"), 0));
	free(text);
	snprintf(path, sizeof(path), "/debug/goroutine?id=%lld", id);
	text = get(&s, path, &state);
	CHECK(strncmp(state, "goroutine ", 10) == 0 && atoll(state + 10) == id);
	CHECK_CONTAINS(state, "[chan receive]:\n");
	CHECK_CONTAINS(state, "\nwaits_at_depth(...)\n");
	CHECK_CONTAINS(state, "\ncreated by single_goroutine_is_shown_with_its_stack in goroutine");
	free(text);
	text = get(&s, "/debug/goroutine?id=123456789", &state);
	CHECK(strncmp(text, "HTTP/1.0 404 ", 13) == 0);
	free(text);
	text = get(&s, "/debug/goroutines.json?group=nonsense", &state);
	CHECK(json_is_valid(state));
	CHECK_EQ(json_number(state, "count"), 0);
	free(text);
	tuza_chan_close(c);
	tuza_waitgroup_wait(&wg);
	tuza_chan_release(c);
	stop_server(&s);
}

TEST(processors_are_watched_for_as_long_as_asked)
{
	struct server s = start_server();
	char *state, *text = get(&s, "/debug/state.json?ms=200", &state);
	const char *p = json_element(json_member(state, "processors"), 0), *samples;

	CHECK(json_is_valid(state));
	CHECK(json_number(state, "window_ns") >= 50000000);
	samples = json_member(p, "samples");
	if (CHECK(samples != NULL))
		CHECK(strspn(samples + 1, "0123") >= 2);
	CHECK_EQ(json_number(state, "processors_left_out"), 0);
	CHECK_CONTAINS(json_member(state, "pages"), "\"/debug/pprof/goroutine\"");
	free(text);
	stop_server(&s);
}

TEST(scan_marks_what_is_leaked)
{
	struct server s = start_server();
	tuza_chan *c = tuza_chan_new(0, 0);
	bool sees_heap = !TEST_SANITIZED && !test_is_on_valgrind() && !getenv("TUZA_TEST_EMULATOR");
	char *state, *text;
	const char *first;
	long long leaked;

	for (int i = 0; i < LEAKED; i++)
		go(waits_in_vain, i);
	go(waits_deep, c, 0);
	wait_parked("chan receive", LEAKED + 1);
	text = get(&s, "/debug/leaks.json", &state);
	CHECK(json_is_valid(state));
	leaked = json_number(state, "leaked");
	// A pointer left somewhere may hide a few; where malloc's blocks are not known, all.
	CHECK(leaked >= (sees_heap ? 5 : 0));
	CHECK(leaked <= LEAKED);
	free(text);
	text = get_state(&s, &state);
	first = json_element(json_member(json_member(state, "look"), "groups"), 0);
	if (leaked > 0) {
		CHECK(json_is(first, "suspect", "leaked"));
		CHECK_EQ(json_number(first, "count"), LEAKED);
		CHECK_EQ(json_number(first, "leaked"), leaked);
	}
	CHECK(json_is(group_at(state, "waits_deep"), "suspect", ""));
	free(text);
	tuza_chan_close(c);
	tuza_chan_release(c);
	for (int i = 0; i < LEAKED; i++)
		tuza_chan_close((tuza_chan *)~hidden[i]);
	stop_server(&s);
}

static void comes_and_goes(_Atomic bool *end, tuza_waitgroup *wg)
{
	while (!*end)
		tuza_sleep(100 * TUZA_MICROSECOND);
	tuza_waitgroup_done(wg);
}

static void asks_often(const struct server *s, tuza_waitgroup *wg)
{
	static const char *const paths[] = {"/debug/state.json?ms=30", "/debug/state.json",
		"/debug/goroutines.json?group=0x12", "/debug/"};

	for (int i = 0; i < 12; i++) {
		char *body, *text = get(s, paths[i % 4], &body);

		CHECK(strncmp(text, "HTTP/1.0 200 OK\r\n", 17) == 0);
		CHECK(i % 4 == 3 || json_is_valid(body));
		free(text);
	}
	tuza_waitgroup_done(wg);
}

TEST(many_may_ask_while_goroutines_come_and_go)
{
	static _Atomic bool end;
	struct server s = start_server();
	const struct server *server = &s;
	tuza_waitgroup workers = {0}, askers = {0};
	_Atomic bool *ends = &end;

	*ends = false;
	tuza_waitgroup_add(&workers, 50);
	for (int i = 0; i < 50; i++)
		go(comes_and_goes, ends, &workers);
	int n = test_is_on_valgrind() ? 4 : 12; // each asks for a fifth of a second there

	tuza_waitgroup_add(&askers, n);
	for (int i = 0; i < n; i++)
		go(asks_often, server, &askers);
	tuza_waitgroup_wait(&askers);
	*ends = true;
	tuza_waitgroup_wait(&workers);
	stop_server(&s);
}
