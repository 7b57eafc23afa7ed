// SPDX-License-Identifier: MIT
/*
 * Perfetto's format: protocol buffers, for https://ui.perfetto.dev and trace_processor.
 *
 * A file is one message after the other (TracePacket). Those that describe tracks come before the
 * events on them: one track for each processor, with what runs there, and one for each goroutine,
 * with what it does: runs, could run, waits for what. Tasks have tracks of their own, and so have
 * the regions of a goroutine, since slices of one track must nest.
 *
 * Perfetto: protos/perfetto/trace/track_event/track_event.proto, track_descriptor.proto
 */
#include "sys/sys.h"
#include "trace/names.h"
#include "trace/output.h"
#include "trace/texts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// Numbers of fields.
enum {
	TRACE_PACKET = 1,
	PACKET_TIMESTAMP = 8,
	PACKET_SEQUENCE = 10,
	PACKET_EVENT = 11,
	PACKET_TRACK = 60,
	TRACK_UUID = 1,
	TRACK_NAME = 2,
	TRACK_PROCESS = 3,
	TRACK_PARENT = 5,
	PROCESS_PID = 1,
	PROCESS_NAME = 6,
	EVENT_ANNOTATION = 4,
	EVENT_TYPE = 9,
	EVENT_TRACK = 11,
	EVENT_NAME = 23,
	ANNOTATION_UINT = 3,
	ANNOTATION_TEXT = 6,
	ANNOTATION_NAME = 10,
};
enum { SLICE_BEGIN = 1, SLICE_END, INSTANT };

static const uint64_t OF_PROCESS = 1, OF_PROCESSOR = UINT64_C(1) << 20,
		      OF_GOROUTINE = UINT64_C(1) << 44, OF_REGIONS = UINT64_C(2) << 44,
		      OF_TASK = UINT64_C(3) << 44;

enum { MESSAGE_BYTES = 4096, NAME_BYTES = 160 };

struct perfetto_writer {
	struct output out;
	struct piece piece;
	struct history *history;
	const char **functions; // by number of stack: names that were looked up
	uint32_t stack_count;
	unsigned char is_known[TRACE_NO_PROCESSOR + 1]; // processors that have a track
};

// ---- messages ----------------------------------------------------------------------------------

// A message that is being made, on the stack. What it holds is bounded by whoever fills it.
struct message {
	struct piece piece;
	unsigned char bytes[MESSAGE_BYTES];
};

static void message_begin(struct message *m) { m->piece = (struct piece){.data = m->bytes}; }

static void put_number(struct message *m, unsigned field, uint64_t n)
{
	piece_varint(&m->piece, (uint64_t)field << 3);
	piece_varint(&m->piece, n);
}

static void put_bytes(struct message *m, unsigned field, const void *data, size_t n)
{
	piece_varint(&m->piece, (uint64_t)field << 3 | 2);
	piece_varint(&m->piece, n);
	piece_bytes(&m->piece, data, n);
}

static void put_text(struct message *m, unsigned field, const char *text)
{
	put_bytes(m, field, text, strnlen(text, TEXT_BYTES_MAX));
}

static void put_message(struct message *m, unsigned field, const struct message *inner)
{
	put_bytes(m, field, inner->bytes, inner->piece.length);
}

// Adds a packet to the file, around a message of its kind.
static void write_packet(
	struct perfetto_writer *w, int64_t time, unsigned field, const struct message *inner)
{
	struct message packet;

	message_begin(&packet);
	if (time)
		put_number(&packet, PACKET_TIMESTAMP, (uint64_t)time);
	put_number(&packet, PACKET_SEQUENCE, 1);
	put_message(&packet, field, inner);
	if (piece_room(&w->piece) < packet.piece.length + 16)
		output_piece(&w->out, &w->piece);
	piece_varint(&w->piece, TRACE_PACKET << 3 | 2);
	piece_varint(&w->piece, packet.piece.length);
	piece_bytes(&w->piece, packet.bytes, packet.piece.length);
}

// ---- tracks ------------------------------------------------------------------------------------

static void write_track(struct perfetto_writer *w, uint64_t uuid, uint64_t parent, const char *name)
{
	struct message track;

	message_begin(&track);
	put_number(&track, TRACK_UUID, uuid);
	put_text(&track, TRACK_NAME, name);
	put_number(&track, TRACK_PARENT, parent);
	write_packet(w, 0, PACKET_TRACK, &track);
}

