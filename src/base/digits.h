// SPDX-License-Identifier: MIT
/*
 * A number as text, without stdio: for signal handlers, and for those who write many.
 */
#ifndef TUZA_BASE_DIGITS_H
#define TUZA_BASE_DIGITS_H

#include "base/compiler.h"

enum { DIGITS_MAX = 20 }; // 2^64 has as many in base 10

// Writes the digits to the end of the array, base 10 or 16; returns where they begin.
static inline char *digits_write(char digits[DIGITS_MAX], uint64_t n, unsigned base)
{
	char *at = digits + DIGITS_MAX;

	do {
		*--at = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	return at;
}

#endif
