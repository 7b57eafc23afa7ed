// SPDX-License-Identifier: MIT
/*
 * Channels: typed queues through which goroutines hand values to each other.
 *
 * On a channel without capacity each send waits for its receive; one with capacity buffers up to
 * that many values. Values are copied in and out, in order; each arrives once.
 *
 *	tuza_chan *c = tuza_chan_new(sizeof(int), 0);
 *	TUZA_GO(produce, c);                 // tuza_send(c, 42); tuza_chan_close(c);
 *	int v;
 *	while (tuza_recv(c, &v))
 *		printf("%d\n", v);
 *	tuza_chan_release(c);
 *
 * Only the sender closes. A NULL channel is never ready: sending to it and receiving from it blocks
 * for ever. Channels are reference-counted: tuza_chan_new gives one reference, tuza_chan_retain one
 * more. Once the effect of an operation has been seen, that operation no longer touches the
 * channel, so it may be released then.
 */
#ifndef TUZA_CHAN_H
#define TUZA_CHAN_H

#include <tuza/error.h>
#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tuza_chan tuza_chan;

/*
 * Makes a channel.
 *
 *   elem_bytes  the size of a value, 0 to 65535. 0 is Go's chan struct{}: values carry nothing,
 *               their pointers may be NULL.
 *   capacity    how many values it keeps; 0: each send waits for its receiver.
 *
 * Returns  the channel with one reference; never NULL.
 * Panics   "makechan: size out of range" when the size overflows; "tuza: out of memory".
 * Blocks   never.
 * Owns/frees  tuza_chan_release.
 * Go       make(chan T, n)   (src/runtime/chan.go, makechan)
 */
tuza_chan *tuza_chan_new(size_t elem_bytes, size_t capacity);

/*
 * tuza_chan_new for those who handle the lack of memory.
 *
 * Returns  0 with the channel in *out; -ENOMEM with NULL in it.
 * Panics   "makechan: size out of range".
 * Owns/frees  tuza_chan_release.
 */
TUZA_MUST_USE int tuza_chan_try_new(size_t elem_bytes, size_t capacity, tuza_chan **out);

/*
 * A channel whose buffer grows: a send never blocks. Out of memory in a send panics "tuza: out of
 * memory", the value not sent.
 *
 * Returns, Panics, Owns/frees  as tuza_chan_new.
 */
tuza_chan *tuza_chan_new_unbounded(size_t elem_bytes);

/*
 * Has `drop` called on each element that is never received: those in the buffer when the last
 * reference goes. One that was received into NULL was received.
 *
 *   drop  gets a pointer to the element, valid during the call, in the last tuza_chan_release.
 *
 * Set it before the channel is shared.
 */
void tuza_chan_on_drop(tuza_chan *c, void (*drop)(void *elem));

// Takes one more reference; returns c. NULL is allowed.
tuza_chan *tuza_chan_retain(tuza_chan *c);

/*
 * Gives up one reference; the last one drops the values that the channel still holds and frees it.
 * NULL is allowed.
 *
 * Panics   "tuza: release of a channel that a goroutine waits on" when it is the last one and
 *          somebody waits.
 * Blocks   never.
 * Orders   everything before any release is visible to the drop function.
 */
void tuza_chan_release(tuza_chan *c);

/*
 * Sends a copy of *v.
 *
 *   v  elem_bytes bytes; may be NULL when elem_bytes is 0.
 *
 * Panics   "send on closed channel", also when it is closed while the send waits.
 * Blocks   until a receiver takes the value or the buffer has room; for ever if c is NULL.
 * Cancel   not by itself; TUZA_SEND in a select, beside what cancels.
 * Callable from  any goroutine; a plain thread is blocked instead. Not from a signal handler.
 * Orders   everything before the send is visible to the receiver after the matching receive; and
 *          everything before the k-th receive is visible after the send number k + capacity.
 * Go       c <- v   (src/runtime/chan.go, chansend)
 */
void tuza_chan_send(tuza_chan *c, const void *v);