static void write_process(struct perfetto_writer *w)
{
	struct message track, process;

	message_begin(&process);
	put_number(&process, PROCESS_PID, (uint64_t)getpid());
	put_text(&process, PROCESS_NAME, "tuza");
	message_begin(&track);
	put_number(&track, TRACK_UUID, OF_PROCESS);
	put_message(&track, TRACK_PROCESS, &process);
	write_packet(w, 0, PACKET_TRACK, &track);
}

static void numbered(char name[NAME_BYTES], const char *what, uint64_t n, const char *more)
{
	struct writer text;

	writer_to_text(&text, name, NAME_BYTES);
	writer_text(&text, what);
	writer_number(&text, n);
	writer_text(&text, more ? " " : "");
	writer_text(&text, more ? more : "");
}

static const char *function_of(struct perfetto_writer *w, uint32_t stack)
{
	struct named_frame frames[NAMED_FRAMES_MAX];

	if (stack == 0 || stack >= w->stack_count)
		return NULL;
	if (!w->functions[stack]) {
		uint32_t n = names_of_stack(stack, frames);

		w->functions[stack] = n > 0 ? frames[n - 1].function : "?"; // the outermost
	}
	return w->functions[stack];
}

// ---- events ------------------------------------------------------------------------------------

static void event_begin(struct message *event, unsigned type, uint64_t track, const char *name)
{
	message_begin(event);
	put_number(event, EVENT_TYPE, type);
	put_number(event, EVENT_TRACK, track);
	if (name)
		put_text(event, EVENT_NAME, name);
}

static void write_event(struct perfetto_writer *w, const struct step *s, unsigned type,
	uint64_t track, const char *name)
{
	struct message event;

	event_begin(&event, type, track, name);
	write_packet(w, s->time, PACKET_EVENT, &event);
}

static void annotate(struct message *event, const char *key, const char *text, uint64_t number)
{
	struct message annotation;

	message_begin(&annotation);
	put_text(&annotation, ANNOTATION_NAME, key);
	if (text)
		put_text(&annotation, ANNOTATION_TEXT, text);
	else
		put_number(&annotation, ANNOTATION_UINT, number);
	put_message(event, EVENT_ANNOTATION, &annotation);
}

// ---- steps -------------------------------------------------------------------------------------

// The goroutine does something else from now on.
static void goroutine_does(struct perfetto_writer *w, const struct step *s, const char *what)
{
	uint64_t track = OF_GOROUTINE + s->goroutine;
	struct message event;

	if (s->kind != STEP_IS && s->kind != STEP_CREATED)
		write_event(w, s, SLICE_END, track, NULL);
	if (!what)
		return;
	event_begin(&event, SLICE_BEGIN, track, what);
	if (s->kind == STEP_READY && s->by)
		annotate(&event, "made ready by goroutine", NULL, s->by);
	if (s->kind == STEP_CREATED && s->by)
		annotate(&event, "started by goroutine", NULL, s->by);
	if (s->kind == STEP_PARKS || s->kind == STEP_BLOCKS) {
		const char *function = function_of(w, s->stack);

		if (function)
			annotate(&event, "in", function, 0);
	}
	write_packet(w, s->time, PACKET_EVENT, &event);
}

static void goroutine_is_there(struct perfetto_writer *w, const struct step *s)
{
	char name[NAME_BYTES];
	uint32_t stack = s->entry ? s->entry : s->stack;

	numbered(name, "goroutine ", s->goroutine, function_of(w, stack));
	write_track(w, OF_GOROUTINE + s->goroutine, OF_PROCESS, name);
}

static void processor_is_there(struct perfetto_writer *w, uint32_t processor)
{
	char name[NAME_BYTES];

	if (w->is_known[processor])
		return;
	w->is_known[processor] = 1;
	numbered(name, "processor ", processor, NULL);
	write_track(w, OF_PROCESSOR + processor, OF_PROCESS, name);
}

// What the goroutine's processor shows from now on: it, or nothing.
static void processor_runs(struct perfetto_writer *w, const struct step *s, bool it)
{
	char name[NAME_BYTES];

	if (s->processor == TRACE_NO_PROCESSOR)
		return;
	processor_is_there(w, s->processor);
	if (it)
		numbered(name, "g", s->goroutine, function_of(w, s->entry));
	write_event(
		w, s, it ? SLICE_BEGIN : SLICE_END, OF_PROCESSOR + s->processor, it ? name : NULL);
}

