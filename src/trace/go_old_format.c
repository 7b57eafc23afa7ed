// SPDX-License-Identifier: MIT
/*
 * Go's older format of execution traces, as Go 1.11 to 1.21 wrote it: for tools of that time. All
 * later ones read it, too.
 *
 * A file is a header and batches of events, each of one processor, with times as differences.
 * Threads occur only as names of whoever has a processor; what happens without one is on processor
 * -1. Readers bring the events of a goroutine into order by sequence numbers: each event that makes
 * it runnable or runs it has the next one. Times are told apart by 1 ns at least, so that there is
 * one order only.
 *
 * A blocking section is a system call that blocks at once: one that does not has no duration in
 * this format. Its goroutine gives the processor up, so whose that is meanwhile is not told.
 *
 * Go: src/internal/trace/internal/tracev1/parser.go, src/internal/trace/tracev1.go
 */
#include "trace/go_parts.h"
#include "trace/history_table.h"
#include "trace/texts.h"

#include <string.h>

enum {
	EV_BATCH = 1,
	EV_FREQUENCY,
	EV_STACK,
	EV_GOMAXPROCS,
	EV_PROC_START,
	EV_PROC_STOP,
	EV_GO_CREATE = 13,
	EV_GO_START,
	EV_GO_END,
	EV_GO_SCHED = 17,
	EV_GO_PREEMPT,
	EV_GO_SLEEP,
	EV_GO_BLOCK,
	EV_GO_UNBLOCK,
	EV_GO_BLOCK_SEND,
	EV_GO_BLOCK_RECV,
	EV_GO_BLOCK_SELECT,
	EV_GO_BLOCK_SYNC,
	EV_GO_BLOCK_COND,
	EV_GO_BLOCK_NET,
	EV_GO_SYSCALL,
	EV_GO_SYSEXIT,
	EV_GO_SYSBLOCK,
	EV_GO_WAITING,
	EV_GO_IN_SYSCALL,
	EV_STRING = 37,
	EV_TASK_BEGIN = 45,
	EV_TASK_END,
	EV_REGION,
	EV_LOG,
};
enum {
	MANY = 3,                         // arguments: behind their length in bytes
	ARGUMENTS_MAX = 8,                // of an event
	BATCH_MOST = PIECE_BYTES - 2048,  // then the batch is written
	STACK_BYTES_MAX = 2000,           // readers take no event of more than 2048
	BATCHES = TRACE_NO_PROCESSOR + 1, // by processor
};

struct old_writer {
	struct go_parts parts; // batches by processor
	uint32_t processors;   // that there were at the beginning
	int64_t now;           // the time of the last event
	bool has_begun;        // how things were has been told
	uint64_t main_lives;   // how many goroutines had the number 1
};

// ---- events ------------------------------------------------------------------------------------

static void write_batch(struct old_writer *w, uint32_t processor)
{
	struct batch *b = &w->parts.batches[processor];
	unsigned char bytes[64];
	struct piece head = {.data = bytes};

	if (b->piece.length == 0)
		return;
	piece_byte(&head, EV_BATCH | 1 << 6);
	piece_varint(&head, processor == TRACE_NO_PROCESSOR ? UINT64_MAX : processor);
	piece_varint(&head, (uint64_t)b->begin);
	output_piece(&w->parts.out, &head);
	output_piece(&w->parts.out, &b->piece);
}

// An event without a time.
static void put_event(struct piece *p, unsigned kind, const uint64_t *arguments, uint32_t count)
{
	unsigned char bytes[16 * ARGUMENTS_MAX];
	struct piece inner = {.data = bytes};

	for (uint32_t i = 0; i < count; i++)
		piece_varint(&inner, arguments[i]);
	// The first one, a time mostly, does not count.
	piece_byte(p, kind | (count - 1 < MANY ? count - 1 : MANY) << 6);
	if (count - 1 >= MANY)
		piece_varint(p, inner.length);
	piece_bytes(p, bytes, inner.length);
}

