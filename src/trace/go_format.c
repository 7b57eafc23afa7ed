// SPDX-License-Identifier: MIT
/*
 * Go's format of execution traces, version 2 as of Go 1.23, for `go tool trace`.
 *
 * (The older one is in go_old_format.c: it has neither threads nor the reasons of the runtime's
 * own.)
 *
 * A file is a header and batches of events, each of one thread, with times as differences; behind
 * them the texts and stacks that events refer to by number. Readers bring the threads' events into
 * one order by replaying what they do to goroutines and processors; sequence numbers tell them
 * which of two hand-overs came first. A history is consistent already: its steps are translated
 * one by one.
 *
 * Go: src/internal/trace/tracev2/events.go, src/internal/trace/order.go
 */
#include "trace/go_parts.h"
#include "trace/texts.h"

#include <string.h>

enum {
	EV_BATCH = 1,
	EV_STACKS,
	EV_STACK,
	EV_STRINGS,
	EV_STRING,
	EV_FREQUENCY = 8,
	EV_PROC_START = 10,
	EV_PROC_STOP,
	EV_PROC_STEAL,
	EV_PROC_STATUS,
	EV_GO_CREATE,
	EV_GO_START = 16,
	EV_GO_DESTROY,
	EV_GO_STOP = 19,
	EV_GO_BLOCK,
	EV_GO_UNBLOCK,
	EV_GO_SYSCALL_BEGIN,
	EV_GO_SYSCALL_END,
	EV_GO_SYSCALL_END_BLOCKED,
	EV_GO_STATUS,
	EV_TASK_BEGIN = 40,
	EV_TASK_END,
	EV_REGION_BEGIN,
	EV_REGION_END,
	EV_LOG,
	EV_GO_STATUS_STACK = 48,
};
enum { PROC_RUNNING = 1, PROC_IDLE };
enum { GO_RUNNABLE = 1, GO_RUNNING, GO_SYSCALL, GO_WAITING };
enum {
	GENERATION = 1,
	BATCH_MOST = PIECE_BYTES - 256, // then the batch is written
};

// Beside those of enum wait_reason.
enum { REASON_NO_TEXT = 61, REASON_YIELDED, REASON_TOLD };

// Our texts, then those of reasons, then functions and files.
enum { REASON_TEXTS = TEXTS_MAX, NAME_TEXTS = TEXTS_MAX + 64 };

struct go_writer {
	struct go_parts parts; // batches by thread
	uint64_t reasons;      // those that occur
	struct piece stacks;
};

// ---- batches -----------------------------------------------------------------------------------

static void write_batch(struct go_writer *w, uint64_t thread, int64_t time, struct piece *piece)
{
	unsigned char bytes[64];
	struct piece head = {.data = bytes};

	if (piece->length == 0)
		return;
	piece_byte(&head, EV_BATCH);
	piece_varint(&head, GENERATION);
	piece_varint(&head, thread);
	piece_varint(&head, (uint64_t)time);
	piece_varint(&head, piece->length);
	output_piece(&w->parts.out, &head);
	output_piece(&w->parts.out, piece);
}

// Begins an event of the thread. Nothing else may be written to its piece until its arguments are.
static struct piece *event(struct go_writer *w, const struct step *s, unsigned kind)
{
	struct batch *b = &w->parts.batches[s->thread];

	if (b->piece.length > BATCH_MOST)
		write_batch(w, w->parts.history->threads[s->thread], b->begin, &b->piece);
	if (b->piece.length == 0)
		b->begin = b->last = s->time;
	piece_byte(&b->piece, kind);
	piece_varint(&b->piece, (uint64_t)(s->time - b->last));
	b->last = s->time;
	return &b->piece;
}

static void put_stack(struct go_writer *w, struct piece *p, uint32_t stack)
{
	piece_varint(p, go_parts_stack(&w->parts, stack));
}

// 0: there were too many.
static void put_text(struct go_writer *w, struct piece *p, uint32_t text)
{
	w->reasons |= UINT64_C(1) << REASON_NO_TEXT;
	piece_varint(p, text ? text : REASON_TEXTS + REASON_NO_TEXT);
}

static void put_reason(struct go_writer *w, struct piece *p, uint32_t reason)
{
	w->reasons |= UINT64_C(1) << reason;
	piece_varint(p, REASON_TEXTS + reason);
}

// ---- steps -------------------------------------------------------------------------------------

static void write_status(
	struct go_writer *w, const struct step *s, unsigned status, uint64_t thread, uint32_t stack)
{
	struct piece *p = event(w, s, EV_GO_STATUS_STACK);

