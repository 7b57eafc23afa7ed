// SPDX-License-Identifier: MIT
/*
 * A protocol of lines. A connection is a stream: a read returns what has come, be it half a line or
 * three of them. So a buffer keeps what is not a whole line yet, and bounds how long one may be.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tuza/tuza.h>

struct lines {
	tuza_conn *conn;
	size_t begin, end; // of what has come and is not used yet
	char bytes[64];
};

// The next line, without its end, until the next call. 0 at the end, or a code.
static int next_line(struct lines *l, char **line)
{
	for (;;) {
		char *start = l->bytes + l->begin, *stop = memchr(start, '\n', l->end - l->begin);

		if (stop) {
			l->begin += (size_t)(stop + 1 - start);
			*stop = '\0';
			if (stop > start && stop[-1] == '\r')
				stop[-1] = '\0';
			*line = start;
			return 1;
		}
		memmove(l->bytes, start, l->end -= l->begin);
		l->begin = 0;
		if (l->end == sizeof l->bytes)
			return -EMSGSIZE;
		ssize_t n = tuza_conn_read(l->conn, l->bytes + l->end, sizeof l->bytes - l->end);
		if (n <= 0) // an end within a line is no end
			return n < 0 ? (int)n : l->end > 0 ? TUZA_EUNEXPECTEDEOF : 0;
		l->end += (size_t)n;
	}
}

static void client(void *arg)
{
	static const char *const PIECES[] = {"he", "llo\nhow are", " you\r\n\nbye\n", "and wh"};
	tuza_conn *conn = arg;

	for (int i = 0; i < 4; i++)
		(void)!tuza_conn_write(conn, PIECES[i], strlen(PIECES[i]));
	tuza_conn_close(conn);
}

static int program(void *arg)
{
	struct lines lines = {.end = 0};
	tuza_conn *far;
	char *line = arg;
	int code;

	if (tuza_pipe(&lines.conn, &far) != 0)
		return 1;
	tuza_goroutine *h = tuza_spawn(client, far);
	while ((code = next_line(&lines, &line)) > 0)
		printf("\"%s\"\n", line);
	printf("then: %s\n", code == 0 ? "the end" : tuza_strerror(code));
	tuza_conn_close(lines.conn);
	tuza_join(h);
	return 0;
}

int main(void) { return tuza_run(program, NULL); }

/* Output:
"hello"
"how are you"
""
"bye"
then: unexpected EOF
 */
