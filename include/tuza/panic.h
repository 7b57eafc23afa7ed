// SPDX-License-Identifier: MIT
/*
 * Defer, panic and try: Go's defer, panic and recover.
 *
 *	FILE *f = fopen(path, "r");
 *	if (!f)
 *		return -errno;
 *	TUZA_DEFER(fclose, f);      // runs when the block is left, however it is left
 *
 * A panic runs the deferred calls of its goroutine, innermost first, up to the nearest tuza_try,
 * which returns TUZA_EPANIC; without one the process ends with Go's text and status 2.
 */
#ifndef TUZA_PANIC_H
#define TUZA_PANIC_H

#include <tuza/macros.h>

// A jump into a block past a TUZA_DEFER would run a call that was never deferred. (clang knows
// nothing else.)
#if defined(__GNUC__) && !defined(__clang__) && !defined(__cplusplus)
#pragma GCC diagnostic error "-Wjump-misses-init"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Panics with a message in printf's format.
 *
 * Runs the deferred calls of the goroutine, innermost first. If a tuza_try is under way, it returns
 * TUZA_EPANIC; else the text "panic: …", the goroutine and its stack go to standard error and the
 * process ends with status 2; unflushed output of stdout is lost. A panic in a deferred call
 * supersedes the panic that runs it.
 *
 * Errors   fatal where giving up the frames would skip a C++ destructor or foreign cleanup.
 * Callable from  any goroutine or thread. Not from a signal handler.
 * Go       panic(v)
 */
TUZA_NORETURN_ void tuza_panic(const char *format, ...) TUZA_PRINTF_(1, 2);

// What tuza_try contained. Owns nothing; both texts are cut to fit.
typedef struct tuza_panic_info {
	char message[256];
	char stack[2048]; // where the panic was raised, in the words of a dump
} tuza_panic_info;

/*
 * Calls fn(arg) and contains a panic that it raises.
 *
 *   info  filled after a panic; may be NULL.
 *
 * Returns  0 when fn returned; TUZA_EPANIC after a panic. The frames given up have run their
 *          TUZA_DEFERs, nothing else: a C++ destructor or foreign cleanup among them makes the
 *          panic fatal instead. Blocking sections that were begun in them are ended.
 *          If the panic is reported in another way: TUZA_IGNORE(tuza_try(…)).
 * Panics   never because of fn; faults and fatal errors are not contained.
 * Blocks   as fn does.
 * Callable from  any goroutine or thread.
 * Go       recover()
 */
TUZA_MUST_USE int tuza_try(void (*fn)(void *), void *arg, tuza_panic_info *info);

enum {
	// Also SIGSEGV, SIGBUS and SIGFPE raised by the program's own code under fn; not by the C
	// library's, whose locks nobody would release. Needs a dynamically linked program with
	// unwind tables, which compilers make unless told otherwise.
	TUZA_RECOVER_FAULTS = 1,
};

// tuza_try with flags: 0 or TUZA_RECOVER_FAULTS. All else as tuza_try.
TUZA_MUST_USE int tuza_try_with(
	void (*fn)(void *), void *arg, unsigned flags, tuza_panic_info *info);

/*
 * Defers f(x) until the enclosing block is left: by its end, return, break, continue, goto, panic
 * or tuza_goexit. Each turn of a loop is a block. Several run in reverse order. f and x are
 * evaluated now.
 *
 *   f  a function of one pointer or integer; its result is discarded. fclose, close, free and
 *      tuza_waitgroup_done fit. Wrap one that is declared noreturn in one that is not: compilers
 *      drop what follows its call, and this one returns.
 *   x  converted and checked by the compiler as in the call f(x).
 *
 * Panics   when the call is made: Go's words for a nil dereference, if f is NULL.
 * Go       defer f(x)
 *
 * In a `case` use braces. longjmp over it is undefined. In C++ it is a destructor among others: it
 * runs however the block is left, but a panic cannot be contained above it, nor tuza_goexit called
 * below it, because nothing tells it from the destructors that would be skipped.
 */
#define TUZA_DEFER(f, x) TUZA_DEFER2_(TUZA_CAT_(tuza_deferred_, __COUNTER__), f, x)

// ---- how TUZA_DEFER works: private -----------------------------------------------------------

typedef struct tuza_defer_record {
	struct tuza_defer_record *outer; // the goroutine's list, innermost first
	void (*fn)(void);
	uintptr_t arg;
	void *owner; // the goroutine
} tuza_defer_record;

// Links the record into the goroutine's list.
void tuza_defer_push_(tuza_defer_record *record);
// Unlinks the record and makes its call: the cleanup of the block.
void tuza_defer_run_(tuza_defer_record *record);

#if defined(TUZA_VET_) // what tuza-vet reads instead
void tuza_vet_defer_(void);
#define TUZA_DEFER2_(name, f, x) (tuza_vet_defer_(), (void)(f)(x))
#elif !defined(__cplusplus)
// The address of assembler that pretends to be f and stores its argument in the record; see
// tuza_go_capture_.
extern const uintptr_t tuza_defer_capture_;
#define TUZA_DEFER2_(name, f, x)                                                                   \
	tuza_defer_record name                                                                     \
		__attribute__((cleanup(tuza_defer_run_))) = {NULL, (void (*)(void))(f), 0, NULL};  \
	TUZA_DROP_RESULT_(__builtin_call_with_static_chain(                                        \
		((__typeof__(&*(f)))tuza_defer_capture_)(x), (void *)&name));                      \
	tuza_defer_push_(&name)
#else
}

namespace tuza_detail {
template <typename F, typename X> struct deferred {
	tuza_defer_record record;
	F f;
	X x;
	deferred(F f_, X x_)
	    : record{nullptr, reinterpret_cast<void (*)(void)>(&call), 0, nullptr}, f(f_), x(x_)
	{
		record.arg = reinterpret_cast<uintptr_t>(this);
		tuza_defer_push_(&record);
	}
	~deferred() { tuza_defer_run_(&record); }
	deferred(const deferred &) = delete;
	deferred &operator=(const deferred &) = delete;
	static void call(void *self)
	{
		deferred *d = static_cast<deferred *>(self);
		d->f(d->x);
	}
};
// Decayed: a copy is kept, of an array its address, never a reference. Made where it will stay.
template <typename F, typename X> deferred<F, X> defer(F f, X x) { return {f, x}; }
} // namespace tuza_detail
#define TUZA_DEFER2_(name, f, x) [[maybe_unused]] auto name = ::tuza_detail::defer((f), (x))
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
