// SPDX-License-Identifier: MIT
/*
 * The live page: HTML, style and script of src/pprof/page/, which the build puts into the library
 * as they are, and which are served as one document that needs nothing else.
 *
 * The program's texts (names, labels, functions) come to it as JSON and become text nodes only. As
 * a second wall no script runs but this one: it carries a number that is new for each answer.
 */
#include "pprof/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

// PAGE_DIRECTORY is the build's. Each file becomes a text that ends with 0.
#define EMBED(name, file)                                                                          \
	__asm__(".pushsection .rodata,\"a\"\n" #name ":\n.incbin \"" PAGE_DIRECTORY "/" file       \
		"\"\n.byte 0\n.popsection\n");                                                     \
	extern const char name[] __attribute__((visibility("hidden")))

EMBED(live_html, "page.html");
EMBED(live_css, "page.css");
EMBED(live_js, "page.js");
EMBED(live_flame_js, "flame.js");

enum { NONCE_BYTES = 16 };

// Without random bytes no script runs at all.
static void make_nonce(char text[2 * NONCE_BYTES + 1])
{
	unsigned char bytes[NONCE_BYTES];

	text[0] = 0;
	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != (ssize_t)sizeof(bytes))
		return;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

struct part {
	const char *mark;
	const char *text[2];
};

// Copies the page, each mark replaced by its texts.
static void fill_in(struct bytes *b, const char *at, const struct part *parts, size_t n)
{
	for (const char *mark; (mark = strchr(at, '@'));) {
		size_t i = 0, length = 0;

		bytes_put(b, at, (size_t)(mark - at));
		for (; i < n; i++) {
			length = strlen(parts[i].mark);
			if (strncmp(mark, parts[i].mark, length) == 0)
				break;
		}
		at = mark + (i < n ? length : 1);
		if (i == n)
			bytes_text(b, "@");
		for (int k = 0; i < n && k < 2 && parts[i].text[k]; k++)
			bytes_text(b, parts[i].text[k]);
	}
	bytes_text(b, at);
}

void page_live(struct page *p, const struct page_request *r)
{
	char nonce[2 * NONCE_BYTES + 1];

	(void)r;
	make_nonce(nonce);
	const struct part parts[] = {
		{"@STYLE@", {live_css}},
		{"@NONCE@", {nonce}},
		{"@SCRIPT@", {live_js, live_flame_js}},
	};

	p->type = PAGE_HTML;
	snprintf(p->policy, sizeof(p->policy),
		"default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
		"script-src 'nonce-%s'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'",
		nonce);
	fill_in(&p->body, live_html, parts, COUNT_OF(parts));
}
