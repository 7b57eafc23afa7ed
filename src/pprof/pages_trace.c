// SPDX-License-Identifier: MIT
/*
 * Pages of execution traces: one of the next seconds, and what the flight recorder has.
 *
 * Both are for `go tool trace`, or with ?format=perfetto for ui.perfetto.dev. A trace's page is
 * bounded, so it keeps the latest million events.
 */
#include "pprof/pages.h"

#include <errno.h>
#include <string.h>
#include <tuza/time.h>
#include <tuza/trace.h>
#include <unistd.h>

static const size_t EVENT_BYTES = 16 << 20;

static bool wants_perfetto(const struct page_request *r)
{
	return strstr(r->query, "format=perfetto") != NULL;
}

// Go: src/net/http/pprof/pprof.go, Trace
void page_trace(struct page *p, const struct page_request *r)
{
	tuza_trace_options options = {.max_bytes = EVENT_BYTES};
	int64_t seconds;
	int fd, error;

	if (!page_query_number(r, "seconds", &seconds) || seconds <= 0)
		seconds = 1;
	if (seconds > 24 * 3600)
		seconds = 24 * 3600;
	if (wants_perfetto(r))
		options.format = TUZA_TRACE_PERFETTO;
	fd = page_file_open(p);
	if (fd < 0)
		return;
	error = tuza_trace_start_with(fd, &options);
	if (error) {
		close(fd);
		p->is_pprof = true;
		page_error(p, 500,
			error == -EBUSY ? "Could not enable tracing: tracing is already enabled"
					: "Could not enable tracing");
		return;
	}
	p->type = PAGE_BINARY;
	p->file = wants_perfetto(r) ? "trace.pftrace" : "trace";
	r->wait(seconds * TUZA_SECOND, r->arg);
	page_file_close(p, fd, tuza_trace_stop());
}

void page_flight_recorder(struct page *p, const struct page_request *r)
{
	int fd, error;

	(void)r;
	if (!tuza_flight_recorder_is_on()) {
		page_error(p, 404, "no flight recorder is on: see tuza_flight_recorder_start");
		return;
	}
	fd = page_file_open(p);
	if (fd < 0)
		return;
	p->type = PAGE_BINARY;
	p->file = "flight.trace";
	error = tuza_flight_recorder_write(fd);
	page_file_close(p, fd, error);
}