static void write_is(struct perfetto_writer *w, const struct step *s)
{
	static const char *const states[] = {
		[HISTORY_RUNNABLE] = "runnable",
		[HISTORY_RUNNING] = "running",
		[HISTORY_BLOCKED] = "blocking section",
		[HISTORY_WAITING] = "waiting",
	};

	goroutine_is_there(w, s);
	goroutine_does(w, s, states[s->state]);
	if (s->state == HISTORY_RUNNING)
		processor_runs(w, s, true);
}

static void write_annotation(struct perfetto_writer *w, const struct step *s)
{
	uint64_t regions = OF_REGIONS + s->goroutine, task = OF_TASK + s->id;
	char name[NAME_BYTES];
	struct message event;

	switch (s->kind) {
	case STEP_TASK_BEGINS:
		numbered(name, "task ", s->id, NULL);
		write_track(w, task, s->parent ? OF_TASK + s->parent : OF_PROCESS, name);
		write_event(w, s, SLICE_BEGIN, task, texts_text(s->name));
		break;
	case STEP_TASK_ENDS:
		write_event(w, s, SLICE_END, task, NULL);
		break;
	case STEP_REGION_BEGINS:
		write_track(w, regions, OF_GOROUTINE + s->goroutine, "regions");
		write_event(w, s, SLICE_BEGIN, regions, texts_text(s->name));
		break;
	case STEP_REGION_ENDS:
		write_event(w, s, SLICE_END, regions, NULL);
		break;
	default:
		event_begin(&event, INSTANT, OF_GOROUTINE + s->goroutine, texts_text(s->name));
		annotate(&event, "message", texts_text(s->text), 0);
		if (s->id)
			annotate(&event, "task", NULL, s->id);
		write_packet(w, s->time, PACKET_EVENT, &event);
		break;
	}
}

static void write_step(const struct step *s, void *writer)
{
	struct perfetto_writer *w = writer;

	switch (s->kind) {
	case STEP_IS:
		write_is(w, s);
		break;
	case STEP_CREATED:
		goroutine_is_there(w, s);
		goroutine_does(w, s, "runnable");
		break;
	case STEP_STARTS:
		goroutine_does(w, s, "running");
		processor_runs(w, s, true);
		break;
	case STEP_YIELDS:
		processor_runs(w, s, false);
		goroutine_does(w, s, "runnable");
		break;
	case STEP_PARKS:
		processor_runs(w, s, false);
		goroutine_does(w, s, wait_reason_text((enum wait_reason)s->detail));
		break;
	case STEP_ENDS:
		processor_runs(w, s, false);
		goroutine_does(w, s, NULL);
		break;
	case STEP_BLOCKS:
		processor_runs(w, s, false);
		goroutine_does(w, s, "blocking section");
		break;
	case STEP_UNBLOCKS:
		processor_runs(w, s, true);
		goroutine_does(w, s, "running");
		break;
	case STEP_READY:
	case STEP_UNBLOCKS_LATE:
		goroutine_does(w, s, "runnable");
		break;
	case STEP_PROCESSOR_IS_IDLE:
	case STEP_PROCESSOR_IS_RUNNING:
	case STEP_PROCESSOR_STARTS:
		processor_is_there(w, s->processor);
		break;
	case STEP_PROCESSOR_STOPS:
	case STEP_PROCESSOR_STOLEN:
		break;
	case STEP_TASK_BEGINS:
	case STEP_TASK_ENDS:
	case STEP_REGION_BEGINS:
	case STEP_REGION_ENDS:
	case STEP_LOG:
		write_annotation(w, s);
		break;
	}
}

int perfetto_write(struct history *h, int fd)
{
	struct perfetto_writer w = {.out.fd = fd, .history = h, .stack_count = stack_count()};
	size_t bytes = (w.stack_count + 1) * sizeof(*w.functions);

	w.functions = sys_pages_alloc(bytes);
	if (!w.functions)
		return -ENOMEM;
	write_process(&w);
	history_tell(h, write_step, &w);
	output_piece(&w.out, &w.piece);
	piece_free(&w.piece);
	sys_pages_free(w.functions, bytes);
	return w.out.error;
}
