// SPDX-License-Identifier: MIT
/*
 * Reads traces in Go's format: what is in a file, by kind of event. `go tool trace` reads them more
 * strictly, see tests/meta/trace_test.sh.
 */
#ifndef TUZA_TEST_TRACE_SUPPORT_H
#define TUZA_TEST_TRACE_SUPPORT_H

#include "test.h"

#include <sys/mman.h>
#include <tuza/trace.h>

// Of src/internal/trace/tracev2/events.go.
enum {
	EV_BATCH = 1,
	EV_STACKS = 2,
	EV_STRINGS = 4,
	EV_FREQUENCY = 8,
	EV_PROC_START = 10,
	EV_PROC_STATUS = 13,
	EV_GO_CREATE = 14,
	EV_GO_START = 16,
	EV_GO_DESTROY = 17,
	EV_GO_STOP = 19,
	EV_GO_BLOCK = 20,
	EV_GO_UNBLOCK = 21,
	EV_SYSCALL_BEGIN = 22,
	EV_SYSCALL_END = 23,
	EV_SYSCALL_END_BLOCKED = 24,
	EV_TASK_BEGIN = 40,
	EV_TASK_END = 41,
	EV_REGION_BEGIN = 42,
	EV_REGION_END = 43,
	EV_LOG = 44,
	EV_STATUS_STACK = 48,
	EV_KINDS = 49,
};

struct trace_file {
	unsigned char *data;
	size_t length, at;
	bool is_broken;
	uint64_t count[EV_KINDS];
	uint64_t threads;    // batches' different ones, at most 64 are told apart
	uint64_t thread[64]; // their ids
	uint64_t last[64];   // and the time of their latest event
	uint64_t begin, end; // times of the first and last event
	uint64_t processors; // bits: those that started
	char texts[1 << 16]; // a line each
	size_t texts_length;
};

static inline uint64_t trace_varint(struct trace_file *t)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (t->at >= t->length)
			break;
		unsigned char byte = t->data[t->at++];

		n |= shift < 64 ? (uint64_t)(byte & 127) << shift : 0;
		if (byte < 128)
			return n;
	}
	t->is_broken = true;
	return 0;
}

static inline void trace_read_texts(struct trace_file *t, size_t end)
{
	while (t->at < end && !t->is_broken) {
		t->at++; // EV_STRING
		trace_varint(t);
		size_t n = trace_varint(t);

		if (n > end - t->at) {
			t->is_broken = true;
			return;
		}
		if (t->texts_length + n + 2 < sizeof(t->texts)) {
			memcpy(t->texts + t->texts_length, t->data + t->at, n);
			t->texts_length += n;
			t->texts[t->texts_length++] = '\n';
		}
		t->at += n;
	}
}

static inline uint64_t *trace_last_of(struct trace_file *t, uint64_t thread)
{
	uint64_t i = 0;

	while (i < t->threads && t->thread[i] != thread)
		i++;
	if (i == t->threads && i < 63)
		t->thread[t->threads++] = thread;
	return &t->last[i];
}

static inline void trace_read_events(struct trace_file *t, size_t end, uint64_t time, uint64_t m)
{
	static const unsigned char arguments[EV_KINDS] = {
		[EV_PROC_START] = 2,
		[11] = 0,
		[12] = 3,
		[EV_PROC_STATUS] = 2,
		[EV_GO_CREATE] = 3,
		[EV_GO_START] = 2,
		[EV_GO_STOP] = 2,
		[EV_GO_BLOCK] = 2,
		[EV_GO_UNBLOCK] = 3,
		[EV_SYSCALL_BEGIN] = 2,
		[EV_TASK_BEGIN] = 4,
		[EV_TASK_END] = 2,
		[EV_REGION_BEGIN] = 3,
		[EV_REGION_END] = 3,
		[EV_LOG] = 4,
		[EV_STATUS_STACK] = 4,
	};
	uint64_t *last = trace_last_of(t, m);

	if (time < *last)
		t->is_broken = true; // batches of a thread are in order
	while (t->at < end && !t->is_broken) {
		unsigned kind = t->data[t->at++];
		uint64_t first = 0;

		if (kind < 10 || kind >= EV_KINDS) {
			t->is_broken = true;
			return;
		}
		time += trace_varint(t);
		for (unsigned i = 0; i < arguments[kind]; i++) {
			uint64_t n = trace_varint(t);

			first = i == 0 ? n : first;
		}
		t->count[kind]++;
		if (kind == EV_PROC_START)
			t->processors |= UINT64_C(1) << (first & 63);
		if (t->begin == 0 || time < t->begin)
			t->begin = time;
		if (time > t->end)
			t->end = time;
	}
	*last = time;
}

// Reads the whole file behind fd. free() it.
static inline struct trace_file *trace_read(int fd)
{
	struct trace_file *t = calloc(1, sizeof(*t));
	off_t length = lseek(fd, 0, SEEK_END);

	t->length = (size_t)length;
	t->data = malloc(t->length + 1);
	if (pread(fd, t->data, t->length, 0) != length)
		t->is_broken = true;
	t->is_broken |= t->length < 16 || memcmp(t->data, "go 1.23 trace\0\0", 16) != 0;
	t->at = 16;
	while (!t->is_broken && t->at < t->length) {
		if (t->data[t->at++] != EV_BATCH || trace_varint(t) != 1)
			t->is_broken = true;
		uint64_t thread = trace_varint(t), time = trace_varint(t);
		size_t bytes = trace_varint(t);

		if (t->is_broken || bytes == 0 || bytes > t->length - t->at || bytes > 65536) {
			t->is_broken = true;
			break;
		}
		size_t end = t->at + bytes;
		unsigned kind = t->data[t->at];

		if (kind < EV_KINDS && kind < 10)
			t->count[kind]++;
		if (kind == EV_STRINGS) {
			t->at++;
			trace_read_texts(t, end);
		} else if (kind >= 10) {
			trace_read_events(t, end, time, thread);
		}
		t->is_broken |= t->at > end;
		t->at = end;
	}
	free(t->data);
	t->data = NULL;
	return t;
}

static inline int trace_memory(void) { return memfd_create("trace", MFD_CLOEXEC); }

#endif