/*
 * Receives the oldest value into *v.
 *
 *   v  room for elem_bytes bytes, or NULL to drop the value.
 *
 * Returns  true with a value; false when c is closed and drained, and then *v is zeroed.
 * Panics   never, outside a blocking section.
 * Blocks   until a value or the close arrives; for ever if c is NULL.
 * Cancel   not by itself; TUZA_RECV in a select, beside what cancels.
 * Callable from  any goroutine; a plain thread is blocked instead. Not from a signal handler.
 * Orders   everything before the matching send, or the close, is visible after the return.
 * Go       v, ok := <-c   (src/runtime/chan.go, chanrecv)
 */
bool tuza_chan_recv(tuza_chan *c, void *v);

/*
 * Sends if that can be done without waiting.
 *
 * Returns  0; -EAGAIN when it would block (always for NULL).
 * Panics   "send on closed channel".
 * Blocks   never.
 * Orders   as tuza_chan_send, when it sent.
 * Go       select { case c <- v: default: }
 */
int tuza_chan_try_send(tuza_chan *c, const void *v);

/*
 * Receives if that can be done without waiting.
 *
 * Returns  0 with a value; -EAGAIN when it would block (always for NULL); TUZA_ECLOSED when c is
 *          closed and drained, and then *v is zeroed.
 * Panics   never.
 * Blocks   never.
 * Orders   as tuza_chan_recv, unless it would block.
 * Go       select { case v, ok = <-c: default: }
 */
int tuza_chan_try_recv(tuza_chan *c, void *v);

/*
 * Closes the channel: no more values will be sent. Waiting receivers return false, waiting senders
 * panic.
 *
 * Panics   "close of nil channel", "close of closed channel"; "tuza: close of a context's channel".
 * Blocks   never.
 * Orders   everything before the close is visible after a receive that returned because of it.
 * Go       close(c)   (src/runtime/chan.go, closechan)
 */
void tuza_chan_close(tuza_chan *c);

// The number of values in the buffer now, and the capacity (SIZE_MAX if unbounded). 0 for NULL and
// for the channels of timers. Go: len(c), cap(c)
size_t tuza_chan_len(const tuza_chan *c);
size_t tuza_chan_cap(const tuza_chan *c);

// The same with the size of the caller's variable; a wrong one panics "tuza: send of 4 bytes on a
// channel of 8".
void tuza_chan_send_sized(tuza_chan *c, const void *v, size_t bytes);
// NULL v: any size.
bool tuza_chan_recv_sized(tuza_chan *c, void *v, size_t bytes);

/*
 * tuza_send(c, value): tuza_chan_send of any value of the channel's size, rvalues too:
 * tuza_send(c, 42), tuza_send(c, (struct job){1, 2}). Its arguments are evaluated once.
 *
 * tuza_recv(c, &v): tuza_chan_recv into *&v, the size checked; NULL drops the value.
 */
#ifndef __cplusplus
#define tuza_send(c, ...)                                                                          \
	tuza_chan_send_sized((c), (__typeof__(((void)0, (__VA_ARGS__)))[1]){__VA_ARGS__},          \
		sizeof(__typeof__(((void)0, (__VA_ARGS__)))))