	piece_varint(p, s->goroutine);
	piece_varint(p, thread);
	piece_varint(p, status);
	put_stack(w, p, stack);
}

static void write_is(struct go_writer *w, const struct step *s)
{
	static const unsigned states[] = {
		[HISTORY_RUNNABLE] = GO_RUNNABLE,
		[HISTORY_RUNNING] = GO_RUNNING,
		[HISTORY_BLOCKED] = GO_SYSCALL,
		[HISTORY_WAITING] = GO_WAITING,
	};
	bool has_thread = s->state == HISTORY_RUNNING || s->state == HISTORY_BLOCKED;

	write_status(w, s, states[s->state],
		has_thread ? w->parts.history->threads[s->thread] : UINT64_MAX, s->stack);
}

static void write_created(struct go_writer *w, const struct step *s)
{
	struct piece *p;

	// Go knows no threads without a processor that make goroutines.
	if (s->processor == TRACE_NO_PROCESSOR || s->state == HISTORY_BLOCKED) {
		write_status(w, s, GO_RUNNABLE, UINT64_MAX, s->entry);
		return;
	}
	p = event(w, s, EV_GO_CREATE);
	piece_varint(p, s->goroutine);
	put_stack(w, p, s->entry);
	put_stack(w, p, s->stack);
}

static void write_numbered(
	struct go_writer *w, const struct step *s, unsigned kind, uint64_t number, bool has_stack)
{
	struct piece *p = event(w, s, kind);

	piece_varint(p, number);
	piece_varint(p, s->sequence);
	if (has_stack)
		put_stack(w, p, s->stack);
}

static void write_stop(struct go_writer *w, const struct step *s, unsigned kind, uint32_t reason)
{
	struct piece *p = event(w, s, kind);

	put_reason(w, p, reason);
	put_stack(w, p, s->stack);
}

static void write_annotation(struct go_writer *w, const struct step *s, unsigned kind)
{
	struct piece *p = event(w, s, kind);

	piece_varint(p, s->id);
	if (kind == EV_TASK_BEGIN)
		piece_varint(p, s->parent ? s->parent : UINT64_MAX);
	if (kind != EV_TASK_END)
		put_text(w, p, s->name);
	if (kind == EV_LOG)
		put_text(w, p, s->text);
	put_stack(w, p, s->stack);
}

static void write_processor(struct go_writer *w, const struct step *s, unsigned kind)
{
	struct piece *p = event(w, s, kind);

	piece_varint(p, s->processor);
	switch (s->kind) {
	case STEP_PROCESSOR_IS_IDLE:
		piece_varint(p, PROC_IDLE);
		break;
	case STEP_PROCESSOR_IS_RUNNING:
		piece_varint(p, PROC_RUNNING);
		break;
	case STEP_PROCESSOR_STOLEN:
		piece_varint(p, s->sequence);
		piece_varint(p, w->parts.history->threads[s->from]);
		break;
	default:
		piece_varint(p, s->sequence);
		break;
	}
}

static void write_step(const struct step *s, void *writer)
{
	struct go_writer *w = writer;
	struct piece *p;

	switch (s->kind) {
	case STEP_PROCESSOR_IS_IDLE:
	case STEP_PROCESSOR_IS_RUNNING:
		write_processor(w, s, EV_PROC_STATUS);
		break;
	case STEP_IS:
		write_is(w, s);
		break;
	case STEP_PROCESSOR_STARTS:
		write_processor(w, s, EV_PROC_START);
		break;
	case STEP_PROCESSOR_STOPS:
		(void)event(w, s, EV_PROC_STOP);
		break;
	case STEP_PROCESSOR_STOLEN:
		write_processor(w, s, EV_PROC_STEAL);
		break;
	case STEP_CREATED:
		write_created(w, s);
		break;
	case STEP_STARTS:
		write_numbered(w, s, EV_GO_START, s->goroutine, false);
		break;
	case STEP_YIELDS:
		write_stop(w, s, EV_GO_STOP, s->detail ? REASON_TOLD : REASON_YIELDED);
		break;
	case STEP_PARKS:
		write_stop(w, s, EV_GO_BLOCK, s->detail);
		break;
	case STEP_READY:
		write_numbered(w, s, EV_GO_UNBLOCK, s->goroutine, true);
		break;
	case STEP_ENDS:
		(void)event(w, s, EV_GO_DESTROY);
		break;
	case STEP_BLOCKS:
		p = event(w, s, EV_GO_SYSCALL_BEGIN);
		piece_varint(p, s->sequence);
		put_stack(w, p, s->stack);
		break;
	case STEP_UNBLOCKS:
		(void)event(w, s, EV_GO_SYSCALL_END);
		break;
	case STEP_UNBLOCKS_LATE:
		(void)event(w, s, EV_GO_SYSCALL_END_BLOCKED);
		break;
	case STEP_TASK_BEGINS:
		write_annotation(w, s, EV_TASK_BEGIN);
		break;
	case STEP_TASK_ENDS:
		write_annotation(w, s, EV_TASK_END);
		break;
	case STEP_REGION_BEGINS:
		write_annotation(w, s, EV_REGION_BEGIN);
		break;
	case STEP_REGION_ENDS:
		write_annotation(w, s, EV_REGION_END);
		break;
	case STEP_LOG:
		write_annotation(w, s, EV_LOG);
		break;
	}
}

