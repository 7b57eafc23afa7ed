// SPDX-License-Identifier: MIT
/*
 * Paths of requests, percent-encoded as they come.
 */
#ifndef TUZA_HTTP_PATH_H
#define TUZA_HTTP_PATH_H

#include "http/text.h"

// How many bytes come before the next '/', or the end.
size_t path_segment(const char *path);

// Whether it begins with '/' and has no empty segment but a last one, and none that is "." or "..".
bool path_is_clean(const char *path);

// The clean path that means the same, a final '/' kept. NULL: no memory.
char *path_clean(struct arena *a, const char *path);

/*
 * `path` and `query` as a header's Location may say them: what could be misread (a backslash is a
 * slash to browsers) is encoded.
 *
 * Returns  NULL: no memory.
 */
char *path_location(struct arena *a, const char *path, const char *query);

#endif
