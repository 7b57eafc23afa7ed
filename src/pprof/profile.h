// SPDX-License-Identifier: MIT
/*
 * A profile in memory: what was counted, by stack and labels; and its two forms, pprof's and text.
 */
#ifndef TUZA_PPROF_PROFILE_H
#define TUZA_PPROF_PROFILE_H

#include "debug/backtrace.h"
#include "pprof/bytes.h"

enum { PROFILE_VALUES_MAX = 4 };

// One line of the profile.
struct profile_entry {
	struct profile_entry *next; // of its bucket
	uint64_t hash;
	int64_t order;                       // profile_sorted's
	uint64_t values[PROFILE_VALUES_MAX]; // of a difference: negative in two's complement
	const char *name;   // what stands for a stack that cannot be had; NULL: the frames
	const char *labels; // `"key": "value", …`, as in dumps; or ""
	uint64_t bytes;     // of each allocation; 0: it is not about memory
	uint64_t rate;      // at which it was sampled; 0: it is no sample
	uint32_t count;
	struct backtrace_frame frames[]; // innermost first
};

struct profile_value {
	const char *type, *unit;
};

// How it is told to people: text.c.
enum profile_text {
	PROFILE_TEXT_COUNT,
	PROFILE_TEXT_BLOCK,
	PROFILE_TEXT_MUTEX,
	PROFILE_TEXT_HEAP,
};

// What is counted: constant, in the words that `go tool pprof` knows.
struct profile_kind {
	const char *name;
	struct profile_value values[PROFILE_VALUES_MAX];
	uint32_t value_count;
	uint32_t sort_by; // the value by whose fall entries are ordered
	struct profile_value period_type;
	uint64_t period;            // of period_type between two samples; the profile has it, too
	const char *default_sample; // the type of the value that pprof shows if not told; NULL: any
	enum profile_text text;
};

struct profile {
	const struct profile_kind *kind;
	struct profile_entry **buckets; // malloc'ed
	size_t bucket_count, entry_count;
	int64_t time;     // wall clock when it began, ns since 1970
	int64_t duration; // ns; 0: of one moment
	uint64_t period;  // as the kind has it, until the source knows better
	bool is_raw;      // for text: samples as they were taken, not what they stand for
	bool failed;      // something was left out for want of memory
};

// A key: what entries are told apart by.
struct profile_stack {
	const struct backtrace_frame *frames;
	uint32_t count;
	const char *name;   // copied; used when count is 0
	const char *labels; // copied; "": none
	uint64_t bytes;     // as in struct profile_entry
	uint64_t rate;
};

// An empty one that begins now.
void profile_init(struct profile *p, const struct profile_kind *kind);
void profile_destroy(struct profile *p);

// Adds to the values of this stack. The entry; NULL without memory, and the profile has failed.
struct profile_entry *profile_add(
	struct profile *p, const struct profile_stack *stack, const uint64_t *values);

/*
 * Takes away what has been counted before: `p` becomes a profile of the time since then.
 */
void profile_subtract(struct profile *p, const struct profile *before);

// All entries that are not zero by falling values, malloc'ed, and how many; NULL without memory.
struct profile_entry **profile_sorted(const struct profile *p, size_t *count);

/*
 * The two forms. Both look symbols up: they need 10 KiB of stack, and must not be called from a
 * signal handler. `out` fails without memory.
 */
void profile_to_proto(const struct profile *p, struct bytes *out); // encode.c
void profile_to_text(const struct profile *p, struct bytes *out);  // text.c

// ---- labels.c: labels as dumps have them -------------------------------------------------------

struct label {
	const char *key, *value;       // behind the opening quote
	size_t key_bytes, value_bytes; // up to the closing one, escapes included
};

// The label at `at`, and then what is behind it; NULL at the end.
const char *labels_next(const char *at, struct label *label);

// Appends what the quoted bytes stand for.
void label_unquote(struct bytes *out, const char *quoted, size_t n);

#endif
