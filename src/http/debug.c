// SPDX-License-Identifier: MIT
/*
 * The debug server's pages, on the program's own server.
 */
#include "base/compiler.h"

#include <string.h>
#include <tuza/http_server.h>
#include <tuza/pprof.h>

// Whether another site's page asks, as browsers tell: it may lead here, but not ask for profiles,
// which cost. Whoever sends no such header is no browser.
static bool is_of_other_site(const tuza_http_request *r)
{
	const char *site = tuza_http_header(r, "Sec-Fetch-Site");
	const char *mode = tuza_http_header(r, "Sec-Fetch-Mode");

	return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0 &&
	       !(mode && strcmp(mode, "navigate") == 0);
}

static void serve_page(tuza_http_writer *w, tuza_http_request *r, void *unused)
{
	(void)unused;
	if (is_of_other_site(r)) {
		tuza_http_error(w, 403, NULL);
		return;
	}
	tuza_debug_page *page =
		tuza_debug_page_make(tuza_http_context(r), tuza_http_path(r), tuza_http_query(r));

	if (!page) {
		tuza_http_error(w, 500, "no memory for the page");
		return;
	}
	int error = tuza_http_set_status(w, page->status);

	for (size_t i = 0; page->headers[i].name && !error; i++)
		error = tuza_http_set_header(w, page->headers[i].name, page->headers[i].value);
	if (error)
		tuza_http_error(w, 500, NULL);
	else
		(void)!tuza_http_write(w, page->body, page->body_bytes); // or who asked has gone
	tuza_debug_page_free(page);
}

EXPORT void tuza_http_handle_debug(tuza_http_mux *mux)
{
	tuza_http_handle(mux, "GET /debug/", serve_page, NULL);
	tuza_http_handle(mux, "GET /metrics", serve_page, NULL);
}
