// SPDX-License-Identifier: MIT
/*
 * A page for a program that serves it by itself.
 */
#include "pprof/pages.h"

#include <stdlib.h>
#include <tuza/context.h>
#include <tuza/pprof.h>
#include <tuza/time.h>

struct public_page {
	tuza_debug_page page; // first: it is what is freed
	struct page made;
	struct page_headers headers;
};

static void wait(int64_t ns, void *ctx)
{
	int error = tuza_sleep_ctx(ctx, ns);

	(void)error; // nobody waits any more
}

static void release(struct public_page *p)
{
	bytes_free(&p->made.body);
	free(p);
}

EXPORT tuza_debug_page *tuza_debug_page_make(tuza_context *ctx, const char *path, const char *query)
{
	struct public_page *p = calloc(1, sizeof(*p));

	_Static_assert(COUNT_OF(p->page.headers) > PAGE_HEADERS_MAX, "there is one without a name");
	if (!p)
		return NULL;
	page_make(&p->made, &(struct page_request){path, query, wait, ctx});
	if (p->made.body.failed) {
		release(p);
		return NULL;
	}
	page_headers(&p->made, &p->headers);
	p->page.status = p->made.status;
	p->page.body = p->made.body.data;
	p->page.body_bytes = p->made.body.length;
	for (uint32_t i = 0; i < p->headers.count; i++) {
		p->page.headers[i].name = p->headers.list[i].name;
		p->page.headers[i].value = p->headers.list[i].value;
	}
	return &p->page;
}

EXPORT void tuza_debug_page_free(tuza_debug_page *page)
{
	if (page)
		release((struct public_page *)page);
}
