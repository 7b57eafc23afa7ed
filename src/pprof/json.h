// SPDX-License-Identifier: MIT
/*
 * JSON, appended to bytes: what is written must be balanced by the caller.
 */
#ifndef TUZA_PPROF_JSON_H
#define TUZA_PPROF_JSON_H

#include "pprof/bytes.h"

// A string of these n bytes; what is not UTF-8 becomes U+FFFD. Text for whom `<` means nothing.
void json_string(struct bytes *b, const char *text, size_t n);

// The same up to the final 0, at most `most` bytes of it: then it ends with "…".
void json_text(struct bytes *b, const char *text, size_t most);

// "key": with a comma before, unless a { or [ stands there.
void json_key(struct bytes *b, const char *key);

// A comma, unless a {, [ or : stands there, or nothing.
void json_separate(struct bytes *b);

void json_uint(struct bytes *b, const char *key, uint64_t n);
void json_hex(struct bytes *b, const char *key, uint64_t n); // a string: numbers have 53 bits there
void json_member(struct bytes *b, const char *key, const char *text, size_t most);

#endif
