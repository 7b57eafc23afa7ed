// SPDX-License-Identifier: MIT
/*
 * A head, complete and made of sound lines, taken apart. llhttp, in its strict mode, knows the
 * grammar: methods, targets, names, values. What it leaves open, or would let pass, is decided
 * here: whatever two readers could understand in two ways is refused (RFC 9112, sections 3, 6 and
 * 11.2).
 */
#include "http/head.h"

#include <llhttp.h>
#include <string.h>

// ---- llhttp ------------------------------------------------------------------------------------

struct parsing {
	struct head *head;
	const char *target;
	size_t target_length;
	bool in_value; // the last that came was a part of a value
	bool complete;
};

static int on_target(llhttp_t *llhttp, const char *at, size_t length)
{
	struct parsing *p = llhttp->data;
	if (!p->target)
		p->target = at;
	else if (at != p->target + p->target_length)
		return -1;
	p->target_length += length;
	return 0;
}

// Parts of one name or value lie side by side: all was given in one piece.
static int on_name(llhttp_t *llhttp, const char *at, size_t length)
{
	struct parsing *p = llhttp->data;
	struct head *h = p->head;
	struct field *f = h->count ? &h->fields[h->count - 1] : NULL;
	if (f && !p->in_value) {
		if (at != f->name + f->name_length)
			return -1;
		f->name_length += (uint32_t)length;
		return 0;
	}
	if (h->count == h->room || !h->fields)
		return -1;
	h->fields[h->count++] =
		(struct field){.name = at, .name_length = (uint32_t)length, .value = NULL};
	p->in_value = false;
	return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t length)
{
	struct parsing *p = llhttp->data;
	if (p->head->count == 0)
		return -1;
	struct field *f = &p->head->fields[p->head->count - 1];
	p->in_value = true;
	if (!f->value)
		f->value = at;
	else if (at != f->value + f->value_length)
		return -1;
	f->value_length += (uint32_t)length;
	return 0;
}

static int on_value_end(llhttp_t *llhttp)
{
	((struct parsing *)llhttp->data)->in_value = true;
	return 0;
}

static int on_complete(llhttp_t *llhttp)
{
	((struct parsing *)llhttp->data)->complete = true;
	return 1; // no body: that is read elsewhere
}

static const llhttp_settings_t settings = {
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_end,
	.on_headers_complete = on_complete,
};

static int run_llhttp(struct parsing *p, llhttp_t *llhttp, const char *bytes, size_t count)
{
	// llhttp has it const nowhere and does not write to it.
	llhttp_settings_t *constant = (llhttp_settings_t *)(uintptr_t)&settings;
	llhttp_init(llhttp, HTTP_REQUEST, constant);
	llhttp->data = p;
	if (llhttp_execute(llhttp, bytes, count) == HPE_INVALID_METHOD)
		return 501; // it is a word, only none that is known
	// What it says after the headers is about the body, of which nothing was given, or about an
	// Upgrade, which is not taken: framing is judged below.
	return p->complete ? 0 : 400;
}

// ---- the first line ----------------------------------------------------------------------------

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "METHOD target HTTP/1.1", with one space at each place and nothing else.
static int split_line(char *line, size_t count, char **method_end, char **target_end)
{
	char *end = memchr(line, '\r', count);
	*method_end = memchr(line, ' ', count);
	if (!end || !*method_end || *method_end > end ||
		!is_token(line, (size_t)(*method_end - line)))
		return 400;
	*target_end = memchr(*method_end + 1, ' ', (size_t)(end - *method_end - 1));
	const char *version = *target_end;
	if (!version || version == *method_end + 1 || end - version != 9 ||
		memcmp(version, " HTTP/", 6) != 0 || !is_digit(version[6]) || version[7] != '.' ||
		!is_digit(version[8]))
		return 400;
	return version[6] == '1' && version[8] <= '1' ? 0 : 505;
}

// "http://host/path?query" and the like. Splits off the host; *rest is what follows it.
static bool split_absolute(
	struct arena *arena, const char *target, const char **host, const char **rest)
{
	size_t scheme = 0;
	if (strncasecmp(target, "http://", 7) == 0)
		scheme = 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		scheme = 8;
	else
		return false;
	size_t length = strcspn(target + scheme, "/?");
	*host = arena_copy(arena, target + scheme, length);
	*rest = target + scheme + length;
	return *host && length > 0 && is_host(*host);
}

static int split_target(struct head *h, struct arena *arena, const char **authority)
{
	const char *target = h->target, *rest = target;
	if (strchr(target, '#'))
		return 400;
	if (strcmp(h->method, "CONNECT") == 0)
		return 501; // this is no proxy
	if (strcmp(target, "*") == 0) {
		h->path = target;
		h->query = "";
		return strcmp(h->method, "OPTIONS") == 0 ? 0 : 400;
	}
	if (*target != '/' && !split_absolute(arena, target, authority, &rest))
		return 400;
	const char *question = strchr(rest, '?');
	h->query = question ? question + 1 : "";
	size_t length = question ? (size_t)(question - rest) : strlen(rest);
	if (length == 0)
		h->path = "/";
	else
		h->path = question ? arena_copy(arena, rest, length) : rest;
	if (!h->path)
		return 503;
	// It would end a C string early.
	return strchr(h->path, '%') && strstr(h->path, "%00") ? 400 : 0;
}

// ---- headers -----------------------------------------------------------------------------------

#define IS(f, text) same_word((f)->name, (f)->name_length, text, sizeof(text) - 1)

