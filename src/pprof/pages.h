// SPDX-License-Identifier: MIT
/*
 * What the debug server answers: pages.c has the table of them. They know nothing of connections.
 */
#ifndef TUZA_PPROF_PAGES_H
#define TUZA_PPROF_PAGES_H

#include "pprof/bytes.h"

struct page {
	int status;       // HTTP's
	const char *type; // Content-Type
	const char *file; // the name under which browsers keep it; NULL: they show it
	bool is_pprof;    // says so in a header, as Go's errors do
	char policy[300]; // Content-Security-Policy; "": none
	struct bytes body;
};

struct page_request {
	const char *path;
	const char *query;                   // what stands behind the question mark, or ""
	void (*wait)(int64_t ns, void *arg); // lets time pass, or less when nobody waits any more
	void *arg;                           // for wait
};

// Makes a page; it is an empty one of text at first.
typedef void page_maker(struct page *p, const struct page_request *r);

/*
 * Makes the page that is asked for, an error's if there is none.
 *
 * Blocks   as long as the page asks for.
 */
void page_make(struct page *p, const struct page_request *r);

// The paths of all pages, as a JSON array.
void page_append_paths(struct bytes *b);

enum { PAGE_HEADERS_MAX = 6 };

// What goes with it, besides its length.
struct page_headers {
	struct {
		const char *name, *value;
	} list[PAGE_HEADERS_MAX];
	uint32_t count;
	char disposition[80]; // what a value is made in
};
void page_headers(const struct page *p, struct page_headers *h);

// An error's page, of one line.
void page_error(struct page *p, int status, const char *text);

// ---- for those who make pages ------------------------------------------------------------------

extern const char PAGE_TEXT[], PAGE_HTML[], PAGE_JSON[], PAGE_BINARY[]; // types

// What the query says of this key, `*length` bytes; NULL: nothing.
const char *page_query(const struct page_request *r, const char *key, size_t *length);

// Whether the query has this key with a value. *number: that, 0 if it is none.
bool page_query_number(const struct page_request *r, const char *key, int64_t *number);

/*
 * A file in memory, for what is written to descriptors: 64 MiB of it, Go's limit for dumps, then it
 * refuses. -1: there is no memory, and the page is an error's.
 */
int page_file_open(struct page *p);
// Makes the body of what was written to the file, or an error's if that failed; closes it.
void page_file_close(struct page *p, int fd, int error);

// ---- pages -------------------------------------------------------------------------------------

// pages_profile.c
page_maker page_profile;     // of those that tuza_pprof_write knows, by the path's last part
page_maker page_cpu_profile; // ?seconds=30
page_maker page_symbols;     // ?0x401000+0x401010

// live.c, state.c, members.c
page_maker page_live;      // the page for browsers
page_maker page_state;     // ?ms=1000: what it shows, after having watched processors for so long
page_maker page_members;   // ?group=HEX: the goroutines of a group that have waited longest
page_maker page_leaks;     // scans for leaked goroutines, whose groups come first from then on
page_maker page_goroutine; // ?id=7&all=1: one as dumps have it, with all frames

// pages_trace.c
page_maker page_trace; // ?seconds=1
page_maker page_flight_recorder;

// pages_process.c
page_maker page_command_line;
page_maker page_vars;
page_maker page_metrics;
// tuza_stats as a JSON object, for others.
void page_append_statistics(struct bytes *b);

#endif
