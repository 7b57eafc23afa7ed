// SPDX-License-Identifier: MIT
/*
 * The results as they come: as a table to read, as JSON lines or as CSV. What is ready together is
 * written together. A URL is noted as done after its result was written: killed in between, it is
 * checked twice, never forgotten.
 */
#include "tuza-check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH_MOST = 64 * 1024 };
static const tuza_duration PATIENCE = 2 * TUZA_SECOND; // with who reads the results, after the end

struct output {
	struct run *run;
	int fd;
	bool shares_terminal; // with the progress
	FILE *text;           // what is to be written
	char *bytes;
	size_t count;
	tuza_chan *over; // closed at the end
};

// ---- formats ----------------------------------------------------------------------------------

static const char *words_of(const struct job *j)
{
	return !j->error ? "" : j->words ? j->words : tuza_strerror(j->error);
}

static double ms(const struct job *j) { return (double)j->latency / (double)TUZA_MILLISECOND; }

// How many bytes the UTF-8 character at `s` has; 0: it is none.
static int utf8_length(const unsigned char *s)
{
	int n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;
	for (int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	bool too_long = (*s == 0xe0 && s[1] < 0xa0) || (*s == 0xf0 && s[1] < 0x90);
	bool outside = (*s == 0xed && s[1] > 0x9f) || (*s == 0xf4 && s[1] > 0x8f);
	return n > 1 && (too_long || outside) ? 0 : n;
}

// For people's eyes, and terminals, which nobody's URL is to command: a '?' for what is no text.
static void put_table_string(FILE *out, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		int n = utf8_length(s);
		bool is_control = *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
		fwrite(n == 0 || is_control ? (const unsigned char *)"?" : s, 1,
			n == 0 || is_control ? 1 : (size_t)n, out);
		s += n ? n : 1;
	}
}

static void put_table(FILE *out, const struct job *j)
{
	char text[128];
	int what = j->error ? j->error : j->status;
	fprintf(out, "%-24.24s %9.1f %10lld %5d  ",
		what > 0 && what < 400 ? "ok" : kind_text(what, text, sizeof text), ms(j),
		(long long)j->bytes, j->attempts);
	put_table_string(out, j->url);
	fputc('\n', out);
}

