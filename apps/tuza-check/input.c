// SPDX-License-Identifier: MIT
/*
 * The URLs: arguments first, then the files, line by line. Empty lines and those that begin with #
 * are passed over. What reads the channel decides how fast it goes.
 */
#include "tuza-check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LINE_MOST = 64 * 1024, // longer is no URL
	LINE_SHOWN = 64        // of one that is
};

// Sends a line on, if it is a URL that is not done yet. Nonzero: the run ends.
static int pass_on(struct run *run, const char *line, size_t length, bool too_long)
{
	while (length > 0 && strchr("\r \t", line[length - 1]) && line[length - 1])
		length--;
	while (length > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
	}
	if (length == 0 || *line == '#')
		return 0;
	struct job *job = job_new(line, length);
	if (!job)
		return -ENOMEM;
	job->too_long = too_long;
	run->lines++;
	if (run->resume && resume_has(run->resume, job->url)) {
		job_free(job);
		return 0;
	}
	int error = tuza_chan_send_ctx(run->urls, run->ctx, &job);
	if (error)
		job_free(job);
	else
		run->read++;
	return error;
}

// Passes the whole lines of a buffer on and moves the rest to its beginning.
static int pass_lines(struct run *run, char *buffer, size_t *count)
{
	char *line = buffer, *end = buffer + *count, *newline;
	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		int error = pass_on(run, line, (size_t)(newline - line), false);
		if (error)
			return error;
		line = newline + 1;
	}
	*count = (size_t)(end - line);
	memmove(buffer, line, *count);
	return 0;
}

// What editors put before UTF-8. True: not enough is there to see.
static bool drop_byte_order_mark(char *buffer, size_t *count)
{
	static const char mark[] = "\357\273\277";
	size_t most = *count < 3 ? *count : 3;
	if (memcmp(buffer, mark, most) != 0)
		return false;
	if (most < 3)
		return true;
	*count -= 3;
	memmove(buffer, buffer + 3, *count);
	return false;
}

// A line that does not fit is a result, not the end: lists have such, as "data:" links.
static int pass_beginning(struct run *run, const char *line)
{
	char text[LINE_SHOWN + 3];
	memcpy(text, line, LINE_SHOWN);
	memcpy(text + LINE_SHOWN, "...", 3);
	return pass_on(run, text, sizeof text, true);
}

// Drops what is left of such a line. False: more of it will come.
static bool drop_line(char *buffer, size_t *count)
{
	char *newline = memchr(buffer, '\n', *count);
	size_t dropped = newline ? (size_t)(newline + 1 - buffer) : *count;
	*count -= dropped;
	memmove(buffer, buffer + dropped, *count);
	return newline != NULL;
}

static int read_lines(struct run *run, int fd)
{
	char *buffer = malloc(LINE_MOST);
	size_t count = 0;
	ssize_t n = buffer ? 1 : -ENOMEM;
	int error = 0;
	bool first = true, skips = false; // a line that was too long
	while (n > 0 && !error) {
		n = tuza_read(fd, buffer + count, LINE_MOST - count);
		if (n <= 0)
			break;
		run->bytes_read += n;
		count += (size_t)n;
		if (first)
			first = drop_byte_order_mark(buffer, &count);
		if (first || (skips && !drop_line(buffer, &count)))
			continue;
		error = pass_lines(run, buffer, &count);
		skips = !error && count == LINE_MOST;
		if (skips) {
			error = pass_beginning(run, buffer);
			count = 0;
		}
	}
	if (n == 0 && count > 0 && !error)
		error = pass_on(run, buffer, count, false);
	free(buffer);
	return n < 0 ? (int)n : error;
}

// Without opening it: what has been written to a FIFO would be lost with the descriptor.
static int64_t size_of(const char *path)
{
	struct stat st;
	int error = strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(path, &st);
	return error == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

// A pipe or a terminal may never have anything more: at the end of the run it is closed under the
// reader, who then gets TUZA_EFDCLOSED.
static void close_early(void *fd) { (void)tuza_close((int)(intptr_t)fd); }

// Opening a FIFO waits until somebody writes to it, and the end of the run cannot end that. Open
// without waiting it looks as if the writer had gone: until one has come, a read waits its turn.
static int open_file(const char *path, bool *is_fifo)
{
	struct stat st;
	*is_fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
	return tuza_open(path, O_RDONLY | (*is_fifo ? O_NONBLOCK : 0), 0);
}

static int read_file(struct run *run, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0, is_fifo = false;
	int fd = is_stdin ? STDIN_FILENO : open_file(path, &is_fifo);
	if (fd < 0)
		return tuza_errgroup_fail(run->group, fd, "%s: %s", path, tuza_strerror(fd));
	tuza_context_after *after =
		tuza_context_after_func(run->ctx, close_early, (void *)(intptr_t)fd);
	int error = is_fifo ? tuza_wait_fd(fd, POLLIN, INT64_MAX) : 0;
	error = error < 0 ? error : read_lines(run, fd);
	if (tuza_context_after_stop(after) && !is_stdin)
		(void)tuza_close(fd);
	if (error && !tuza_context_err(run->ctx))
		return tuza_errgroup_fail(run->group, error, "%s: %s", path, tuza_strerror(error));
	return error;
}

// How much there is to read in all, if that can be known.
static void measure(struct run *run)
{
	int64_t total = 0;
	for (const char *const *url = run->options->urls; *url; url++)
		total += (int64_t)strlen(*url) + 1;
	for (const char *const *path = run->options->files; *path; path++) {
		int64_t size = size_of(*path);
		if (size < 0)
			return;
		total += size;
	}
	run->bytes_total = total;
}

int input_run(void *arg)
{
	struct run *run = arg;
	int error = 0;
	tuza_set_name("input");
	measure(run);
	for (const char *const *url = run->options->urls; *url && !error; url++) {
		error = pass_on(run, *url, strlen(*url), false);
		run->bytes_read += (int64_t)strlen(*url) + 1;
	}
	for (const char *const *path = run->options->files; *path && !error; path++)
		error = read_file(run, *path);
	run->all_read = true;
	tuza_chan_close(run->urls);
	return tuza_context_err(run->ctx) ? 0 : error;
}
