// SPDX-License-Identifier: MIT
/*
 * Texts as numbers: names of tasks and regions, what is logged (texts.c).
 */
#ifndef TUZA_TRACE_TEXTS_H
#define TUZA_TRACE_TEXTS_H

#include "base/compiler.h"

enum {
	TEXTS_MAX = 1 << 14,
	TEXT_BYTES_MAX = 1024, // with the final 0; what is longer is cut
};

// The number of a text, the same for equal ones; 0: there are too many already. Any thread.
uint32_t texts_number(const char *text);
uint32_t texts_count(void); // all numbers are below
const char *texts_text(uint32_t number);
void texts_forget(void); // nobody asks any more

#endif