static void put_json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	fputc('"', out);
	while (*s) {
		int n = utf8_length(s);
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if (*s < 0x20 || n == 0) // what is no UTF-8 is taken for Latin-1
			fprintf(out, "\\u%04x", *s);
		else
			fwrite(s, 1, (size_t)n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static void put_json(FILE *out, const struct job *j)
{
	fputs("{\"url\":", out);
	put_json_string(out, j->url);
	fprintf(out, ",\"ok\":%s,\"status\":%d,\"error\":", job_is_fine(j) ? "true" : "false",
		j->status);
	put_json_string(out, words_of(j));
	fprintf(out, ",\"attempts\":%d,\"ms\":%.3f,\"bytes\":%lld}\n", j->attempts, ms(j),
		(long long)j->bytes);
}

static void put_csv_string(FILE *out, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void put_csv(FILE *out, const struct job *j)
{
	put_csv_string(out, j->url);
	fprintf(out, ",%s,%d,", job_is_fine(j) ? "true" : "false", j->status);
	put_csv_string(out, words_of(j));
	fprintf(out, ",%d,%.3f,%lld\n", j->attempts, ms(j), (long long)j->bytes);
}

static void put(struct output *o, const struct job *j)
{
	static void (*const PUT[])(FILE *, const struct job *) = {put_table, put_json, put_csv};
	PUT[o->run->options->format](o->text, j);
}

static void put_heading(struct output *o)
{
	struct stat st;
	bool goes_on = fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		       o->run->options->output;
	if (goes_on || o->run->options->format == FORMAT_JSONL)
		return;
	if (o->run->options->format == FORMAT_CSV)
		fputs("url,ok,status,error,attempts,ms,bytes\n", o->text);
	else
		fprintf(o->text, "%-24s %9s %10s %5s  %s\n", "RESULT", "MS", "BYTES", "TRIES",
			"URL");
}

// ---- writing ----------------------------------------------------------------------------------

// All of it, whatever comes in between.
static int write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = tuza_write(fd, bytes, count);
		if (n < 0)
			return (int)n;
		bytes += n;
		count -= (size_t)n;
	}
	return 0;
}

static int flush(struct output *o)
{
	static const char CLEAR[] = "\r\033[K";
	int error = fflush(o->text) == 0 ? 0 : -ENOMEM;
	if (!error && o->count > 0 && o->shares_terminal)
		error = write_all(o->fd, CLEAR, sizeof CLEAR - 1);
	if (!error)
		error = write_all(o->fd, o->bytes, o->count);
	rewind(o->text);
	if (!error && o->run->resume)
		error = resume_flush(o->run->resume);
	return error;
}

// A last line without an end was being written when the disk was full or the run was killed. Its
// URL was not noted as done.
static int cut_last_line(const char *path)
{
	char bytes[4096];
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	int fd = tuza_open(path, O_RDWR, 0);
	if (fd < 0)
		return fd;
	off_t whole = st.st_size;
	ssize_t n = 0;
	do {
		off_t from = whole > (off_t)sizeof bytes ? whole - (off_t)sizeof bytes : 0;
		n = tuza_pread(fd, bytes, (size_t)(whole - from), from);
		while (n > 0 && bytes[n - 1] != '\n')
			n--;
		whole = n < 0 ? whole : from + n;
	} while (n == 0 && whole > 0);
	int error = n < 0 ? (int)n : 0;
	if (!error && whole < st.st_size && ftruncate(fd, whole) != 0)
		error = -errno;
	(void)tuza_close(fd);
	return error;
}

static int open_output(struct output *o)
{
	const char *path = o->run->options->output;
	bool goes_on = o->run->options->resume;
	int how = O_WRONLY | O_CREAT | (goes_on ? O_APPEND : O_TRUNC);
	int error = path && goes_on ? cut_last_line(path) : 0;
	o->fd = error ? error : path ? tuza_open(path, how, 0666) : STDOUT_FILENO;
	if (o->fd < 0)
		return tuza_errgroup_fail(
			o->run->group, o->fd, "%s: %s", path, tuza_strerror(o->fd));
	o->shares_terminal = !o->run->options->quiet && isatty(o->fd) && isatty(STDERR_FILENO);
	o->text = open_memstream(&o->bytes, &o->count);
	return o->text ? 0 : -ENOMEM;
}

static int take(struct output *o, const struct job *j)
{
	struct run *run = o->run;
	summary_add(&run->summary, j);
	run->done++;
	run->failed += !job_is_fine(j);
	run->not_meant += run->own_site && !site_meant(j);
	put(o, j);
	return run->resume ? resume_add(run->resume, j->url) : 0;
}

// The run was interrupted, and nobody may be reading what we write to the standard output: a write
// that waits ends.
static void give_up(struct output *o, tuza_chan *given_up)
{
	TUZA_DEFER(tuza_chan_close, given_up);
	if (TUZA_SELECT(TUZA_DONE(o->run->ctx), TUZA_RECV(o->over, NULL)) == 1 ||
		TUZA_SELECT(TUZA_RECV(o->over, NULL), TUZA_AFTER(PATIENCE)) == 0 ||
		o->run->options->output)
		return;
	(void)tuza_close(o->fd);
	keep_standard_numbers();
}

int output_run(void *arg)
{
	struct run *run = arg;
	struct output o = {.run = run, .fd = -1, .over = tuza_chan_new(0, 0)};
	tuza_chan *given_up = tuza_chan_new(0, 0);
	struct job *j;
	tuza_set_name("output");
	int error = open_output(&o);
	if (!error)
		put_heading(&o);
	TUZA_GO(give_up, &o, given_up);
	// After a failure the rest is dropped: nobody is to wait for us.
	while (tuza_recv(run->results, &j)) {
		if (!j->unfinished && !error)
			error = take(&o, j);
		job_free(j);
		if (!error && (tuza_chan_len(run->results) == 0 || ftello(o.text) > BATCH_MOST))
			error = flush(&o);
		if (error) // now, not when all is over
			error = tuza_errgroup_fail(
				run->group, error, "writing: %s", tuza_strerror(error));
	}
	if (!error)
		error = flush(&o);
	tuza_chan_close(o.over);
	(void)tuza_recv(given_up, NULL);
	tuza_chan_release(given_up);
	tuza_chan_release(o.over);
	if (o.text)
		fclose(o.text);
	free(o.bytes);
	if (run->options->output && o.fd >= 0) {
		int closed = tuza_close(o.fd);
		error = error ? error : closed;
	}
	return error;
}
