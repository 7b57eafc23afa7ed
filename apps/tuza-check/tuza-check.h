// SPDX-License-Identifier: MIT
/*
 * tuza-check: checks URLs, any number of them. What its parts share.
 *
 *	input.c     the URLs, one by one: arguments, files, standard input     goroutine "input"
 *	dispatch.c  which of them is next: limits in total and per host        goroutine "dispatch"
 *	check.c     one URL: an attempt, and whether to try again              a goroutine each
 *	output.c    the results, as table, JSON lines or CSV                   goroutine "output"
 *	summary.c   what there was in all; percentiles
 *	progress.c  how far it is, on a terminal                               goroutine "progress"
 *	resume.c    what was done in an earlier run
 *	site.c      a site to check when there are no URLs
 *
 * Jobs go from one to the next over channels; each belongs to whoever has received it. Memory is
 * bounded by what is waiting (dispatch.c), not by the number of URLs.
 */
#ifndef TUZA_CHECK_H
#define TUZA_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <tuza/http_client.h>
#include <tuza/tuza.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_FINE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 130 };

enum format { FORMAT_TABLE, FORMAT_JSONL, FORMAT_CSV };

// ---- options.c ---------------------------------------------------------------------------------

struct options {
	const char *const *urls; // NULL at the end
	const char *const *files;
	int concurrency, per_host;
	int retries;            // < 0: not given
	double rate;            // a second; 0: no limit
	tuza_duration timeout;  // 0: not given
	tuza_duration deadline; // 0: none
	enum format format;
	const char *output, *resume, *user_agent, *ca_file;
	const char *const *headers;
	bool head, insecure, http1, quiet, serve;
};

// False: the program ends, with *status.
bool options_parse(int argc, char **argv, struct options *o, int *status);
void options_free(struct options *o);

// ---- a URL and what came of it -----------------------------------------------------------------

struct job {
	char *url;
	struct job *next; // dispatch.c
	struct host *host;
	bool too_long; // the beginning of a line that is no URL
	// what came of it
	bool unfinished; // the run ended first: as if it had not begun
	int status;      // 0: none
	int error;       // a code; 0 with a status
	int attempts;
	tuza_duration pause; // before the next attempt; 0: there is none
	int64_t bytes;
	tuza_duration latency; // of the last attempt
	char *words;           // of an error; NULL: the code's
};

struct job *job_new(const char *url, size_t length);
void job_free(struct job *j);
bool job_is_fine(const struct job *j);

// ---- summary.c ---------------------------------------------------------------------------------

// Latencies in buckets that are 1/32 of their value wide.
enum { SUMMARY_BUCKETS = 64 * 32, SUMMARY_KINDS = 64 };

struct summary {
	int64_t done, failed, retries, bytes;
	int64_t buckets[SUMMARY_BUCKETS];
	tuza_duration most;
	struct {
		int what; // a status or a code
		int64_t count;
	} kinds[SUMMARY_KINDS];
};

void summary_add(struct summary *s, const struct job *j);
tuza_duration summary_percentile(const struct summary *s, int p);
void summary_print(const struct summary *s, tuza_duration took, FILE *out);
const char *kind_text(int what, char *text, size_t bytes);

// ---- the run -----------------------------------------------------------------------------------

struct resume;
struct run {
	const struct options *options;
	tuza_context *ctx; // ends with a signal, the deadline, or a failure of a part
	tuza_http_client *client;
	tuza_limiter limiter;
	tuza_chan *urls, *finished, *rested, *results; // of struct job *
	struct resume *resume;                         // or NULL
	struct summary summary;                        // the output's, until it has ended
	bool own_site;
	int64_t not_meant; // of the own site's pages: other than they are to be
	tuza_errgroup *group;
	tuza_chan *over; // closed at the end: for the progress
	// for the progress
	_Atomic int64_t lines, read, done, failed; // lines: with those that were done earlier
	_Atomic int64_t bytes_read, bytes_total;   // of the input; total 0: not known
	_Atomic bool all_read;
};

int input_run(void *run);
int dispatch_run(void *run);
int output_run(void *run);
void check_url(struct run *run, struct job *job);
void progress_run(void *run);

// main.c: has each of the numbers 0 to 2 stand for something.
void keep_standard_numbers(void);

// ---- resume.c ----------------------------------------------------------------------------------

// Reads the file, if there is one, and opens it for more. A negative code instead in *error.
struct resume *resume_open(const char *path, int *error);
bool resume_has(const struct resume *r, const char *url);
int resume_add(struct resume *r, const char *url); // written by resume_flush
int resume_flush(struct resume *r);
void resume_close(struct resume *r);

// ---- site.c ------------------------------------------------------------------------------------

struct site;
struct site *site_start(void); // NULL: it cannot listen
const char *const *site_urls(const struct site *s);
// Whether the URL is of a page that fails by design in just this way.
bool site_meant(const struct job *j);
void site_stop(struct site *s);

#endif
