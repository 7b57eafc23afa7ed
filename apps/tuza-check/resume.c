// SPDX-License-Identifier: MIT
/*
 * What was done in earlier runs: a file of URLs, one a line, that grows at its end. In memory there
 * is a number of 128 bits for each, so a million of them takes 32 MB at most. A last line without
 * an end was being written when the run was killed: it does not count.
 */
#include "tuza-check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mark {
	uint64_t a, b; // both 0: free
};

struct resume {
	int fd;
	struct mark *marks;
	size_t room, used; // room is a power of two
	FILE *text;        // what is to be written
	char *bytes;
	size_t count;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x7fb5d329728ea185; // the finisher of SplitMix64
	x = (x ^ x >> 27) * 0x81dadef4bc2dd44d;
	return x ^ x >> 33;
}

static struct mark mark_of(const char *url, size_t length)
{
	struct mark m = {14695981039346656037u, length + 1};
	for (size_t i = 0; i < length; i++) {
		m.a = (m.a ^ (unsigned char)url[i]) * 1099511628211u;
		m.b = mix(m.b + (unsigned char)url[i] + 0x9e3779b97f4a7c15);
	}
	m.a = mix(m.a) | 1; // not free
	return m;
}

static struct mark *place_of(const struct resume *r, struct mark m)
{
	size_t i = m.a >> 1 & (r->room - 1);
	while (r->marks[i].a && (r->marks[i].a != m.a || r->marks[i].b != m.b))
		i = (i + 1) & (r->room - 1);
	return &r->marks[i];
}

static bool grow(struct resume *r)
{
	struct resume larger = *r;
	larger.room = r->room ? r->room * 2 : 1024;
	larger.marks = calloc(larger.room, sizeof *larger.marks);
	if (!larger.marks)
		return false;
	for (size_t i = 0; i < r->room; i++)
		if (r->marks[i].a)
			*place_of(&larger, r->marks[i]) = r->marks[i];
	free(r->marks);
	*r = larger;
	return true;
}

static int note(struct resume *r, const char *url, size_t length)
{
	if (r->used * 2 >= r->room && !grow(r))
		return -ENOMEM;
	struct mark m = mark_of(url, length), *place = place_of(r, m);
	r->used += !place->a;
	*place = m;
	return 0;
}

bool resume_has(const struct resume *r, const char *url)
{
	return r->room && place_of(r, mark_of(url, strlen(url)))->a;
}

// ---- the file ---------------------------------------------------------------------------------

// Reads the whole lines, and cuts off what follows them.
static int read_marks(struct resume *r)
{
	FILE *in = fdopen(dup(r->fd), "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	off_t whole = 0;
	int error = in ? 0 : -errno;
	while (!error && (n = getline(&line, &room, in)) > 0 && line[n - 1] == '\n') {
		whole += n;
		error = note(r, line, (size_t)n - 1);
	}
	if (in && ferror(in))
		error = -EIO;
	free(line);
	if (in)
		fclose(in);
	if (!error && ftruncate(r->fd, whole) != 0)
		error = -errno;
	return error;
}

static void read_marks_blocking(void *arg)
{
	struct resume *r = ((void **)arg)[0];
	*(int *)((void **)arg)[1] = read_marks(r);
}

struct resume *resume_open(const char *path, int *error)
{
	struct resume *r = calloc(1, sizeof *r);
	*error = -ENOMEM;
	if (!r)
		return NULL;
	r->fd = tuza_open(path, O_RDWR | O_CREAT | O_APPEND, 0666);
	*error = r->fd < 0 ? r->fd : 0;
	if (!*error) {
		void *args[] = {r, error};
		tuza_blocking(read_marks_blocking, args);
	}
	if (!*error && !(r->text = open_memstream(&r->bytes, &r->count)))
		*error = -ENOMEM;
	if (!*error)
		return r;
	resume_close(r);
	return NULL;
}

int resume_add(struct resume *r, const char *url)
{
	return fprintf(r->text, "%s\n", url) < 0 ? -ENOMEM : 0;
}

int resume_flush(struct resume *r)
{
	if (fflush(r->text) != 0)
		return -ENOMEM;
	for (size_t at = 0; at < r->count;) {
		ssize_t n = tuza_write(r->fd, r->bytes + at, r->count - at);
		if (n < 0)
			return (int)n;
		at += (size_t)n;
	}
	rewind(r->text);
	return 0;
}

void resume_close(struct resume *r)
{
	if (r->text)
		fclose(r->text);
	if (r->fd >= 0)
		(void)tuza_close(r->fd);
	free(r->bytes);
	free(r->marks);
	free(r);
}
