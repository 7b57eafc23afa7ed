// SPDX-License-Identifier: MIT
/*
 * The ends that nothing contains: see base/fatal.h. No deferred call is made.
 *
 * Go: src/runtime/panic.go, fatal, throw
 */
#include "base/fatal.h"

#include "debug/dump.h"
#include "panic/panic.h"

#include <stdarg.h>
#include <stdio.h>

static NORETURN void die_of(
	const char *prefix, const char *format, va_list arguments, bool all, unsigned report_flags)
{
	char message[PANIC_MESSAGE_BYTES];
	struct writer w;

	vsnprintf(message, sizeof(message), format, arguments);
	die_begin(); // also when the report of a panic failed: this says why
	die_writer(&w);
	writer_text(&w, prefix);
	writer_text(&w, message);
	writer_text(&w, "\n\n");
	writer_flush(&w);
	die_with_stacks(all, report_flags);
}

void fatal(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	die_of("fatal error: ", format, arguments, false, 0);
}

void fatal_all(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	die_of("fatal error: ", format, arguments, true, 0);
}

void throw(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	die_of("fatal error: tuza: ", format, arguments, true, REPORT_RUNTIME_FRAMES);
}
