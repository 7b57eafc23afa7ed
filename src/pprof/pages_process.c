// SPDX-License-Identifier: MIT
/*
 * Pages about the process: its command line, and what the runtime counts.
 *
 * Go: src/expvar/expvar.go; src/net/http/pprof/pprof.go, Cmdline
 */
#include "pprof/pages.h"

#include "pprof/json.h"

#include <fcntl.h>
#include <string.h>
#include <tuza/debug.h>
#include <unistd.h>

static void read_command_line(struct bytes *b)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	char part[4096];
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, part, sizeof(part))) > 0)
		bytes_put(b, part, (size_t)n);
	close(fd);
	if (b->length > 0 && b->data[b->length - 1] == 0)
		b->length--; // zeroes stand between
}

void page_command_line(struct page *p, const struct page_request *r)
{
	(void)r;
	read_command_line(&p->body);
}

void page_append_statistics(struct bytes *b)
{
	tuza_statistics s;
	const struct {
		const char *name;
		const uint64_t *value;
	} numbers[] = {
		{"goroutines", &s.goroutines},
		{"runnable", &s.runnable},
		{"running", &s.running},
		{"waiting", &s.waiting},
		{"blocked", &s.blocked},
		{"threads", &s.threads},
		{"gomaxprocs", &s.gomaxprocs},
		{"processors", &s.processors},
		{"processors_idle", &s.processors_idle},
		{"timers", &s.timers},
		{"stacks_reserved", &s.stacks_reserved},
		{"stacks_used", &s.stacks_used},
		{"created", &s.created},
		{"switches", &s.switches},
		{"stolen", &s.stolen},
		{"parks", &s.parks},
		{"woken_by_descriptors", &s.woken_by_descriptors},
		{"woken_by_timers", &s.woken_by_timers},
		{"mutex_wait_ns", &s.mutex_wait_ns},
		{"latencies", &s.latencies},
		{"latency_median_ns", &s.latency_median_ns},
		{"latency_99_ns", &s.latency_99_ns},
	};

	tuza_stats(&s);
	bytes_text(b, "{");
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		json_uint(b, numbers[i].name, *numbers[i].value);
	bytes_text(b, "}");
}

void page_vars(struct page *p, const struct page_request *r)
{
	struct bytes words = {0}, *b = &p->body;

	(void)r;
	p->type = PAGE_JSON;
	bytes_text(b, "{\n\"cmdline\": [");
	read_command_line(&words);
	bytes_put(&words, "", 1);
	for (size_t at = 0, n; words.data && at < words.length; at += n + 1) {
		n = strnlen((const char *)words.data + at, words.length - at);
		if (at > 0)
			bytes_text(b, ",");
		json_string(b, (const char *)words.data + at, n);
	}
	bytes_free(&words);
	bytes_text(b, "],\n\"tuza\": ");
	page_append_statistics(b);
	bytes_text(b, "\n}\n");
}

void page_metrics(struct page *p, const struct page_request *r)
{
	int fd = page_file_open(p);

	if (fd < 0)
		return;
	p->type = "text/plain; version=0.0.4; charset=utf-8";
	page_file_close(p, fd,
		strcmp(r->query, "names=go") == 0 ? tuza_metrics_write_go(fd)
						  : tuza_metrics_write(fd));
}
