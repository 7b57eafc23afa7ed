// SPDX-License-Identifier: MIT
/*
 * The head of a request: first line and headers. Two steps, both without I/O:
 *
 *	head_scan     while bytes arrive: is it complete, is it of a sane size, do its lines end as
 *	              they should
 *	head_parse    once it is: llhttp takes it apart, then what it means is checked
 */
#ifndef TUZA_HTTP_HEAD_H
#define TUZA_HTTP_HEAD_H

#include "http/text.h"

// ---- scanning ----------------------------------------------------------------------------------

struct head_limits {
	size_t line, bytes, fields;
};

// Where the scan has come to. Zeroed is at the beginning.
struct head_scan {
	size_t at;     // bytes seen
	size_t line;   // where the line that is being read begins
	size_t first;  // where the first header begins; 0: it is still the request line
	size_t fields; // headers seen
	bool blank;    // an empty line came before the request line
};

/*
 * Goes on in bytes[0 … count), of which the first s->at were seen.
 *
 * Returns  how long the head is, with its empty line; 0 when that is still to come; negative: the
 *          status to refuse it with.
 */
ssize_t head_scan(
	struct head_scan *s, const char *bytes, size_t count, const struct head_limits *limits);

// ---- parsing -----------------------------------------------------------------------------------

struct field {
	const char *name, *value; // with a final NUL
	uint32_t name_length, value_length;
};

// The strings are in the bytes that were parsed, or in the arena.
struct head {
	const char *method, *target, *path, *query, *host;
	int minor;
	bool is_head;   // the method is HEAD
	bool close;     // the connection ends with the answer
	bool expects;   // the client waits for a 100
	bool chunked;   // the body is
	int64_t length; // of the body; -1: chunked
	struct field *fields;
	size_t count, room; // of fields; the array is the caller's
};

/*
 * Takes apart a head that head_scan has measured, and writes NULs into it.
 *
 *   h       fields and room are set.
 *   fields  how many headers the scan has seen; no more than room.
 *
 * Returns  0, or the status to refuse it with.
 */
int head_parse(struct head *h, struct arena *arena, char *bytes, size_t count, size_t fields);

// The first header with this name; NULL: none.
const struct field *head_find(const struct head *h, const char *name, size_t name_length);

#endif
