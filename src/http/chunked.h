// SPDX-License-Identifier: MIT
/*
 * The chunked coding, decoded strictly: lines end in CR LF and in nothing else, a size is
 * hexadecimal digits and nothing else, and neither extensions nor trailers are endless. Whoever
 * reads it more generously than the proxy in front of him can be made to see a request that the
 * proxy does not.
 *
 *	while (count > 0) {
 *		size_t used;
 *		switch (chunked_step(&d, bytes, count, &used)) {
 *		case CHUNKED_MORE: …            // all was used
 *		case CHUNKED_DATA: …            // data follows: take n <= d.left bytes of it and
 *		                                // chunked_took(&d, n)
 *		case CHUNKED_TRAILERS: …        // once: what is used from here on are
 *		                                // trailers, an empty line at their end
 *		case CHUNKED_END: …             // what follows `used` is no part of the body
 *		case CHUNKED_BAD: …             // for good
 *		}
 *	}
 */
#ifndef TUZA_HTTP_CHUNKED_H
#define TUZA_HTTP_CHUNKED_H

#include "base/compiler.h"

enum chunked_result {
	CHUNKED_MORE,
	CHUNKED_DATA,
	CHUNKED_TRAILERS,
	CHUNKED_END,
	CHUNKED_BAD,
};

// Zeroed is at the beginning.
struct chunked {
	int state;
	uint32_t digits;  // of the size so far
	uint32_t line;    // bytes of extensions in this line
	uint32_t trailer; // bytes of trailers
	uint32_t excess;  // bytes around the data that are more than it needs
	bool in_trailers; // the last chunk was seen
	uint64_t left;    // of this chunk
};

enum chunked_result chunked_step(struct chunked *d, const char *bytes, size_t count, size_t *used);
void chunked_took(struct chunked *d, size_t count);

#endif