// Room for an event's time is arguments[0].
static void event(struct old_writer *w, const struct step *s, unsigned kind, uint64_t *arguments,
	uint32_t count)
{
	struct batch *b = &w->parts.batches[s->processor];

	if (b->piece.length > BATCH_MOST)
		write_batch(w, s->processor);
	w->now = s->time > w->now ? s->time : w->now + 1;
	if (b->piece.length == 0)
		b->begin = b->last = w->now;
	arguments[0] = (uint64_t)(w->now - b->last);
	b->last = w->now;
	put_event(&b->piece, kind, arguments, count);
}

#define EVENT(w, s, kind, ...)                                                                     \
	event(w, s, kind, (uint64_t[]){0, __VA_ARGS__},                                            \
		sizeof((uint64_t[]){0, __VA_ARGS__}) / sizeof(uint64_t))

static void plain_event(struct old_writer *w, const struct step *s, unsigned kind)
{
	event(w, s, kind, (uint64_t[]){0}, 1);
}

static uint64_t stack_of(struct old_writer *w, uint32_t stack)
{
	return go_parts_stack(&w->parts, stack);
}

// ---- goroutines --------------------------------------------------------------------------------

// Each run has a goroutine 1; here a number belongs to one for good.
static uint64_t number_of(const struct old_writer *w, uint64_t goroutine)
{
	return goroutine == 1 && w->main_lives > 1 ? w->main_lives << 40 | 1 : goroutine;
}

// The sequence number of what happens to the goroutine now.
static uint64_t next_sequence(struct old_writer *w, uint64_t goroutine)
{
	struct told_goroutine *g = history_find(w->parts.history->p, goroutine);

	return g ? g->older_sequence++ : 0;
}

static void write_created(struct old_writer *w, const struct step *s, uint32_t entry, uint32_t by)
{
	struct told_goroutine *g = history_find(w->parts.history->p, s->goroutine);

	if (g)
		g->older_sequence = 1;
	if (s->goroutine == 1)
		w->main_lives++;
	EVENT(w, s, EV_GO_CREATE, number_of(w, s->goroutine), stack_of(w, entry), stack_of(w, by));
}

static void write_numbered(struct old_writer *w, const struct step *s, unsigned kind)
{
	EVENT(w, s, kind, number_of(w, s->goroutine), next_sequence(w, s->goroutine));
}

static void write_is(struct old_writer *w, const struct step *step)
{
	struct step nowhere = *step;

	nowhere.processor = TRACE_NO_PROCESSOR;
	write_created(w, &nowhere, step->stack, 0);
	if (step->state == HISTORY_RUNNING)
		write_numbered(w, step, EV_GO_START);
	if (step->state != HISTORY_WAITING && step->state != HISTORY_BLOCKED)
		return;
	next_sequence(w, step->goroutine);
	EVENT(w, &nowhere, step->state == HISTORY_BLOCKED ? EV_GO_IN_SYSCALL : EV_GO_WAITING,
		number_of(w, step->goroutine));
}

static unsigned kind_of_wait(uint32_t reason)
{
	switch (reason) {
	case WAIT_CHAN_RECV:
	case WAIT_CHAN_RECV_NIL:
		return EV_GO_BLOCK_RECV;
	case WAIT_CHAN_SEND:
	case WAIT_CHAN_SEND_NIL:
		return EV_GO_BLOCK_SEND;
	case WAIT_SELECT:
	case WAIT_SELECT_NONE:
		return EV_GO_BLOCK_SELECT;
	case WAIT_SLEEP:
		return EV_GO_SLEEP;
	case WAIT_IO:
		return EV_GO_BLOCK_NET;
	case WAIT_COND:
		return EV_GO_BLOCK_COND;
	case WAIT_MUTEX:
	case WAIT_RWMUTEX_R:
	case WAIT_RWMUTEX_W:
	case WAIT_WAITGROUP:
	case WAIT_SEMAPHORE:
	case WAIT_ONCE:
	case WAIT_SINGLEFLIGHT:
	case WAIT_JOIN:
		return EV_GO_BLOCK_SYNC;
	default:
		return EV_GO_BLOCK;
	}
}

