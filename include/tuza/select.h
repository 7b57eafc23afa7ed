// SPDX-License-Identifier: MIT
/*
 * Select: waits for the first of several channel operations and does it.
 *
 *	switch (TUZA_SELECT(TUZA_RECV(jobs, &job), TUZA_RECV(quit, NULL),
 *			    TUZA_AFTER(5 * TUZA_SECOND))) {
 *	case 0: run(&job); break;
 *	case 1: return;
 *	case 2: puts("nothing for 5 s"); break;
 *	}
 *
 * If several cases are ready, one of them is taken, each with the same probability. A case whose
 * channel is NULL is never ready.
 */
#ifndef TUZA_SELECT_H
#define TUZA_SELECT_H

#include <tuza/macros.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tuza_chan;

/*
 * One case of a select. Made by the macros below; the fields are private.
 */
typedef struct tuza_select_case {
	uint32_t kind;  // enum tuza_select_kind_
	uint32_t bytes; // the size of *value, checked against the channel; UINT32_MAX: unchecked
	struct tuza_chan *chan;
	void *value;
	bool *ok;
	int64_t time; // ns: relative for AFTER, absolute for UNTIL
} tuza_select_case;

enum tuza_select_kind_ {
	TUZA_SELECT_SEND_ = 1,
	TUZA_SELECT_RECV_,
	TUZA_SELECT_AFTER_,
	TUZA_SELECT_UNTIL_,
	TUZA_SELECT_DEFAULT_,
};

static inline tuza_select_case tuza_select_send_(struct tuza_chan *c, const void *v, size_t bytes)
{
	tuza_select_case made = {TUZA_SELECT_SEND_, v ? (uint32_t)bytes : UINT32_MAX, c,
		(void *)(uintptr_t)v, NULL, 0};
	return made;
}

static inline tuza_select_case tuza_select_recv_(
	struct tuza_chan *c, void *v, size_t bytes, bool *ok)
{
	tuza_select_case made = {TUZA_SELECT_RECV_, v ? (uint32_t)bytes : UINT32_MAX, c, v, ok, 0};
	return made;
}

static inline tuza_select_case tuza_select_time_(uint32_t kind, int64_t time)
{
	tuza_select_case made = {kind, UINT32_MAX, NULL, NULL, NULL, time};
	return made;
}

/*
 * The cases. Channels and pointers are evaluated once, in C's unspecified order, also those of
 * cases that are not taken.
 *
 *   TUZA_RECV(c, &v)          receives into v; NULL drops the value. A closed channel is always
 *                             ready and zeroes v.
 *   TUZA_RECV_OK(c, &v, &ok)  the same; ok is set to whether v came from a send.
 *   TUZA_SEND(c, &v)          sends *(&v). Panics "send on closed channel" when taken on a closed
 *                             channel.
 *   TUZA_AFTER(d)             ready d nanoseconds after the select began; at once if d <= 0.
 *   TUZA_UNTIL(t)             ready at tuza_now() >= t.
 *   TUZA_DEFAULT              taken when no other case is ready. At most one.
 *
 * Go       case v := <-c, case v, ok := <-c, case c <- v, case <-time.After(d), default
 */
#define TUZA_RECV(c, v) tuza_select_recv_((c), (v), __extension__ sizeof(*(v)), NULL)
#define TUZA_RECV_OK(c, v, ok) tuza_select_recv_((c), (v), __extension__ sizeof(*(v)), (ok))
#define TUZA_SEND(c, v) tuza_select_send_((c), (v), __extension__ sizeof(*(v)))
#define TUZA_AFTER(d) tuza_select_time_(TUZA_SELECT_AFTER_, (d))
#define TUZA_UNTIL(t) tuza_select_time_(TUZA_SELECT_UNTIL_, (t))
#define TUZA_DEFAULT tuza_select_time_(TUZA_SELECT_DEFAULT_, 0)

/*
 * Does one of the cases, waiting if none is ready and there is no default.
 *
 *   cases  n of them, up to 65536. With none it blocks for ever.
 *
 * Returns  the index of the case that was done.
 * Panics   "send on closed channel"; a wrong size as tuza_chan_send_sized; "tuza_select: multiple
 *          default cases", "tuza_select: too many cases (max 65536)", "tuza_select: invalid case".
 * Blocks   until a case is ready; never with a default.
 * Callable from  any goroutine; a plain thread is blocked instead. Not from a signal handler.
 * Orders   as the send or receive that was done. The default and the timed cases order nothing.
 * Go       select, reflect.Select   (src/runtime/select.go, selectgo)
 */
int tuza_select(tuza_select_case *cases, size_t n);

// The same, but of several ready cases the first is taken. Blocks and panics as tuza_select. Go has
// no counterpart.
int tuza_select_ordered(tuza_select_case *cases, size_t n);

// tuza_select over the cases named, in order: the result is the index among them.
#ifndef __cplusplus
#define TUZA_SELECT(...)                                                                           \
	tuza_select((tuza_select_case[]){__VA_ARGS__},                                             \
		sizeof((tuza_select_case[]){__VA_ARGS__}) / sizeof(tuza_select_case))
#else
}
namespace tuza_detail {
template <size_t n> inline int select(tuza_select_case (&&cases)[n])
{
	return tuza_select(cases, n);
}
} // namespace tuza_detail
#define TUZA_SELECT(...) ::tuza_detail::select({__VA_ARGS__})
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
