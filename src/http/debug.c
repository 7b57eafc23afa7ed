// SPDX-License-Identifier: MIT
/*
 * The debug server's pages, on the program's own server.
 */
#include "base/compiler.h"

#include <tuza/http_server.h>
#include <tuza/pprof.h>

static void serve_page(tuza_http_writer *w, tuza_http_request *r, void *unused)
{
	tuza_debug_page *page =
		tuza_debug_page_make(tuza_http_context(r), tuza_http_path(r), tuza_http_query(r));

	(void)unused;
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
