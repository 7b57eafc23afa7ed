// SPDX-License-Identifier: MIT
/*
 * Which threads are asked where they are, and when (sampler.c). One thread at a time.
 */
#ifndef TUZA_PPROF_SAMPLER_H
#define TUZA_PPROF_SAMPLER_H

#include "base/compiler.h"

struct sampler_thread {
	int id;
	int timer;
	bool is_there; // seen by the scan under way
};

// Zeroed: no thread.
struct sampler {
	struct sampler_thread *threads; // malloc'ed
	size_t count, capacity;
	int64_t period; // ns of CPU time
	void *value;    // of the signals
	int skip;       // the id of a thread that is not to be asked; 0: none
	int error;      // a code: some thread has no timer
};

// Gives each thread of the process that has none a timer, and takes those of threads that have
// ended back.
void sampler_scan(struct sampler *s);
void sampler_stop(struct sampler *s);

#endif
