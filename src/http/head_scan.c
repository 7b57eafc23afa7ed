// SPDX-License-Identifier: MIT
/*
 * Before anything is understood of a head, its lines: every one ends in CR LF, and nothing that a
 * more generous reader might take for the end of a line (CR alone, LF alone, NUL) is within. So
 * whoever reads the same bytes sees the same lines.
 */
#include "http/head.h"

// A line's end at s->at - 2. Returns as head_scan, 0: go on.
static ssize_t end_line(struct head_scan *s, const char *bytes, const struct head_limits *limits)
{
	size_t begin = s->line, length = s->at - 2 - begin;
	s->line = s->at;
	if (s->first == 0) {
		if (length == 0) {
			// One empty line before a request is from clients that end bodies with it
			// (RFC 9112, 2.2).
			if (s->blank)
				return -400;
			s->blank = true;
			return 0;
		}
		if (length > limits->line)
			return -414;
		s->first = s->at;
		return 0;
	}
	if (length == 0)
		return s->at - s->first > limits->bytes ? -431 : (ssize_t)s->at;
	if (bytes[begin] == ' ' || bytes[begin] == '\t')
		return -400; // would continue the line before
	return ++s->fields > limits->fields ? -431 : 0;
}

ssize_t head_scan(
	struct head_scan *s, const char *bytes, size_t count, const struct head_limits *limits)
{
	while ((s->at += count_plain(bytes + s->at, count - s->at)) < count) {
		unsigned char c = (unsigned char)bytes[s->at];
		if (c == '\r') {
			if (s->at + 1 == count)
				break;
			if (bytes[s->at + 1] != '\n')
				return -400;
			s->at += 2;
			ssize_t end = end_line(s, bytes, limits);
			if (end)
				return end;
		} else if (c == '\t' && s->first) {
			s->at++;
		} else {
			return -400;
		}
		if (s->first && s->at - s->first > limits->bytes)
			return -431;
	}
	if (s->first == 0 && s->at - s->line > limits->line)
		return -414;
	return s->first && s->at - s->first > limits->bytes ? -431 : 0;
}
