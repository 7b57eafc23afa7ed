// SPDX-License-Identifier: MIT
/*
 * A process in one call.
 */
#include "process/process.h"

#include <errno.h>
#include <stdlib.h>

EXPORT int tuza_process_run(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, tuza_process_state *state)
{
	tuza_process *p;
	int error = tuza_process_start(ctx, argv, options, &p);

	if (error) {
		if (state)
			*state = (tuza_process_state){.exit_status = NO_STATUS};
		return error;
	}
	error = tuza_process_wait(p, state);
	process_destroy(p);
	return error;
}

static int collect(tuza_context *ctx, const char *const *argv, const tuza_process_options *options,
	bool combined, char **bytes, size_t *count)
{
	tuza_process_options o = {.path = NULL};
	tuza_process_buffer out = {.bytes = NULL};
	tuza_process *p;

	if (options)
		o = *options;
	o.out = tuza_process_collect(&out);
	if (combined)
		o.err = tuza_process_same();
	*bytes = NULL;
	int error = tuza_process_start(ctx, argv, &o, &p);
	if (!error) {
		error = tuza_process_wait(p, NULL);
		process_destroy(p);
		*bytes = out.bytes ? out.bytes : calloc(1, 1);
		if (!*bytes && !error)
			error = -ENOMEM;
	}
	if (count)
		*count = out.count;
	return error;
}

EXPORT int tuza_process_output(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, char **bytes, size_t *count)
{
	return collect(ctx, argv, options, false, bytes, count);
}

EXPORT int tuza_process_combined_output(tuza_context *ctx, const char *const *argv,
	const tuza_process_options *options, char **bytes, size_t *count)
{
	return collect(ctx, argv, options, true, bytes, count);
}
