// SPDX-License-Identifier: MIT
/*
 * What the public headers share: codes of errors and units of time (tuza/error.h, tuza/duration.h),
 * attributes and the counting of macro arguments. Everything here is private to tuza's headers
 * (names end in an underscore), except TUZA_MUST_USE and TUZA_IGNORE.
 */
#ifndef TUZA_MACROS_H
#define TUZA_MACROS_H

#include <tuza/duration.h>
#include <tuza/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A result that must not be ignored.
#define TUZA_MUST_USE __attribute__((warn_unused_result))
/*
 * Ignores such a result on purpose: TUZA_IGNORE(tuza_try(f, x, NULL)); // x->ended says
 * gcc warns about a cast to void all the same.
 */
#define TUZA_IGNORE(result)                                                                        \
	do {                                                                                       \
		__typeof__(result) tuza_ignored_ = (result);                                       \
		(void)tuza_ignored_;                                                               \
	} while (0)
// A call of the program's function whose result nobody could use: a go statement, a defer.
#define TUZA_DROP_RESULT_(...)                                                                     \
	_Pragma("GCC diagnostic push")                                                             \
		_Pragma("GCC diagnostic ignored \"-Wunused-result\"")(void)(__VA_ARGS__);          \
	_Pragma("GCC diagnostic pop")
#define TUZA_NORETURN_ __attribute__((noreturn))
#define TUZA_PRINTF_(at, first) __attribute__((format(printf, at, first)))

// What a constructor returns has to be freed by `fn`: gcc's -fanalyzer can find one forgotten.
#if defined(__GNUC__) && __GNUC__ >= 11 && !defined(__clang__)
#define TUZA_FREED_BY_(fn) __attribute__((malloc(fn, 1)))
#else
#define TUZA_FREED_BY_(fn)
#endif

// The argument number `n` is an address that is compared only: what lies there need not be set.
#if defined(__GNUC__) && __GNUC__ >= 11 && !defined(__clang__)
#define TUZA_ADDRESS_ONLY_(n) __attribute__((access(none, n)))
#else
#define TUZA_ADDRESS_ONLY_(n)
#endif

/*
 * A function whose short way is compiled into the caller, and in the library an ordinary one: that
 * is what programs link against, and what tells the race detector, which does not see the library's
 * atomics.
 */
#if defined(TUZA_LIBRARY_)
#define TUZA_INLINE_
#elif defined(__cplusplus)
#define TUZA_INLINE_ __attribute__((always_inline)) inline
#else
#define TUZA_INLINE_ __attribute__((always_inline)) __inline__
#endif
// Part of such short ways, everywhere. They have no addresses, which clang's -finstrument-functions
// would ask for.
#define TUZA_PART_INLINE_ __attribute__((always_inline, no_instrument_function)) __inline__
#define TUZA_LIKELY_(x) __builtin_expect(!!(x), 1)

// Clang's thread-safety analysis (-Wthread-safety); nothing elsewhere.
#if defined(__clang__) && !defined(SWIG)
#define TUZA_TSA_(x) __attribute__((x))
#else
#define TUZA_TSA_(x)
#endif

#define TUZA_CAT2_(a, b) a##b
#define TUZA_CAT_(a, b) TUZA_CAT2_(a, b)

// The number of arguments after the first, 0 to 8; 9: some more.
#define TUZA_COUNT_(...) TUZA_COUNT2_(__VA_ARGS__, 9, 9, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, _)
#define TUZA_COUNT2_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, n, ...) n
#define TUZA_FIRST_(...) TUZA_FIRST2_(__VA_ARGS__, _)
#define TUZA_FIRST2_(first, ...) first

#endif
