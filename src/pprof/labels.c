// SPDX-License-Identifier: MIT
/*
 * Reading the labels of a goroutine, `"key": "value", "key": "value"`, which
 * sched/goroutine_extra.c writes. A text that was read while the goroutine was being looked at from
 * a signal may be cut: then its last label is none.
 */
#include "pprof/profile.h"

#include <string.h>

// The closing quote of the string that `at` is in, or NULL.
static const char *closing_quote(const char *at)
{
	for (; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at : NULL;
}

const char *labels_next(const char *at, struct label *label)
{
	const char *end;

	if (*at != '"' || !(end = closing_quote(at + 1)))
		return NULL;
	label->key = at + 1;
	label->key_bytes = (size_t)(end - label->key);
	if (strncmp(end, "\": \"", 4) != 0)
		return NULL;
	label->value = end + 4;
	end = closing_quote(label->value);
	if (!end)
		return NULL;
	label->value_bytes = (size_t)(end - label->value);
	end++;
	return strncmp(end, ", ", 2) == 0 ? end + 2 : end;
}

static unsigned hex_digit(char c) { return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15; }

void label_unquote(struct bytes *out, const char *quoted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = quoted[i];

		if (c == '\\' && i + 3 < n && quoted[i + 1] == 'x') {
			c = (char)(hex_digit(quoted[i + 2]) << 4 | hex_digit(quoted[i + 3]));
			i += 3;
		} else if (c == '\\' && i + 1 < n) {
			c = quoted[++i];
		}
		bytes_put(out, &c, 1);
	}
}
