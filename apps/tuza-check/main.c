// SPDX-License-Identifier: MIT
/*
 * tuza-check: a batch of HTTP requests with bounds on everything. Here the parts are put together:
 * input, dispatch and output are tasks of an error group, whose context ends with a signal, the
 * deadline or the failure of one of them.
 */
#include "tuza-check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

// As many connections as the system allows.
static void raise_limits(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

// A request may hold a socket while another is kept, or two while it connects. And there are the
// runtime's own descriptors, some 32.
static void keep_to_limits(struct options *o)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	rlim_t most = limit.rlim_cur > 34 ? (limit.rlim_cur - 32) / 2 : 1;
	if ((rlim_t)o->concurrency <= most)
		return;
	if (!o->quiet)
		fprintf(stderr,
			"tuza-check: concurrency %d instead of %d: %lld files may be open (ulimit "
			"-n)\n",
			(int)most, o->concurrency, (long long)limit.rlim_cur);
	o->concurrency = (int)most;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;
	return a && b && stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

// What is written would be read, or the other way round.
static bool mixes_files(const struct options *o)
{
	bool mixed = is_same_file(o->output, o->resume) ||
		     (o->output && o->resume && strcmp(o->output, o->resume) == 0);
	for (const char *const *f = o->files; *f && !mixed; f++)
		mixed = is_same_file(*f, o->output) || is_same_file(*f, o->resume);
	if (mixed)
		fprintf(stderr,
			"tuza-check: one file is to be two of --file, --output and --resume\n");
	return mixed;
}

// If the standard output is closed no socket is to take its number, and the results. What is there
// instead cannot be used either.
void keep_standard_numbers(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static tuza_http_client *make_client(const struct options *o, bool own_site)
{
	tuza_http_client_options options = {.connect_timeout = o->timeout,
		.max_idle_connections = o->concurrency,
		.user_agent = o->user_agent ? o->user_agent : "tuza-check",
		.proxy = own_site ? "" : NULL,
		.ca_file = o->ca_file,
		.insecure = o->insecure,
		.no_compression = true, // asked for (options.c), but nobody unpacks the bodies
		.http1 = o->http1};
	return tuza_http_client_new(&options);
}

// Runs the parts until all is done or the context has ended. The first failure's code.
static int run_parts(struct run *run, tuza_context *ctx)
{
	const struct options *o = run->options;
	tuza_waitgroup progress = {0};
	run->group = tuza_errgroup_new(ctx);
	run->ctx = tuza_errgroup_context(run->group);
	run->urls = tuza_chan_new(sizeof(struct job *), 256);
	run->finished = tuza_chan_new(sizeof(struct job *), (size_t)o->concurrency);
	run->rested = tuza_chan_new(sizeof(struct job *), 0);
	run->results = tuza_chan_new(sizeof(struct job *), 256);
	run->over = tuza_chan_new(0, 0);
	tuza_limiter_init(&run->limiter, o->rate > 0 ? o->rate : TUZA_LIMIT_INF, 1);
	if (!o->quiet && isatty(STDERR_FILENO))
		tuza_waitgroup_go(&progress, progress_run, run);
	tuza_errgroup_go(run->group, input_run, run);
	tuza_errgroup_go(run->group, dispatch_run, run);
	tuza_errgroup_go(run->group, output_run, run);
	int error = tuza_errgroup_wait(run->group);
	tuza_chan_close(run->over);
	tuza_waitgroup_wait(&progress);
	return error;
}

static void free_parts(struct run *run)
{
	struct job *j;
	while (tuza_chan_try_recv(run->urls, &j) == 0) // after an end before the input's
		job_free(j);
	tuza_chan_release(run->urls);
	tuza_chan_release(run->finished);
	tuza_chan_release(run->rested);
	tuza_chan_release(run->results);
	tuza_chan_release(run->over);
	tuza_errgroup_free(run->group);
}

static int complain(const char *what, int error)
{
	fprintf(stderr, "tuza-check: %s: %s\n", what, tuza_strerror(error));
	return EXIT_FAILED;
}

// Why it ended, in words and as the program's status.
static int conclude(struct run *run, int error, tuza_context *signals, tuza_context *ctx)
{
	const struct summary *s = &run->summary;
	int64_t left = run->read - s->done;
	int status = s->failed > 0 ? EXIT_FAILED : EXIT_FINE;
	if (tuza_context_err(signals)) {
		fprintf(stderr, "tuza-check: interrupted\n");
		status = EXIT_INTERRUPTED;
	} else if (tuza_context_err(ctx)) {
		fprintf(stderr,
			"tuza-check: the deadline has passed, %lld or more were not checked\n",
			(long long)left);
		status = EXIT_FAILED;
	} else if (error) {
		fprintf(stderr, "tuza-check: %s\n", tuza_errgroup_message(run->group));
		status = EXIT_FAILED;
	}
	return status;
}

static int check_all(struct options *o, bool own_site)
{
	struct run *run = calloc(1, sizeof *run);
	int status = EXIT_FAILED, error = 0;
	if (!run || !(run->client = make_client(o, own_site))) {
		free(run);
		return complain("to begin", -ENOMEM);
	}
	run->options = o;
	run->own_site = own_site;
	if (o->resume && !(run->resume = resume_open(o->resume, &error)))
		status = complain(o->resume, error);
	if (!error) {
		tuza_context *signals =
			tuza_context_notify_signal(tuza_context_background(), SIGINT, SIGTERM);
		tuza_context *ctx = o->deadline ? tuza_context_with_timeout(signals, o->deadline)
						: tuza_context_with_cancel(signals);
		int64_t start = tuza_now();
		error = run_parts(run, ctx);
		if (!o->quiet)
			summary_print(&run->summary, tuza_now() - start, stderr);
		status = conclude(run, error, signals, ctx);
		free_parts(run);
		tuza_context_free(ctx);
		tuza_context_free(signals);
	}
	if (run->resume)
		resume_close(run->resume);
	tuza_http_client_free(run->client);
	if (own_site && status == EXIT_FAILED)
		status = run->not_meant == 0 && !error ? EXIT_FINE : EXIT_FAILED;
	if (own_site && !o->quiet && status != EXIT_INTERRUPTED)
		fprintf(stderr, "the site's own pages: %lld as they are meant, %lld not\n",
			(long long)(run->summary.done - run->not_meant), (long long)run->not_meant);
	free(run);
	return status;
}

// Until a signal comes.
static int serve_site(struct site *site)
{
	tuza_context *ctx = tuza_context_notify_signal(tuza_context_background(), SIGINT, SIGTERM);
	for (const char *const *url = site_urls(site); *url; url++)
		puts(*url);
	int status = fflush(stdout) == 0 ? EXIT_FINE : complain("writing", -errno);
	if (status == EXIT_FINE)
		(void)tuza_chan_recv(tuza_context_done(ctx), NULL);
	tuza_context_free(ctx);
	return status;
}

static int program(void *arg)
{
	struct options own = *(const struct options *)arg, *o = &own;
	bool own_site = (!*o->urls && !*o->files) || o->serve;
	struct site *site = NULL;
	if (own_site) {
		site = site_start();
		if (!site)
			return complain("a site on loopback", -EADDRNOTAVAIL);
		o->urls = site_urls(site);
	}
	// The site is there to show things, not to wait for them.
	if (o->timeout == 0)
		o->timeout = own_site ? 500 * TUZA_MILLISECOND : 10 * TUZA_SECOND;
	if (o->retries < 0)
		o->retries = own_site ? 1 : 2;
	int status = o->serve ? serve_site(site) : check_all(o, own_site);
	if (site)
		site_stop(site);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	int status;
	keep_standard_numbers();
	if (options_parse(argc, argv, &options, &status) && !mixes_files(&options)) {
		raise_limits();
		keep_to_limits(&options);
		status = tuza_run(program, &options);
	}
	options_free(&options);
	return status;
}
