// SPDX-License-Identifier: MIT
/*
 * What processors do, looked at a hundred times a second for as long as somebody watches (watch.c).
 */
#ifndef TUZA_PPROF_WATCH_H
#define TUZA_PPROF_WATCH_H

#include "pprof/bytes.h"

enum {
	WATCH_PROCESSORS = 64, // shown; the others are counted
	WATCH_SAMPLES = 200,
	WATCH_EVERY_MS = 10,
	WATCH_MOST_MS = WATCH_SAMPLES * WATCH_EVERY_MS,
};

struct watch {
	uint32_t samples;
	uint32_t processors;
	int64_t began, ended;
	// '0' + enum processor_status
	char status[WATCH_PROCESSORS][WATCH_SAMPLES];
};

/*
 * Fills *w for this time, at most 2 s; 0: not at all. Ends early with the runtime, and at once when
 * others are watching already, too many of them.
 *
 * Needs: a blocking section.
 */
void watch_run(struct watch *w, int64_t ns);

struct group_runner;

// Appends "processors":[…] with what was seen, and which goroutine each runs.
void watch_append(const struct watch *w, const struct group_runner *running, uint32_t running_count,
	struct bytes *b);

#endif