#define tuza_recv(c, v) tuza_chan_recv_sized((c), (v), __extension__ sizeof(*(v)))
#else
}
template <typename T> inline void tuza_send(tuza_chan *c, const T &v)
{
	tuza_chan_send_sized(c, &v, sizeof v);
}
template <typename T> inline bool tuza_recv(tuza_chan *c, T *v)
{
	return tuza_chan_recv_sized(c, v, sizeof *v);
}
inline bool tuza_recv(tuza_chan *c, decltype(nullptr)) { return tuza_chan_recv(c, nullptr); }
extern "C" {
#endif

/*
 * TUZA_CHAN_TYPE(name, T); at file scope: a channel of T that the compiler checks. Defines the
 * one-pointer struct `name` and
 *
 *	name name_new(size_t capacity);          name_chan(c): the tuza_chan * inside
 *	void name_send(name c, T v);             bool name_recv(name c, T *v);
 *	int  name_try_send(name c, T v);         int  name_try_recv(name c, T *v);
 *	void name_close(name c);
 *	name name_retain(name c);                void name_release(name c);
 *	name_SEND(c, &v), name_RECV(c, &v)       cases of a select; they are functions
 *
 * and the directions, structs of their own:
 *
 *	name_sink     name_as_sink(c); name_sink_send, _close, _SEND, _chan      Go: chan<- T
 *	name_source   name_as_source(c); name_source_recv, _RECV, _chan          Go: <-chan T
 */
#define TUZA_CHAN_TYPE(name, T)                                                                    \
	typedef struct name {                                                                      \
		tuza_chan *chan;                                                                   \
	} name;                                                                                    \
	typedef struct name##_sink {                                                               \
		tuza_chan *chan;                                                                   \
	} name##_sink;                                                                             \
	typedef struct name##_source {                                                             \
		tuza_chan *chan;                                                                   \
	} name##_source;                                                                           \
	TUZA_CHAN_FN_ name name##_new(size_t capacity)                                             \
	{                                                                                          \
		name made_;                                                                        \
		made_.chan = tuza_chan_new(sizeof(T), capacity);                                   \
		return made_;                                                                      \
	}                                                                                          \
	TUZA_CHAN_FN_ tuza_chan *name##_chan(name c) { return c.chan; }                            \
	TUZA_CHAN_FN_ void name##_send(name c, T v) { tuza_chan_send(c.chan, &v); }                \
	TUZA_CHAN_FN_ bool name##_recv(name c, T *v) { return tuza_chan_recv(c.chan, v); }         \
	TUZA_CHAN_FN_ int name##_try_send(name c, T v) { return tuza_chan_try_send(c.chan, &v); }  \
	TUZA_CHAN_FN_ int name##_try_recv(name c, T *v) { return tuza_chan_try_recv(c.chan, v); }  \
	TUZA_CHAN_FN_ void name##_close(name c) { tuza_chan_close(c.chan); }                       \
	TUZA_CHAN_FN_ name name##_retain(name c)                                                   \
	{                                                                                          \
		(void)tuza_chan_retain(c.chan);                                                    \
		return c;                                                                          \
	}                                                                                          \
	TUZA_CHAN_FN_ void name##_release(name c) { tuza_chan_release(c.chan); }                   \
	TUZA_CHAN_FN_ tuza_select_case name##_SEND(name c, T const *v)                             \
	{                                                                                          \
		return tuza_select_send_(c.chan, v, sizeof(T));                                    \
	}                                                                                          \
	TUZA_CHAN_FN_ tuza_select_case name##_RECV(name c, T *v)                                   \
	{                                                                                          \
		return tuza_select_recv_(c.chan, v, sizeof(T), NULL);                              \
	}                                                                                          \
	TUZA_CHAN_FN_ name##_sink name##_as_sink(name c)                                           \
	{                                                                                          \
		name##_sink sink_;                                                                 \
		sink_.chan = c.chan;                                                               \
		return sink_;                                                                      \
	}                                                                                          \
	TUZA_CHAN_FN_ tuza_chan *name##_sink_chan(name##_sink c) { return c.chan; }                \
	TUZA_CHAN_FN_ void name##_sink_send(name##_sink c, T v) { tuza_chan_send(c.chan, &v); }    \
	TUZA_CHAN_FN_ void name##_sink_close(name##_sink c) { tuza_chan_close(c.chan); }           \
	TUZA_CHAN_FN_ tuza_select_case name##_sink_SEND(name##_sink c, T const *v)                 \
	{                                                                                          \
		return tuza_select_send_(c.chan, v, sizeof(T));                                    \
	}                                                                                          \
	TUZA_CHAN_FN_ name##_source name##_as_source(name c)                                       \
	{                                                                                          \
		name##_source source_;                                                             \
		source_.chan = c.chan;                                                             \
		return source_;                                                                    \
	}                                                                                          \
	TUZA_CHAN_FN_ tuza_chan *name##_source_chan(name##_source c) { return c.chan; }            \
	TUZA_CHAN_FN_ bool name##_source_recv(name##_source c, T *v)                               \
	{                                                                                          \
		return tuza_chan_recv(c.chan, v);                                                  \
	}                                                                                          \
	TUZA_CHAN_FN_ tuza_select_case name##_source_RECV(name##_source c, T *v)                   \
	{                                                                                          \
		return tuza_select_recv_(c.chan, v, sizeof(T), NULL);                              \
	}                                                                                          \
	struct name##_semicolon_
#define TUZA_CHAN_FN_ static inline __attribute__((unused))

#ifdef __cplusplus
}
#endif

// The cases of a select: TUZA_CHAN_TYPE makes them.
#include <tuza/select.h>

#endif