static void write_exit(struct old_writer *w, const struct step *s)
{
	EVENT(w, s, EV_GO_SYSEXIT, number_of(w, s->goroutine), next_sequence(w, s->goroutine), 0);
}

// ---- steps -------------------------------------------------------------------------------------

static uint64_t text_of(uint32_t text) { return text ? text : TEXTS_MAX; } // there were too many

static void write_log(struct old_writer *w, const struct step *s)
{
	const char *text = s->text ? texts_text(s->text) : "";
	size_t n = strnlen(text, GO_TEXT_MOST);
	struct piece *p = &w->parts.batches[s->processor].piece;

	EVENT(w, s, EV_LOG, s->id, text_of(s->name), stack_of(w, s->stack));
	piece_varint(p, n);
	piece_bytes(p, text, n);
}

// What is of goroutines is on the processor on which it happens.
static void write_goroutine(struct old_writer *w, const struct step *s)
{
	uint64_t stack = stack_of(w, s->stack);

	switch (s->kind) {
	case STEP_CREATED:
		write_created(w, s, s->entry, s->stack);
		break;
	case STEP_STARTS:
		write_numbered(w, s, EV_GO_START);
		break;
	case STEP_YIELDS:
		EVENT(w, s, s->detail ? EV_GO_PREEMPT : EV_GO_SCHED, stack);
		break;
	case STEP_PARKS:
		EVENT(w, s, kind_of_wait(s->detail), stack);
		break;
	case STEP_READY:
		EVENT(w, s, EV_GO_UNBLOCK, number_of(w, s->goroutine),
			next_sequence(w, s->goroutine), stack);
		break;
	case STEP_ENDS:
		plain_event(w, s, EV_GO_END);
		break;
	case STEP_BLOCKS:
		EVENT(w, s, EV_GO_SYSCALL, stack);
		plain_event(w, s, EV_GO_SYSBLOCK);
		break;
	case STEP_UNBLOCKS:
		write_exit(w, s);
		write_numbered(w, s, EV_GO_START);
		break;
	case STEP_UNBLOCKS_LATE:
		write_exit(w, s);
		break;
	case STEP_TASK_BEGINS:
		EVENT(w, s, EV_TASK_BEGIN, s->id, s->parent, text_of(s->name), stack);
		break;
	case STEP_TASK_ENDS:
		EVENT(w, s, EV_TASK_END, s->id, stack);
		break;
	case STEP_REGION_BEGINS:
		EVENT(w, s, EV_REGION, s->id, 0, text_of(s->name), stack);
		break;
	case STEP_REGION_ENDS:
		EVENT(w, s, EV_REGION, s->id, 1, text_of(s->name), stack);
		break;
	default:
		write_log(w, s);
		break;
	}
}

// That all has been told which was there at the beginning.
static void write_begun(struct old_writer *w, const struct step *first)
{
	struct step s = *first;

	s.processor = TRACE_NO_PROCESSOR;
	w->has_begun = true;
	EVENT(w, &s, EV_GOMAXPROCS, w->processors, 0);
}