// ---- texts and stacks --------------------------------------------------------------------------

static void write_text(struct go_writer *w, uint64_t number, const char *text)
{
	size_t n = strnlen(text, GO_TEXT_MOST);

	if (w->parts.texts.length + n + 32 > PIECE_BYTES)
		write_batch(w, UINT64_MAX, w->parts.history->begin, &w->parts.texts);
	if (w->parts.texts.length == 0)
		piece_byte(&w->parts.texts, EV_STRINGS);
	piece_byte(&w->parts.texts, EV_STRING);
	piece_varint(&w->parts.texts, number);
	piece_varint(&w->parts.texts, n);
	piece_bytes(&w->parts.texts, text, n);
}

static uint32_t name_number(struct go_writer *w, const char *name)
{
	bool is_new;
	uint32_t number = NAME_TEXTS + names_number(&w->parts.names, name, &is_new);

	if (is_new)
		write_text(w, number, name);
	return number;
}

static void write_stack(struct go_writer *w, uint32_t number)
{
	struct named_frame frames[NAMED_FRAMES_MAX];
	uint32_t n = names_of_stack(number, frames);

	if (w->stacks.length + 32 + n * GO_FRAME_BYTES > PIECE_BYTES)
		write_batch(w, UINT64_MAX, w->parts.history->begin, &w->stacks);
	if (w->stacks.length == 0)
		piece_byte(&w->stacks, EV_STACKS);
	piece_byte(&w->stacks, EV_STACK);
	piece_varint(&w->stacks, number);
	piece_varint(&w->stacks, n);
	for (uint32_t i = 0; i < n; i++) {
		piece_varint(&w->stacks, frames[i].pc);
		piece_varint(&w->stacks, name_number(w, frames[i].function));
		piece_varint(&w->stacks, name_number(w, frames[i].file));
		piece_varint(&w->stacks, (uint64_t)frames[i].line);
	}
}

static void write_tables(struct go_writer *w)
{
	for (uint32_t i = 1; i < w->parts.stack_count; i++)
		if (w->parts.is_used[i])
			write_stack(w, i);
	for (uint32_t i = 1; i < texts_count(); i++)
		write_text(w, i, texts_text(i));
	for (uint32_t i = 0; i <= REASON_NO_TEXT; i++)
		if (w->reasons >> i & 1)
			write_text(w, REASON_TEXTS + i, names_of_reason(i));
	if (w->reasons >> REASON_YIELDED & 1)
		write_text(w, REASON_TEXTS + REASON_YIELDED, "tuza_yield");
	if (w->reasons >> REASON_TOLD & 1)
		write_text(w, REASON_TEXTS + REASON_TOLD, "preempted");
	write_batch(w, UINT64_MAX, w->parts.history->begin, &w->stacks);
	write_batch(w, UINT64_MAX, w->parts.history->begin, &w->parts.texts);
}

static void write_frequency(struct go_writer *w)
{
	struct piece p = {0};

	piece_byte(&p, EV_FREQUENCY);
	piece_varint(&p, 1000000000); // times are ns
	write_batch(w, UINT64_MAX, w->parts.history->begin, &p);
	piece_free(&p);
}

int go_format_write(struct history *h, int fd)
{
	struct go_writer w = {.reasons = 0};

	if (go_parts_begin(&w.parts, h, fd, "go 1.23 trace\0\0", (uint32_t)h->thread_count + 1)) {
		write_frequency(&w);
		if (h->thread_count > 0)
			history_tell(h, write_step, &w);
		for (uint32_t i = 0; i < h->thread_count; i++) {
			struct batch *b = &w.parts.batches[i];

			write_batch(&w, h->threads[i], b->begin, &b->piece);
		}
		write_tables(&w);
	}
	piece_free(&w.stacks);
	return go_parts_end(&w.parts);
}