const struct field *head_find(const struct head *h, const char *name, size_t name_length)
{
	for (size_t i = 0; i < h->count; i++)
		if (same_word(h->fields[i].name, h->fields[i].name_length, name, name_length))
			return &h->fields[i];
	return NULL;
}

// Digits alone, and few enough.
static bool parse_length(const struct field *f, int64_t *length)
{
	enum { DIGITS_MOST = 18 };
	*length = 0;
	if (f->value_length == 0 || f->value_length > DIGITS_MOST)
		return false;
	for (uint32_t i = 0; i < f->value_length; i++) {
		if (f->value[i] < '0' || f->value[i] > '9')
			return false;
		*length = *length * 10 + (f->value[i] - '0');
	}
	return true;
}

// The next word of a comma-separated list; false at the end.
static bool next_word(const char **list, const char **word, size_t *length)
{
	const char *at = *list + strspn(*list, " \t,");
	*word = at;
	*length = strcspn(at, ",");
	*list = at + *length;
	while (*length > 0 && (at[*length - 1] == ' ' || at[*length - 1] == '\t'))
		--*length;
	return *at != '\0';
}

static bool has_word(const char *list, const char *wanted)
{
	const char *word;
	size_t length;
	while (next_word(&list, &word, &length))
		if (same_word(word, length, wanted, strlen(wanted)))
			return true;
	return false;
}

// "chunked" and nothing else. Another coding below it we could not decode: 501.
static int check_coding(const char *value)
{
	if (strcasecmp(value, "chunked") == 0)
		return 0;
	const char *list = value, *word = "";
	size_t length = 0, count = 0, chunked = 0;
	while (next_word(&list, &word, &length)) {
		bool last = list[strspn(list, " \t,")] == '\0';
		bool is_chunked = same_word(word, length, "chunked", 7);
		if (!is_token(word, length) || is_chunked != last)
			return 400;
		chunked += is_chunked;
		count++;
	}
	return chunked == 1 && count > 1 ? 501 : 400;
}

struct framing {
	const struct field *host, *length, *coding;
};

static int look_at(struct head *h, struct framing *seen, const struct field *f)
{
	if (IS(f, "Host")) {
		if (seen->host)
			return 400;
		seen->host = f;
	} else if (IS(f, "Content-Length")) {
		if (seen->length || !parse_length(f, &h->length))
			return 400;
		seen->length = f;
	} else if (IS(f, "Transfer-Encoding")) {
		if (seen->coding)
			return 400;
		seen->coding = f;
	} else if (IS(f, "Connection")) {
		if (has_word(f->value, "close"))
			h->close = true;
		else if (h->minor == 0 && has_word(f->value, "keep-alive"))
			h->close = false;
	} else if (IS(f, "Expect") && h->minor > 0) {
		if (strcasecmp(f->value, "100-continue") != 0)
			return 417;
		h->expects = true;
	}
	return 0;
}

static int check_headers(struct head *h, const char *authority)
{
	struct framing seen = {NULL, NULL, NULL};
	for (size_t i = 0; i < h->count; i++) {
		int status = look_at(h, &seen, &h->fields[i]);
		if (status)
			return status;
	}
	if (h->minor > 0 && (!seen.host || seen.host->value_length == 0))
		return 400;
	h->host = seen.host ? seen.host->value : "";
	if (!is_host(h->host))
		return 400;
	if (authority) {
		if (seen.host && strcasecmp(authority, h->host) != 0)
			return 400;
		h->host = authority;
	}
	if (!seen.coding)
		return 0;
	if (seen.length || h->minor == 0)
		return 400;
	h->chunked = true;
	h->length = -1;
	return check_coding(seen.coding->value);
}

// ---- all of it ---------------------------------------------------------------------------------

// Ends each string where it is. The scan has seen to it that names are followed by ':' and values
// by CR, if perhaps after blanks.
static void end_strings(struct head *h)
{
	for (size_t i = 0; i < h->count; i++) {
		struct field *f = &h->fields[i];
		((char *)(uintptr_t)f->name)[f->name_length] = '\0';
		while (f->value_length > 0 && (f->value[f->value_length - 1] == ' ' ||
						      f->value[f->value_length - 1] == '\t'))
			f->value_length--;
		// llhttp may place an empty value anywhere: at the next header's name, for one.
		if (f->value_length == 0)
			f->value = "";
		else
			((char *)(uintptr_t)f->value)[f->value_length] = '\0';
	}
}

int head_parse(struct head *h, struct arena *arena, char *bytes, size_t count, size_t fields)
{
	struct parsing p = {.head = h};
	llhttp_t llhttp;
	const char *authority = NULL;
	if (count > 2 && bytes[0] == '\r') {
		bytes += 2;
		count -= 2;
	}
	char *method_end, *target_end;
	int status = split_line(bytes, count, &method_end, &target_end);
	if (status)
		return status;
	h->count = 0;
	status = run_llhttp(&p, &llhttp, bytes, count);
	if (status)
		return status;
	// What is a target to us has to be one to llhttp.
	if (p.target != method_end + 1 || p.target + p.target_length != target_end)
		return 400;
	// … and each line a header with a name.
	for (size_t i = 0; i < h->count; i++)
		if (h->fields[i].name_length == 0)
			return 400;
	if (h->count != fields)
		return 400;
	*method_end = '\0';
	*target_end = '\0';
	h->method = bytes;
	h->target = p.target;
	h->minor = llhttp.http_minor;
	h->is_head = llhttp.method == HTTP_HEAD;
	h->close = h->minor == 0;
	h->expects = false;
	h->chunked = false;
	h->length = 0;
	end_strings(h);
	status = split_target(h, arena, &authority);
	return status ? status : check_headers(h, authority);
}
