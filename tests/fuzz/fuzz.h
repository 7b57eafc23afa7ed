// SPDX-License-Identifier: MIT
// What the fuzz targets share: claims, and what must hold of whatever the server has accepted.
#ifndef TUZA_FUZZ_H
#define TUZA_FUZZ_H

#include "http/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition) ((condition) ? (void)0 : fail(#condition, __LINE__))

__attribute__((unused)) static void fail(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

// Bytes of their own, so that what reads beyond them is seen. For free().
__attribute__((unused)) static char *copy_of(const char *bytes, size_t count)
{
	char *copy = malloc(count ? count : 1);
	if (count > 0)
		memcpy(copy, bytes, count);
	return copy;
}

__attribute__((unused)) static void check_text(const char *text, size_t length)
{
	MUST(strlen(text) == length);
	MUST(is_value(text, length));
}

// Names and values alone.
__attribute__((unused)) static size_t check_trailers(const tuza_http_request *r)
{
	const char *name, *value;
	size_t all = 0;
	for (size_t i = 0; (name = tuza_http_trailer_at(r, i, &value)); i++) {
		MUST(is_token(name, strlen(name)));
		check_text(value, strlen(value));
		MUST(tuza_http_trailer(r, name) != NULL);
		all += strlen(name) + strlen(value);
	}
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
