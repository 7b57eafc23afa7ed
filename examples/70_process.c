// SPDX-License-Identifier: MIT
/*
 * Child processes: output kept in memory, a dialogue over pipes, and a deadline that ends one that
 * takes too long, with all that it has started.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tuza/tuza.h>

static void ask_what_it_says(tuza_context *ctx)
{
	char *said;
	int code = tuza_process_output(ctx,
		TUZA_ARGV("sh", "-c", "echo $0 $1; exit 3", "two", "words"), NULL, &said, NULL);
	if (said) // else there was no process
		printf("said %.*s, ", (int)strcspn(said, "\n"), said);
	puts(tuza_strerror(code));
	free(said);
}

static int talk_to_it(tuza_context *ctx)
{
	tuza_process *p;
	tuza_process_options o = {.in = tuza_process_pipe(), .out = tuza_process_pipe()};
	int code = tuza_process_start(ctx, TUZA_ARGV("sort", "-n"), &o, &p);
	if (code != 0)
		return code;
	TUZA_DEFER(tuza_process_free, p); // whatever happens, nothing stays behind
	char line[16];
	for (int i = 3; i > 0; i--) {
		ssize_t n = snprintf(line, sizeof line, "%d\n", i * i);
		if (tuza_conn_write(tuza_process_in(p), line, (size_t)n) != n)
			return -EPIPE;
	}
	tuza_conn_close(tuza_process_in(p)); // that was all
	for (ssize_t n; (n = tuza_conn_read(tuza_process_out(p), line, sizeof line)) > 0;)
		printf("%.*s", (int)n, line);
	return tuza_process_wait(p, NULL);
}

static int program(void *arg)
{
	(void)arg;
	ask_what_it_says(tuza_context_background());
	printf("sorted: %s\n", tuza_strerror(talk_to_it(tuza_context_background())));
	printf("%s\n", tuza_strerror(tuza_process_run(tuza_context_background(),
			       TUZA_ARGV("no-such-program"), NULL, NULL)));

	tuza_context *ctx =
		tuza_context_with_timeout(tuza_context_background(), 50 * TUZA_MILLISECOND);
	TUZA_DEFER(tuza_context_free, ctx);
	int code = tuza_process_run(ctx, TUZA_ARGV("sh", "-c", "sleep 1000 | cat"),
		&(tuza_process_options){.group = true}, NULL);
	printf("%s\n", tuza_strerror(code));
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
said two words, exit status 3
1
4
9
sorted: success
No such file or directory
context deadline exceeded
 */
