// SPDX-License-Identifier: MIT
/*
 * Pages of execution traces: one of the next seconds, and what the flight recorder has.
 *
 * Both are for `go tool trace`; a trace with ?format=perfetto is for ui.perfetto.dev, with
 * ?format=v1 for Go's tools before 1.22. It is bounded, so it keeps the latest million events.
 */
#include "pprof/pages.h"

#include <errno.h>
#include <string.h>
#include <tuza/time.h>
#include <tuza/trace.h>
#include <unistd.h>

static const size_t EVENT_BYTES = 16 << 20;

// False: the query asks for one that there is not.
static bool format_of(const struct page_request *r, tuza_trace_format *format)
{
	static const struct {
		const char *name;
		tuza_trace_format format;
	} formats[] = {
		{"go", TUZA_TRACE_GO}, {"v1", TUZA_TRACE_GO_V1}, {"perfetto", TUZA_TRACE_PERFETTO}};
	size_t length;
	const char *name = page_query(r, "format", &length);

	*format = TUZA_TRACE_GO;
	if (!name)
		return true;
	for (size_t i = 0; i < COUNT_OF(formats); i++)
		if (strlen(formats[i].name) == length &&
			memcmp(formats[i].name, name, length) == 0) {
			*format = formats[i].format;
			return true;
		}
	return false;
}

// Go: src/net/http/pprof/pprof.go, Trace
void page_trace(struct page *p, const struct page_request *r)
{
	tuza_trace_options options = {.max_bytes = EVENT_BYTES};
	int64_t seconds;
	int fd, error;

	if (!format_of(r, &options.format)) {
		page_error(p, 400, "there are the formats go, v1 and perfetto");
		return;
	}
	if (!page_query_number(r, "seconds", &seconds) || seconds <= 0)
		seconds = 1;
	if (seconds > 24 * 3600)
		seconds = 24 * 3600;
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
	p->file = options.format == TUZA_TRACE_PERFETTO ? "trace.pftrace" : "trace";
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
