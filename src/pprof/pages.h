// SPDX-License-Identifier: MIT
/*
 * What the debug server answers: pages.c. It knows nothing of connections.
 */
#ifndef TUZA_PPROF_PAGES_H
#define TUZA_PPROF_PAGES_H

#include "pprof/bytes.h"

struct page {
	int status;       // HTTP's
	const char *type; // Content-Type
	const char *file; // the name under which browsers keep it; NULL: they show it
	bool is_pprof;    // says so in a header, as Go's errors do
	struct bytes body;
};

/*
 * Makes the page of this path; `query` is what stands behind the question mark, or "".
 *
 *   wait  called with `arg` to let a number of ns pass while a profile is taken.
 *
 * Blocks   as long as the page asks for.
 */
void page_make(struct page *p, const char *path, const char *query,
	void (*wait)(int64_t ns, void *arg), void *arg);

// An error's page, of one line.
void page_error(struct page *p, int status, const char *text);

#endif
