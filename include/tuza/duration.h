// SPDX-License-Identifier: MIT
/*
 * Durations: nanoseconds, and the units to write them in, such as 5 * TUZA_SECOND. Every header
 * brings them along; the clock is in tuza/time.h.
 */
#ifndef TUZA_DURATION_H
#define TUZA_DURATION_H

#include <stdint.h>

// Nanoseconds.
typedef int64_t tuza_duration;

#define TUZA_NANOSECOND ((tuza_duration)1)
#define TUZA_MICROSECOND (1000 * TUZA_NANOSECOND)
#define TUZA_MILLISECOND (1000 * TUZA_MICROSECOND)
#define TUZA_SECOND (1000 * TUZA_MILLISECOND)
#define TUZA_MINUTE (60 * TUZA_SECOND)
#define TUZA_HOUR (60 * TUZA_MINUTE)

#endif
