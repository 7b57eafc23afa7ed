// SPDX-License-Identifier: MIT
/*
 * Names and texts of error codes: tuza's own from the table in tuza/error.h, the C library's for
 * errno values.
 */
#define _GNU_SOURCE
#include <tuza/error.h>

#include "base/compiler.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct error_words {
	int code;
	const char *name, *text;
};

static const struct error_words own_errors[] = {
#define ERROR_WORDS(name, value, text) {value, #name, text},
	TUZA_ERRORS(ERROR_WORDS)
#undef ERROR_WORDS
	// Go's words for what a context says.
	{-ECANCELED, "ECANCELED", "context canceled"},
	{-ETIMEDOUT, "ETIMEDOUT", "context deadline exceeded"},
};

// The negative form; INT_MIN has no positive one and stays.
static int error_normalise(int code) { return code > 0 ? -code : code; }

static const struct error_words *error_find(int code)
{
	for (size_t i = 0; i < COUNT_OF(own_errors); i++)
		if (own_errors[i].code == code)
			return &own_errors[i];
	return NULL;
}

// Whether -code can be an errno value: above is nothing of the kernel's, and no overflow.
static bool error_is_errno(int code) { return code < 0 && code > -4096; }

// The signal that a TUZA_ESIGNAL names; 0: it is another code.
static int error_signal(int code)
{
	return code < TUZA_ESIGNAL(0) && code > TUZA_ESIGNAL(_NSIG) ? TUZA_ESIGNAL(0) - code : 0;
}

// "exit status 0" to "exit status 255": literals, since a text is never freed nor changed.
#define EXIT_TEXT(n) "exit status " n
#define EXIT_TEN(n)                                                                                \
	EXIT_TEXT(n "0"), EXIT_TEXT(n "1"), EXIT_TEXT(n "2"), EXIT_TEXT(n "3"), EXIT_TEXT(n "4"),  \
		EXIT_TEXT(n "5"), EXIT_TEXT(n "6"), EXIT_TEXT(n "7"), EXIT_TEXT(n "8"),            \
		EXIT_TEXT(n "9")
#define EXIT_HUNDRED(n)                                                                            \
	EXIT_TEN(n "0"), EXIT_TEN(n "1"), EXIT_TEN(n "2"), EXIT_TEN(n "3"), EXIT_TEN(n "4"),       \
		EXIT_TEN(n "5"), EXIT_TEN(n "6"), EXIT_TEN(n "7"), EXIT_TEN(n "8"),                \
		EXIT_TEN(n "9")
static const char *const exit_texts[] = {EXIT_TEN(""), EXIT_TEN("1"), EXIT_TEN("2"), EXIT_TEN("3"),
	EXIT_TEN("4"), EXIT_TEN("5"), EXIT_TEN("6"), EXIT_TEN("7"), EXIT_TEN("8"), EXIT_TEN("9"),
	EXIT_HUNDRED("1"), EXIT_TEN("20"), EXIT_TEN("21"), EXIT_TEN("22"), EXIT_TEN("23"),
	EXIT_TEN("24"), EXIT_TEN("25")};

// The text of a TUZA_EEXIT; NULL: it is another code.
static const char *exit_text(int code)
{
	return code < TUZA_EEXIT(0) && code >= TUZA_EEXIT(255) ? exit_texts[TUZA_EEXIT(0) - code]
							       : NULL;
}

EXPORT const char *tuza_strerror(int code)
{
	code = error_normalise(code);
	const struct error_words *own = error_find(code);
	const char *text = NULL;

	if (code == 0)
		return "success";
	if (own)
		return own->text;
	if (error_is_errno(code))
		text = strerrordesc_np(-code);
	else if (error_signal(code))
		text = sigdescr_np(error_signal(code));
	else
		text = exit_text(code);
	return text ? text : "unknown error";
}

EXPORT const char *tuza_error_name(int code)
{
	code = error_normalise(code);
	const struct error_words *own = error_find(code);
	const char *name = NULL;

	if (own)
		return own->name;
	if (error_is_errno(code))
		name = strerrorname_np(-code);
	return name ? name : "?";
}