static void write_step(const struct step *s, void *writer)
{
	struct old_writer *w = writer;

	switch (s->kind) {
	case STEP_PROCESSOR_IS_IDLE:
		w->processors++;
		return;
	case STEP_PROCESSOR_IS_RUNNING:
		w->processors++;
		EVENT(w, s, EV_PROC_START, w->parts.history->threads[s->thread]);
		return;
	case STEP_IS:
		write_is(w, s);
		return;
	default:
		break;
	}
	if (!w->has_begun)
		write_begun(w, s);
	switch (s->kind) {
	case STEP_PROCESSOR_STARTS:
		EVENT(w, s, EV_PROC_START, w->parts.history->threads[s->thread]);
		break;
	case STEP_PROCESSOR_STOPS:
	case STEP_PROCESSOR_STOLEN:
		plain_event(w, s, EV_PROC_STOP);
		break;
	default:
		write_goroutine(w, s);
		break;
	}
}

// ---- texts and stacks: behind the last batch ---------------------------------------------------

static void write_text(struct old_writer *w, uint64_t number, const char *text)
{
	size_t n = strnlen(text, GO_TEXT_MOST);

	if (n == 0)
		return;
	if (w->parts.texts.length + n + 32 > PIECE_BYTES)
		output_piece(&w->parts.out, &w->parts.texts);
	piece_byte(&w->parts.texts, EV_STRING);
	piece_varint(&w->parts.texts, number);
	piece_varint(&w->parts.texts, n);
	piece_bytes(&w->parts.texts, text, n);
}

static uint64_t name_number(struct old_writer *w, const char *name)
{
	bool is_new;
	uint64_t number = TEXTS_MAX + 1 + names_number(&w->parts.names, name, &is_new);

	if (is_new)
		write_text(w, number, name);
	return number;
}

static void write_stack(struct old_writer *w, uint32_t number)
{
	struct named_frame frames[NAMED_FRAMES_MAX];
	unsigned char bytes[STACK_BYTES_MAX + 2 * 10];
	struct piece inner = {.data = bytes};
	uint32_t n = names_of_stack(number, frames);

	if (n > STACK_BYTES_MAX / GO_FRAME_BYTES)
		n = STACK_BYTES_MAX / GO_FRAME_BYTES;
	piece_varint(&inner, number);
	piece_varint(&inner, n);
	for (uint32_t i = 0; i < n; i++) {
		piece_varint(&inner, frames[i].pc);
		piece_varint(&inner, name_number(w, frames[i].function));
		piece_varint(&inner, name_number(w, frames[i].file));
		piece_varint(&inner, (uint64_t)frames[i].line);
	}
	if (w->parts.texts.length + inner.length + 32 > PIECE_BYTES)
		output_piece(&w->parts.out, &w->parts.texts);
	piece_byte(&w->parts.texts, EV_STACK | MANY << 6);
	piece_varint(&w->parts.texts, inner.length);
	piece_bytes(&w->parts.texts, bytes, inner.length);
}

static void write_tables(struct old_writer *w)
{
	unsigned char bytes[64];
	struct piece head = {.data = bytes};

	// A batch of no events, which those below belong to.
	piece_byte(&head, EV_BATCH | 1 << 6);
	piece_varint(&head, UINT64_MAX);
	piece_varint(&head, (uint64_t)w->now);
	put_event(&head, EV_FREQUENCY, (uint64_t[]){1000000000}, 1); // times are ns
	output_piece(&w->parts.out, &head);
	for (uint32_t i = 1; i < texts_count(); i++)
		write_text(w, i, texts_text(i));
	write_text(w, TEXTS_MAX, "(too many texts)");
	for (uint32_t i = 1; i < w->parts.stack_count; i++)
		if (w->parts.is_used[i])
			write_stack(w, i);
	output_piece(&w->parts.out, &w->parts.texts);
}

int go_old_format_write(struct history *h, int fd)
{
	struct old_writer w = {.now = 0};

	if (go_parts_begin(&w.parts, h, fd, "go 1.11 trace\0\0", BATCHES)) {
		if (h->thread_count > 0)
			history_tell(h, write_step, &w);
		for (uint32_t i = 0; i < BATCHES; i++)
			write_batch(&w, i);
		write_tables(&w);
	}
	return go_parts_end(&w.parts);
}
